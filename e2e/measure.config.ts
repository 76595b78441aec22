// `npm run frames`, `npm run soak`: how the page runs with a thousand places. Not tests: nothing else should run meanwhile.

import { defineConfig } from "@playwright/test";

import base from "./playwright.config.ts";

export default defineConfig({ ...base, testDir: "measure", outputDir: "measure-results", timeout: 0, use: { ...base.use, trace: "off" } });
