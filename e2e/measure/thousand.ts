// A thousand places, and a page that keeps count of its frames and long tasks.

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { CDPSession, Page } from "@playwright/test";

const PLACES = 1_000;
const COLUMNS = 40;

/** The file of a definition with a thousand places, each with a tile. */
export async function thousandPlaces(): Promise<string> {
  const candidates = ["Ada", "Ben", "Cem", "Dora", "Elif"].map(
    (name) => `[[contests.candidates]]\nid = "${name.toLowerCase()}"\nname = "${name}"\nparty = "Party of ${name}"\n`,
  );
  const places = Array.from({ length: PLACES }, (_, number) => {
    const tile = `[${1 + Math.floor(number / COLUMNS)}, ${1 + (number % COLUMNS)}]`;
    return `[[locations]]\nid = "P${number}"\nname = "Place ${number}"\nregistered_voters = 60000\ntile = ${tile}\n`;
  });
  const head = 'id = "thousand"\ntitle = "A thousand places"\nmode = "test"\n[[contests]]\nid = "mayor"\ntitle = "Mayor"\n';
  const file = join(await mkdtemp(join(tmpdir(), "tallyboard-measure-")), "thousand.toml");
  await writeFile(file, [head, ...candidates, ...places].join("\n"));
  return file;
}

interface Kept {
  frames: number;
  longTasks: number;
  longestMs: number;
  memory?: WebAssembly.Memory;
}

declare global {
  interface Window {
    kept: Kept;
  }
}

/** Lets the page count; before it is opened. */
export async function keepCount(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.kept = { frames: 0, longTasks: 0, longestMs: 0 };
    addEventListener("TrunkApplicationStarted", (event) => {
      window.kept.memory = (event as CustomEvent).detail?.wasm?.memory;
    });
    new PerformanceObserver((list) => {
      for (const task of list.getEntries()) {
        window.kept.longTasks += 1;
        window.kept.longestMs = Math.max(window.kept.longestMs, task.duration);
      }
    }).observe({ type: "longtask" });
    const frame = () => {
      window.kept.frames += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

/** What was counted since the last time. */
export async function counted(page: Page): Promise<{ frames: number; longTasks: number; longestMs: number }> {
  return page.evaluate(() => {
    const { frames, longTasks, longestMs } = window.kept;
    Object.assign(window.kept, { frames: 0, longTasks: 0, longestMs: 0 });
    return { frames, longTasks, longestMs };
  });
}

/** The page's memory after a collection of garbage, in megabytes, and how much there is in it. */
export async function memory(page: Page, cdp: CDPSession) {
  await cdp.send("HeapProfiler.collectGarbage");
  const { metrics } = await cdp.send("Performance.getMetrics");
  const metric = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  const wasm = await page.evaluate(() => window.kept.memory?.buffer.byteLength ?? NaN);
  const megabytes = (bytes: number) => Number((bytes / 1e6).toFixed(2));
  return {
    heap: megabytes(metric("JSHeapUsedSize")),
    wasm: megabytes(wasm),
    nodes: metric("Nodes"),
    listeners: metric("JSEventListeners"),
  };
}
