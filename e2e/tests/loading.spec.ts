// How the page loads: what is fetched, in which order it is built, and what is there before everything is.

import { thousandPlaces } from "../measure/thousand.ts";
import { expect, test } from "./fixtures.ts";

const QUAYS = ["--election", "tests/breakdowns.toml"];

/** The program's part with the screens after the first. */
const LATER = "**/*_later.wasm";

/** So much may be transferred until a screen stands with its charts, in bytes; docs/benchmarks.md has what it is. */
const TRANSFER_MAX = { desktop: 450_000, phone: 300_000 };

for (const [device, viewport] of Object.entries({
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
}) as [keyof typeof TRANSFER_MAX, { width: number; height: number }][]) {
  test(`the first screen is small, and the browser finds nothing to warn of: ${device}`, async ({ dashboard, serve }) => {
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    await page.setViewportSize(viewport);
    const warnings: string[] = [];
    page.on("console", (message) => message.type() === "warning" && warnings.push(message.text()));
    let transferred = 0;
    const cdp = await page.context().newCDPSession(page);
    cdp.on("Network.loadingFinished", ({ encodedDataLength }) => (transferred += encodedDataLength));
    await cdp.send("Network.enable");
    const later = page.waitForRequest(LATER, { timeout: 30_000 });
    let isLater = false;
    void later.then(() => (isLater = true));
    await dashboard.open(server.url);
    await dashboard.expectCounting();
    if (device === "desktop") await expect(page.locator("#chart-shares canvas")).toBeVisible();
    await expect(page.locator("#places")).toBeAttached();
    await page.waitForLoadState("load");
    expect(warnings).toEqual([]);
    // Else it would be a matter of luck how much of it is counted.
    expect(isLater).toBe(false);
    expect(transferred).toBeGreaterThan(100_000);
    expect(transferred).toBeLessThan(TRANSFER_MAX[device]);
    await later;
    await expect(page.getByTestId("place-row").first()).toBeAttached();
    await expect(page.getByTestId("candidate-row").first()).toBeAttached();
  });
}

test("a screen after the first is told where it can't be fetched, and is fetched when asked for again", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  dashboard.failing.push(/tallyboard-frontend/);
  await page.route(LATER, (route) => route.abort());
  await page.goto(`${server.url}/contest`);
  await expect(page.getByTestId("missing-screen")).toBeVisible();
  await page.getByTestId("screen-overview").click();
  await expect(page.locator("#leading")).toBeVisible();
  await expect(page.locator("#candidates").getByTestId("fetch-panel")).toBeVisible();
  await page.getByTestId("screen-contest").click();
  await expect(page.getByTestId("missing-screen")).toBeVisible();
  await page.unroute(LATER);
  await page.getByTestId("fetch-again").click();
  await expect(page.locator("#chart-race canvas").first()).toBeVisible();
  await page.getByTestId("screen-overview").click();
  await expect(page.getByTestId("candidate-row").first()).toBeVisible();
});

test("what zooms charts and explains their colors is fetched for the first chart that has it", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  const scripts: string[] = [];
  page.on("request", (request) => {
    const name = /(echarts|controls)\.min/.exec(request.url())?.[1];
    if (name) scripts.push(name);
  });
  await dashboard.goTo(server.url, "");
  await dashboard.chartData("chart-moved");
  expect(scripts).toEqual(["echarts"]);
  await page.getByTestId("screen-contest").click();
  await expect(page.locator("#chart-race canvas").first()).toBeVisible();
  expect(scripts).toEqual(["echarts", "controls"]);
});

test("every place of a large map is right, those out of sight too", async ({ dashboard, serve }) => {
  const server = await serve("--election", await thousandPlaces());
  const { page } = dashboard;
  await dashboard.open(server.url);
  const tile = (number: number) => page.getByTestId("map-tiles").getByRole("link", { name: `Place ${number}:` });
  await expect(tile(999)).toHaveAccessibleName(/Place 999: no votes$/);
  const vote = (candidate: string, places: number[]) =>
    server.vote(
      places.flatMap((number) =>
        Array.from({ length: 20 }, (_, voter) => ({
          voter_id: `${candidate}-${number}-${voter}`,
          voting_time: "2026-11-03 08:10:00",
          candidate_id: candidate,
          contest_id: "mayor",
          location_id: `P${number}`,
        })),
      ),
    );
  await vote("ada", [0, 99, 100, 555, 999]);
  for (const number of [0, 99, 100, 555, 999]) {
    await expect(tile(number)).toHaveAccessibleName(new RegExp(`Place ${number}: Ada \\+100\\.0$`));
  }
  await vote("ben", [0, 999]);
  for (const number of [0, 999]) await expect(tile(number)).toHaveAccessibleName(new RegExp(`Place ${number}: tied$`));
  await expect(tile(555)).toHaveAccessibleName(/Place 555: Ada \+100\.0$/);
  await expect(tile(1)).toHaveAccessibleName(/Place 1: no votes$/);
});

test("paper has the table of a chart that was never drawn", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  dashboard.failing.push(/echarts/);
  await page.route("**/echarts*", (route) => route.abort());
  await server.vote(
    Array.from({ length: 20 }, (_, voter) => ({
      voter_id: `v${voter}`,
      voting_time: "2026-11-03 08:10:00",
      candidate_id: "ada",
      contest_id: "council",
      location_id: "N",
    })),
  );
  await page.setViewportSize({ width: 390, height: 844 });
  await dashboard.goTo(server.url, "");
  const figures = page.getByTestId("figures-votes");
  await expect(page.getByTestId("says-votes")).toBeAttached();
  await expect(figures).toHaveCount(0);
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await expect(figures.locator("tbody tr").first()).toContainText("Ada Lindqvist");
  await expect(page.locator("#chart-votes")).toBeHidden();
  await page.emulateMedia({ media: "screen" });
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await expect(figures).toHaveCount(0);
});

test("a chart that was drawn is on paper itself", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.goTo(server.url, "");
  await expect(page.locator("#chart-votes canvas").first()).toBeVisible();
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await expect(page.locator("#chart-moved canvas").first()).toBeVisible();
  await expect(page.getByTestId("figures-moved")).toHaveCount(0);
  await expect(page.getByTestId("figures-votes")).toHaveCount(0);
});
