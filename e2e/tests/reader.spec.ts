// What the reader has in hand: holding the page, its pace, time zone, patterns, the past, and the wall.

import { AxeBuilder } from "@axe-core/playwright";

import { expect, test } from "./fixtures.ts";

test("a page that is held stands still, says so, and goes on with the newest figures", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(page.getByTestId("candidate-row").first()).toBeAttached();
  await page.getByTestId("pause").click();
  await expect(dashboard.connection).toHaveAttribute("data-state", "paused");
  await expect(dashboard.notCurrent).toContainText("You have paused this page");
  const held = await dashboard.figures();
  const bars = await dashboard.chartData("chart-votes");
  await expect
    .poll(async () => (await (await fetch(`${server.url}/api/v1/results`)).json()).totals.votes)
    .toBeGreaterThan(held.votes + 1_000);
  // Another screen shows the same version.
  await page.getByTestId("screen-quality").click();
  await expect(page.getByTestId("fact-version")).toHaveText(held.version.toLocaleString("en"));
  await page.getByTestId("screen-overview").click();
  expect(await dashboard.figures()).toEqual(held);
  expect(await dashboard.chartData("chart-votes")).toBe(bars);

  await page.getByTestId("pause").click();
  await dashboard.expectState("live");
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(held.votes + 1_000);
});

test("a held page whose connection is lost says that first", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await dashboard.page.getByTestId("pause").click();
  await server.kill();
  await dashboard.expectState("reconnecting");
  await server.run();
  await dashboard.expectState("paused");
});

test("pace and time zone are remembered", async ({ dashboard, serve, browser }) => {
  const server = await serve("--simulate", "500/s");
  const context = await browser.newContext({ timezoneId: "Asia/Kolkata" });
  const page = await context.newPage();
  await page.goto(server.url);
  const zone = page.getByTestId("zone");
  await expect(zone).toHaveText("Times are in UTC+5:30");
  await expect(page.getByTestId("total-votes")).toHaveText(/[1-9]/);
  await page.getByTestId("settings").locator("summary").click();
  await page.getByTestId("setting-zone").selectOption("utc");
  await page.getByTestId("setting-pace").selectOption("60s");
  await expect(zone).toHaveText("Times are in UTC");
  await page.reload();
  await expect(zone).toHaveText("Times are in UTC");
  await expect(page.getByTestId("setting-pace")).toHaveValue("60s");
  await expect(page.getByTestId("total-votes")).toHaveText(/[1-9]/);
  const votes = await page.getByTestId("total-votes").textContent();
  await page.waitForTimeout(3_000);
  await expect(page.getByTestId("total-votes")).toHaveText(votes ?? "");
  await context.close();
});

test("patterns tell what colors tell, where they are asked for", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.getByTestId("pause").click();
  const plain = await dashboard.chartPixels("chart-shares");
  await page.getByTestId("settings").locator("summary").click();
  await page.getByTestId("setting-patterns").selectOption("on");
  const isChanged = async (before: string) => (await dashboard.chartPixels("chart-shares")) !== before;
  await expect.poll(() => isChanged(plain)).toBe(true);
  const patterned = await dashboard.chartPixels("chart-shares");
  await page.getByTestId("setting-patterns").selectOption("off");
  await expect.poll(() => isChanged(patterned)).toBe(true);
});

