// Anyone can read the page: what axe-core finds of WCAG 2.2 AA, in light and in dark, current and stale.

import { AxeBuilder } from "@axe-core/playwright";

import type { Page } from "@playwright/test";

import { expect, test } from "./fixtures.ts";

/** What axe finds on the page as it is now. */
async function findings(page: Page, when: string): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${when}: ${id}: ${node.target} ${node.failureSummary}`));
}

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

test("axe finds nothing, in light and dark, live and stale", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.getByTestId("table-moved").click();
  const seen = await findings(page, "light");
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings(page, "dark")));
  await server.kill();
  await dashboard.expectState("reconnecting");
  seen.push(...(await findings(page, "dark and stale")));
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings(page, "light and stale")));
  expect(seen).toEqual([]);
});

const SCREENS = ["contest", "contest?race=shares", "place", "place?place=AL", "quality"];

test("axe finds nothing on any screen, in light and dark", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  const seen: string[] = [];
  for (const screen of SCREENS) {
    await dashboard.goTo(server.url, screen);
    for (const button of await page.getByRole("button", { name: /^Table: / }).all()) await button.click();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      seen.push(...(await findings(page, `${screen}, ${colorScheme}`)));
    }
  }
  expect(seen).toEqual([]);
});

test("without a mouse every screen is reached, and the focus goes along", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  for (const screen of ["contest", "places", "replay", "quality"]) {
    const link = page.getByTestId(`screen-${screen}`);
    await link.focus();
    await expect(link).toHaveCSS("outline-style", "solid");
    await page.keyboard.press("Enter");
    await expect(link).toHaveAttribute("aria-current", "page");
    await expect(page.locator("main")).toBeFocused();
  }
});
