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

for (const language of ["en", "es", "de", "ar"]) {
  test(`the top of the page is one line at 1280 pixels: ${language}`, async ({ dashboard, serve }) => {
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    await page.addInitScript((language) => localStorage.setItem("tallyboard.language", language), language);
    await page.setViewportSize({ width: 1280, height: 800 });
    let way = "socket";
    await page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
      if (way === "socket") socket.connectToServer();
      else void socket.close({ code: 1011 });
    });
    await page.route("**/api/v1/stream", (route) => (way === "polling" ? route.abort() : route.continue()));
    dashboard.failing.push(/\/api\/v1\/stream$/);
    for (const [screen, state, fedBy] of [["replay", "replay", "socket"], ["", "live", "socket"], ["", "live", "events"], ["", "live", "polling"]] as const) {
      way = fedBy;
      await page.goto(`${server.url}/${screen}`);
      await dashboard.expectState(state);
      await expect(dashboard.connection).toHaveAttribute("data-way", fedBy);
      const { height } = (await page.locator(".top").boundingBox()) ?? { height: Infinity };
      expect(height).toBeLessThan(66);
      // Everything in it is seen whole.
      const cut = await page.locator(".top").evaluate((top) =>
        [top, ...top.querySelectorAll("*")].filter((part) => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0).map((part) => part.className),
      );
      expect(cut).toEqual([]);
      await dashboard.expectNoSidewaysScroll();
    }
    await page.screenshot({ path: `screenshots/top-${language}.png`, clip: { x: 0, y: 0, width: 1280, height: 120 } });
  });
}

test("the names around a donut are whole at 320 pixels", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await page.setViewportSize({ width: 320, height: 640 });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await dashboard.chartData("chart-shares");
  const written = () => page.evaluate(texts, "chart-shares");
  await expect.poll(written).toEqual(expect.arrayContaining([expect.stringMatching(/^Okafor\n/), expect.stringMatching(/^Berglund\n/), expect.stringMatching(/^Dufresne\n/)]));
  await page.locator("#shares").screenshot({ path: "screenshots/donut-320.png" });
  // With more room they have it again.
  const radius = () =>
    page.evaluate(() => {
      const { echarts } = window as unknown as { echarts: { getInstanceByDom(node: Element): { getOption(): any } } };
      return echarts.getInstanceByDom(document.getElementById("chart-shares") as Element).getOption().series[0].radius;
    });
  expect(await radius()).toEqual(["28%", "44%"]);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator("#chart-shares").scrollIntoViewIfNeeded();
  await expect.poll(radius).toEqual(["42%", "64%"]);
});

test("the names of what isn't counted are whole beside their lines", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "5000/s");
  const { page } = dashboard;
  await dashboard.goTo(server.url, "quality");
  await dashboard.chartData("chart-quality-moved");
  await expect.poll(() => page.evaluate(texts, "chart-quality-moved")).toEqual(expect.arrayContaining([expect.stringContaining("Late, counted")]));
  const all = await page.evaluate(texts, "chart-quality-moved");
  expect(all.filter((text) => text.includes("…"))).toEqual([]);
});

/** What is written on a chart, as it was cut to its room. */
function texts(id: string): string[] {
  const { echarts } = window as unknown as {
    echarts: { getInstanceByDom(node: Element): { getZr(): { storage: { getDisplayList(update: boolean): any[] } } } };
  };
  const node = document.getElementById(id);
  if (!node) throw new Error(`no chart ${id}`);
  const shown = echarts.getInstanceByDom(node).getZr().storage.getDisplayList(true);
  const written = shown.filter((part) => part.type === "tspan" || part.type === "text").map((part) => [part.parent, part.style.text] as const);
  const blocks = new Map<unknown, string[]>();
  for (const [block, line] of written) blocks.set(block, [...(blocks.get(block) ?? []), line]);
  return [...blocks.values()].map((lines) => lines.join("\n"));
}

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