test("the night is scrubbed and played again, and there is a way back", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect.poll(() => dashboard.votes(), { timeout: 30_000 }).toBeGreaterThan(10_000);
  await page.getByTestId("screen-replay").click();
  await dashboard.expectState("replay");
  await expect(dashboard.notCurrent).toContainText("earlier version");
  await expect(page.getByTestId("total-votes")).toHaveText(/[1-9]/);
  const first = await dashboard.figures();

  const { versions } = await (await fetch(`${server.url}/api/v1/versions`)).json();
  const scrubber = page.getByTestId("replay-scrubber");
  const middle = Math.floor(Number(await scrubber.getAttribute("max")) / 2);
  await scrubber.fill(String(middle));
  await expect(page).toHaveURL(/replay\?version=\d+/);
  await expect.poll(async () => (await dashboard.figures()).version).toBeGreaterThan(first.version);
  const { version, votes } = await dashboard.figures();
  const answer = await (await fetch(`${server.url}/api/v1/results?version=${version}`)).json();
  expect(votes).toBe(answer.totals.votes);
  expect(versions.length).toBeGreaterThan(1);

  await page.reload();
  await expect.poll(async () => (await dashboard.figures()).version).toBe(version);
  await page.getByTestId("replay-speed").selectOption("fast");
  await page.getByTestId("replay-play").click();
  await expect.poll(async () => (await dashboard.figures()).version).toBeGreaterThan(version);
  await page.getByTestId("replay-play").click();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations).toEqual([]);
  await dashboard.screenshot("replay");

  await page.getByTestId("replay-live").click();
  await dashboard.expectState("live");
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(votes);
});

test("a version that can't be read is said, and nothing wrong is shown", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  dashboard.failing.push(/results\?version=/, /\/api\/v1\/versions$/);
  await page.route("**/api/v1/results?version=*", (route) => route.fulfill({ status: 503, body: "{}" }));
  await page.goto(`${server.url}/replay`);
  // A server that has published nothing yet is asked again.
  await expect(page.getByTestId("replay-trouble")).toContainText("can't be read");
  await expect(page.getByTestId("total-votes")).toHaveCount(0);
});

test("another version never passes for the one that a link names", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const trouble = page.getByTestId("replay-trouble");
  await page.goto(`${server.url}/replay?version=900000`);
  await expect(trouble).toHaveText(/^There is no version 900,000 yet: [\d,]+, the newest, is shown\.$/);
  await expect(page.getByTestId("total-votes")).toHaveText(/[1-9]/);
  // What the server has thrown away isn't there either.
  dashboard.failing.push(/results\?version=2$/);
  await page.route("**/api/v1/results?version=2", (route) => route.fulfill({ status: 404, body: "{}" }));
  await page.goto(`${server.url}/replay?version=2`);
  await expect(trouble).toHaveText(/^Version 2 is no longer kept, or never was: [\d,]+, the oldest, is shown\.$/);
  await expect.poll(async () => (await dashboard.figures()).version).toBeGreaterThan(2);
  // Whoever goes on from there has what they ask for.
  const scrubber = page.getByTestId("replay-scrubber");
  await scrubber.fill(String(await scrubber.getAttribute("max")));
  await expect(trouble).toHaveCount(0);
});

test("the wall changes its scenes by itself, keeps its contest, and has nothing to touch", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await page.setViewportSize({ width: 1920, height: 1080 });
  // It is found in the page, and the way back leads there again.
  await dashboard.goTo(server.url, "?contest=president");
  await page.getByTestId("settings").locator("summary").click();
  await page.getByTestId("to-wall").click();
  await expect(page).toHaveURL(/\?contest=president&kiosk=1$/);
  await expect(page.getByTestId("pause")).toBeHidden();
  await page.goBack();
  await expect(page.getByTestId("pause")).toBeVisible();
  await page.goto(`${server.url}/?kiosk&contest=president`);
  await dashboard.expectState("live");
  await expect(page.getByTestId("pause")).toBeHidden();
  await expect(page.getByTestId("mode-banner")).toBeVisible();
  const scene = () => page.locator("main .panel").first().getAttribute("id");
  await expect.poll(scene).toMatch(/^(votes|map|race)$/);
  const seen = new Set<string | null>();
  await expect
    .poll(async () => seen.add(await scene()).size, { timeout: 50_000 })
    .toBe(3);
  await dashboard.expectNoSidewaysScroll();
  const overflow = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
  expect(overflow).toBeLessThanOrEqual(0);
});
