// `npm run screenshots`: the pictures of the README, taken of a real server. Not a test.

import { defineConfig } from "@playwright/test";

import base from "./playwright.config.ts";

export default defineConfig({ ...base, testDir: "readme", timeout: 180_000 });
