// `npm run frames`: frames a second of each screen with a thousand places at ten updates a second.

import { expect, test } from "../tests/fixtures.ts";
import { counted, keepCount, thousandPlaces } from "./thousand.ts";

const SECONDS = 20;

for (const screen of ["", "contest", "quality", "?kiosk"]) {
  test(`frames of /${screen}`, async ({ dashboard, serve }) => {
    const flags = ["--simulate", "5000/s", "--publish-interval", "100ms"];
    const server = await serve(...flags, "--election", await thousandPlaces());
    const { page } = dashboard;
    await keepCount(page);
    await page.goto(`${server.url}/${screen}`);
    await expect(dashboard.page.locator("canvas, [data-testid=map-tiles]").first()).toBeVisible();
    await page.waitForTimeout(5_000);
    await counted(page);
    await page.waitForTimeout(SECONDS * 1_000);
    const { frames, longTasks, longestMs } = await counted(page);
    console.log(JSON.stringify({ screen: `/${screen}`, framesPerSecond: frames / SECONDS, longTasks, longestMs }));
  });
}
