// Anyone can read the page: what axe-core finds of WCAG 2.2 AA, in light and in dark, current and stale.

import { AxeBuilder } from "@axe-core/playwright";

import { expect, test } from "./fixtures.ts";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

test("axe finds nothing, in light and dark, live and stale", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.getByTestId("history-toggle").click();
  const findings = async (when: string) => {
    const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${when}: ${id}: ${node.target} ${node.failureSummary}`));
  };
  const seen = await findings("light");
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings("dark")));
  await server.kill();
  await dashboard.expectState("reconnecting");
  seen.push(...(await findings("dark and stale")));
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings("light and stale")));
  expect(seen).toEqual([]);
});
