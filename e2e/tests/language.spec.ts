// The page in other languages: words, numbers, plurals, and from right to left.

import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { expect, test } from "./fixtures.ts";

async function choose(page: Page, language: string): Promise<void> {
  await page.getByTestId("settings").locator("summary").click();
  await page.getByTestId("setting-language").selectOption(language);
  await expect(page.locator("html")).toHaveAttribute("lang", language);
}

test("a language that was chosen is remembered, and its numbers are written its way", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await choose(page, "de");
  await expect(page.getByTestId("screen-places")).toHaveText("Orte");
  await expect(page.getByTestId("total-votes")).toHaveText(/^\d{1,3}(\.\d{3})+$/);
  await expect(page.getByTestId("says-votes")).toHaveText(/^Von [\d.]+ Stimmen: .* \d+,\d.%/);
  await page.getByTestId("screen-contest").click();
  await page.reload();
  await expect(page.getByTestId("lede")).toContainText(/führt mit|gleichauf|einzuholen/);
  await expect(page).toHaveTitle(/^Abstimmung · /);
});

test("without a choice the browser's language is spoken", async ({ serve, browser }) => {
  const server = await serve("--simulate", "500/s");
  for (const [locale, overview] of [["es-MX", "Resumen"], ["pt-BR", "Overview"]]) {
    const context = await browser.newContext({ locale });
    const page = await context.newPage();
    await page.goto(server.url);
    await expect(page.getByTestId("screen-overview")).toHaveText(overview);
    await context.close();
  }
});

test("lists run from right to left in Arabic, whatever is in them", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  await page.addInitScript(() => localStorage.setItem("tallyboard.language", "ar"));
  await dashboard.goTo(server.url, "quality");
  await page.getByTestId("pause").click();
  for (const says of ["says-reasons", "lede"]) await expect(page.getByTestId(says)).not.toBeEmpty();
  // Where the items begin, on their line.
  const places = await page.getByTestId("says-reasons").evaluate((says) => {
    const text = says.firstChild as Text;
    const items = [...text.data.matchAll(/\u2068\p{L}/gu)].map(({ index }) => index + 1).slice(0, 2);
    return items.map((index) => {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + 1);
      const { right, top } = range.getBoundingClientRect();
      return { right, top };
    });
  });
  expect(places).toHaveLength(2);
  expect(places[0].top).toBe(places[1].top);
  expect(places[0].right).toBeGreaterThan(places[1].right);
});

for (const viewport of [{ width: 1440, height: 900 }, { width: 320, height: 800 }]) {
  test(`in Arabic the page runs from right to left, ${viewport.width} pixels wide`, async ({ dashboard, serve }) => {
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    await page.addInitScript(() => localStorage.setItem("tallyboard.language", "ar"));
    await page.setViewportSize(viewport);
    for (const screen of ["", "contest", "place", "quality"]) {
      await dashboard.goTo(server.url, screen);
      await expect(page.locator("html")).toHaveAttribute("dir", "rtl");
      await expect(page.getByTestId("mode-banner")).toContainText("محاكاة");
      await dashboard.expectNoSidewaysScroll();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${screen}: ${id}: ${nodes.map((node) => node.target)}`)).toEqual([]);
      await dashboard.screenshot(`arabic-${screen || "overview"}-${viewport.width}`);
    }
  });
}
