// The demo after a minute, as the README shows it.

import type { Page } from "@playwright/test";

import { expect, test } from "../tests/fixtures.ts";

const FOLDER = "../docs/screenshots";
const VOTES_MIN = 900_000;

test("pictures for the README", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "20000/s");
  const { page } = dashboard;
  await page.setViewportSize({ width: 1440, height: 1152 });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect.poll(() => dashboard.votes(), { timeout: 150_000 }).toBeGreaterThan(VOTES_MIN);
  await picture(page, "overview-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await picture(page, "overview-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 1362 });
  await picture(page, "phone");
});

/** Charts that were just resized or recolored get their time to settle. */
async function picture(page: Page, name: string): Promise<void> {
  await page.waitForTimeout(2_000);
  await page.screenshot({ path: `${FOLDER}/${name}.png` });
}
