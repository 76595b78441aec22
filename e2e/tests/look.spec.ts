// Light and dark, wide and narrow.

import { thousandPlaces } from "../measure/thousand.ts";
import { expect, test } from "./fixtures.ts";

test("the theme can be changed and is remembered", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await dashboard.screenshot("desktop-light");

  await page.getByTestId("theme-toggle").click();
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await dashboard.expectCounting();
  expect(await background()).toBe(dark);
  await dashboard.screenshot("desktop-dark");

  await page.getByTestId("theme-toggle").click();
  expect(await background()).toBe(light);
});

test("without a choice the system's theme is followed", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const bars = await dashboard.chartPixels("chart-votes");
  await dashboard.page.emulateMedia({ colorScheme: "dark" });
  await expect(dashboard.page.getByTestId("theme-toggle")).toHaveText("Light");
  await expect.poll(() => dashboard.chartPixels("chart-votes")).not.toBe(bars);
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test("nothing scrolls sideways", async ({ dashboard, serve }) => {
    const server = await serve("--simulate", "500/s");
    await dashboard.open(server.url);
    await dashboard.expectCounting();
    await dashboard.expectNoSidewaysScroll();
    await expect(dashboard.connection).toBeInViewport();
    await dashboard.screenshot("phone");
  });
});

test("the page can be read without seeing it", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
  await expect(page.getByRole("region", { name: "Votes by candidate" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Turnout" })).toHaveAttribute("aria-sort", "none");
  await expect(page.locator("#chart-votes")).toHaveAttribute("aria-label", /.+/);
  const live = page.locator("[aria-live=polite]");
  await expect(live).toHaveCount(1);
});

test("tiles without room for words have their color alone, and keep their names", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s", "--election", await thousandPlaces());
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const tile = page.getByTestId("map-tiles").getByRole("link", { name: /Place 7:/ });
  await tile.scrollIntoViewIfNeeded();
  await expect(tile.locator("b")).toBeHidden();
  // As high as it is told to be, however narrow.
  const { width, height } = (await tile.boundingBox()) ?? { width: 0, height: 0 };
  expect(width).toBeLessThan(28);
  expect(height).toBeGreaterThan(30);
  await page.screenshot({ path: "screenshots/tiles-narrow.png" });
});
