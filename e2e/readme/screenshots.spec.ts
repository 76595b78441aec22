// Every screen of the demo after a minute, as the README shows some of them.

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { expect, test } from "../tests/fixtures.ts";

const FOLDER = "../docs/screenshots";
const VOTES_MIN = 900_000;
const SCREENS = { contest: "contest", place: "place?place=AL", quality: "quality", replay: "replay" };

test("pictures of every screen", async ({ dashboard, serve }) => {
  // A night in a minute: windows of a second instead of a minute.
  const folder = await mkdtemp(join(tmpdir(), "tallyboard-screenshots-"));
  await copyFile("../backend/elections/marenne.geojson", join(folder, "marenne.geojson"));
  const definition = join(folder, "marenne.toml");
  await writeFile(definition, 'timeline_window = "1s"\n' + (await readFile("../backend/elections/marenne.toml", "utf8")));
  const server = await serve("--simulate", "20000/s", "--election", definition);
  const { page } = dashboard;
  await page.setViewportSize({ width: 1440, height: 1152 });
  // No picture of bars that are changing places.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect.poll(() => dashboard.votes(), { timeout: 150_000 }).toBeGreaterThan(VOTES_MIN);
  await pictures(page, "overview");
  for (const [name, address] of Object.entries(SCREENS)) {
    await page.goto(`${server.url}/${address}`);
    await expect(dashboard.headline).toBeVisible();
    await expect(page.locator(".chart canvas").first()).toBeVisible();
    if (name === "place") await expect(page.locator("#chart-through canvas").first()).toBeVisible({ timeout: 30_000 });
    await pictures(page, name);
  }
  await page.setViewportSize({ width: 390, height: 1362 });
  await page.goto(server.url);
  await dashboard.expectCounting();
  await picture(page, "phone");
  await page.goto(`${server.url}/contest`);
  await expect(page.locator("#chart-race canvas").first()).toBeVisible();
  await picture(page, "phone-contest");
  await page.evaluate(() => localStorage.setItem("tallyboard.language", "ar"));
  await page.goto(server.url);
  await dashboard.expectCounting();
  await picture(page, "phone-arabic");
  await page.setViewportSize({ width: 1440, height: 1152 });
  await picture(page, "arabic", true);
  await page.evaluate(() => localStorage.removeItem("tallyboard.language"));
  await page.setViewportSize({ width: 1920, height: 1080 });
  for (const scene of ["votes", "map", "race"]) {
    await page.goto(`${server.url}/?kiosk`);
    await expect(page.locator(`main #${scene}`)).toBeVisible({ timeout: 60_000 });
    await picture(page, `wall-${scene}`);
  }
  await rm(folder, { recursive: true, force: true });
});

/** The whole page, in light and in dark. */
async function pictures(page: Page, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: "light" });
  await picture(page, `${name}-light`, true);
  await page.emulateMedia({ colorScheme: "dark" });
  await picture(page, `${name}-dark`, true);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Charts that were just resized or recolored get their time to settle; those below the screen are drawn as for paper. */
async function picture(page: Page, name: string, fullPage = false): Promise<void> {
  if (fullPage) await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  await page.waitForTimeout(2_000);
  await page.screenshot({ path: `${FOLDER}/${name}.png`, fullPage });
}
