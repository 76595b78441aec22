// While votes are counted: figures and charts move, and say what the server says.

import { numberOf } from "./dashboard.ts";
import { expect, test } from "./fixtures.ts";

const CHARTS = ["chart-votes", "chart-shares", "chart-moved"];

test("figures and charts move by themselves", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(dashboard.page.getByTestId("mode-banner")).toContainText("Simulation");
  await expect(dashboard.headline).toContainText(/leads by|tied|can no longer be caught/);

  const votes = await dashboard.votes();
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(votes);
  for (const chart of CHARTS) {
    const [data, pixels] = [await dashboard.chartData(chart), await dashboard.chartPixels(chart)];
    await expect.poll(() => dashboard.chartData(chart)).not.toBe(data);
    await expect.poll(() => dashboard.chartPixels(chart)).not.toBe(pixels);
  }
});

test("charts change in place", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  // A canvas that was made anew would have lost the mark.
  for (const chart of CHARTS) {
    await dashboard.page.locator(`#${chart} canvas`).first().evaluate((canvas) => canvas.setAttribute("data-mark", ""));
  }
  const votes = await dashboard.votes();
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(votes + 1_000);
  for (const chart of CHARTS) {
    await expect(dashboard.page.locator(`#${chart} canvas[data-mark]`)).toHaveCount(1);
  }
});

test("charts fit the window", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await dashboard.page.setViewportSize({ width: 700, height: 900 });
  for (const chart of CHARTS) {
    const node = dashboard.page.locator(`#${chart}`);
    await expect
      .poll(async () => {
        const [outer, inner] = [await node.boundingBox(), await node.locator("canvas").first().boundingBox()];
        return Math.abs((outer?.width ?? 0) - (inner?.width ?? 0));
      })
      .toBeLessThanOrEqual(1);
  }
  await dashboard.expectNoSidewaysScroll();
});

test("the figures equal those of the HTTP interface at the same version", async ({ dashboard, serve, request }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(dashboard.page.getByTestId("candidate-row").first()).toBeAttached();

  // A new version comes ten times a second, the server answers for the newest only, and the page draws some of them:
  // both are followed until three versions were seen on both sides.
  const sent = new Map<number, { votes: number; candidates: number[] }>();
  const shown = new Map<number, { votes: number; candidates: number[] }>();
  const both = () => [...shown.keys()].filter((version) => sent.has(version));
  await expect(async () => {
    const answer = await request.get(`${server.url}/api/v1/results`);
    expect(answer.ok()).toBe(true);
    const results = await answer.json();
    const candidates: number[] = results.contests[0].candidates.map((candidate: { votes: number }) => candidate.votes);
    candidates.sort((one, other) => other - one);
    sent.set(results.version, { votes: results.totals.votes, candidates });
    const { version, ...figures } = await dashboard.figures();
    shown.set(version, figures);
    expect(both().length).toBeGreaterThanOrEqual(3);
  }).toPass({ intervals: [10] });
  for (const version of both()) expect(shown.get(version), `version ${version}`).toEqual(sent.get(version));
});

test("the table of places sorts, searches and turns its pages", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(dashboard.placeRows.first()).toBeVisible();

  const names = await dashboard.placeNames.allTextContents();
  expect(names).toEqual([...names].sort());
  await page.getByTestId("sort-name").click();
  await expect(page.locator("th", { has: page.getByTestId("sort-name") })).toHaveAttribute("aria-sort", "descending");
  await expect(dashboard.placeNames.first()).not.toHaveText(names[0]);

  await page.getByTestId("sort-votes").click();
  await expect(page.locator("th", { has: page.getByTestId("sort-votes") })).toHaveAttribute("aria-sort", "descending");
  await expect(async () => {
    const votes = (await page.getByTestId("place-votes").allTextContents()).map(numberOf);
    expect(votes).toEqual([...votes].sort((one, other) => other - one));
  }).toPass();

  await page.getByTestId("sort-name").click();
  const next = page.getByTestId("page-next");
  if (await next.isEnabled()) {
    await next.click();
    await expect(page.getByTestId("page-position")).toContainText("page 2 of");
    await expect(dashboard.placeNames.first()).not.toHaveText(names[0]);
  }

  // Whoever wants more rows keeps those that were in sight.
  await page.getByTestId("page-len").selectOption("20");
  await expect(page).toHaveURL(/rows=20/);
  await expect(dashboard.placeRows).toHaveCount(20);
  await page.reload();
  await expect(dashboard.placeRows).toHaveCount(20);

  await page.getByTestId("place-search").fill(names[2]);
  await expect(dashboard.placeNames.first()).toContainText(names[2]);
  await page.getByTestId("place-search").fill("no such place");
  await expect(dashboard.placeRows).toHaveCount(0);
  await expect(page.getByTestId("page-position")).toContainText("0 places");
});

test("beside a chart are its figures as a table, as a file and as a picture", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.getByTestId("table-moved").click();
  await expect(page.getByTestId("figures-moved").locator("tbody tr").first()).toContainText("%");
  // Several versions a second, each of which has its row.
  await expect.poll(() => page.getByTestId("figures-moved").locator("tbody tr").count()).toBeGreaterThan(5);
  const rows = await page.getByTestId("figures-moved").locator("tbody th").allTextContents();
  expect(new Set(rows).size).toBe(rows.length);
  await expect(page.getByTestId("says-votes")).toContainText(/^Of [\d,]+ votes: .*\d.%/);

  const csv = await dashboard.download("csv-votes");
  expect(csv.name).toMatch(/^marenne-2026-votes-v\d+\.csv$/);
  const [head, first] = csv.content.toString("utf8").replace("\ufeff", "").split("\r\n");
  expect(head).toBe("Candidate,Votes,Share,Version,Published,Kind of election");
  expect(first).toMatch(/^[^,]+,\d+,0\.\d{6},\d+,[^,]+Z,simulation$/);

  const png = await dashboard.download("png-votes");
  expect(png.name).toMatch(/^marenne-2026-votes-v\d+\.png$/);
  expect(png.content.subarray(1, 4).toString()).toBe("PNG");
  expect(png.content.length).toBeGreaterThan(5_000);
});
