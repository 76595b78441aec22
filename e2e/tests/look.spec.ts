// Light and dark, wide and narrow.

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
