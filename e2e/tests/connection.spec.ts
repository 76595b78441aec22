// When the server isn't there: the page never passes off old figures as live, and comes back by itself.

import { expect, test } from "./fixtures.ts";

test("a killed server is noticed, and its return too", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.evaluate(() => document.body.setAttribute("data-not-reloaded", ""));

  await server.kill();
  await expect(dashboard.connection).toHaveAttribute("data-state", "reconnecting", { timeout: 10_000 });
  await expect(page.getByTestId("connection-label")).toContainText(/Stale since \d\d:\d\d:\d\d · reconnecting/);
  await expect(dashboard.notCurrent).toBeVisible();
  const votes = await dashboard.votes();
  expect(votes).toBeGreaterThan(0);
  await dashboard.screenshot("stale");

  await page.evaluate(() => {
    const figure = document.querySelector('[data-testid="total-votes"]');
    const seen = ((window as unknown as { seen: number[] }).seen = [] as number[]);
    const note = () => seen.push(Number((figure?.textContent ?? "").replace(/\D/g, "")));
    if (figure) new MutationObserver(note).observe(figure, { subtree: true, childList: true, characterData: true });
  });
  await server.run();
  // What was counted and shown once is on disk: the server itself never says less again.
  let again: number | undefined;
  await expect(async () => {
    const answer = await fetch(`${server.url}/api/v1/results`);
    expect(answer.ok).toBe(true);
    again = (await answer.json()).totals.votes;
  }).toPass();
  expect(again).toBeGreaterThanOrEqual(votes);
  await dashboard.expectState("live");
  await expect(dashboard.notCurrent).toHaveCount(0);
  await expect.poll(() => dashboard.votes(), { timeout: 30_000 }).toBeGreaterThan(votes);
  const seen = await page.evaluate(() => (window as unknown as { seen: number[] }).seen);
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(votes);
  expect(seen).toEqual([...seen].sort((one, other) => one - other));
  await expect(page.locator("body[data-not-reloaded]")).toHaveCount(1);
});

test("a connection that falls silent is taken for broken", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  let silent = false;
  await dashboard.page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      if (!silent) socket.send(message);
    });
  });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  silent = true;
  await expect(dashboard.notCurrent).toBeVisible({ timeout: 10_000 });
  silent = false;
  await dashboard.expectState("live");
});

test("a browser that is offline shows old figures as such, and comes back by itself", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  // The other screens are fetched once the first stands.
  const screens = page.waitForResponse(/_later\.wasm$/);
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await (await screens).finished();
  await page.evaluate(() => document.body.setAttribute("data-not-reloaded", ""));
  // What is asked for meanwhile fails.
  dashboard.failing.push(/./);
  await page.context().setOffline(true);
  await dashboard.expectState("reconnecting");
  await expect(page.getByTestId("connection-label")).toContainText(/^Stale since \d\d:\d\d:\d\d · reconnecting/);
  await expect(dashboard.notCurrent).toContainText("not current");
  await expect(page.locator("main")).toHaveClass(/outdated/);
  // The figures stay, and stand still.
  const votes = await dashboard.votes();
  await page.getByTestId("screen-places").click();
  await expect(dashboard.headline).toHaveText("All places");
  await page.getByTestId("screen-overview").click();
  expect(await dashboard.votes()).toBe(votes);

  await page.context().setOffline(false);
  await dashboard.expectState("live");
  await expect(dashboard.notCurrent).toHaveCount(0);
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(votes);
  await expect(page.locator("body[data-not-reloaded]")).toHaveCount(1);
});

test("a server that can't be reached is named before there are figures", async ({ dashboard, serve }) => {
  const server = await serve();
  let refuse = true;
  await dashboard.page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    if (refuse) void socket.close({ code: 1013 });
    else socket.connectToServer();
  });
  // Nor by another way.
  dashboard.failing.push(/\/api\/v1\/(stream|results)$/);
  await dashboard.page.route(/\/api\/v1\/(stream|results)$/, (route) => (refuse ? route.abort() : route.continue()));
  await dashboard.page.goto(server.url);
  await expect(dashboard.page.getByTestId("waiting")).toContainText("The server can't be reached");
  await dashboard.expectState("unreachable");
  await expect(dashboard.page.getByTestId("total-votes")).toHaveCount(0);
  refuse = false;
  await dashboard.expectState("live");
  await expect(dashboard.headline).toBeVisible();
});

test("without votes the page says so", async ({ dashboard, serve }) => {
  const server = await serve();
  await dashboard.open(server.url);
  await dashboard.expectState("live");
  await expect(dashboard.headline).toHaveText("No votes yet");
  await expect(dashboard.page.getByTestId("blank").first()).toBeVisible();
  await dashboard.screenshot("empty");
  // Also where there is no contest yet.
  await dashboard.page.getByTestId("screen-contest").click();
  await expect(dashboard.headline).toHaveText("No votes yet");
});

test("before the program has come the page says that it is loading", async ({ dashboard, serve }) => {
  const server = await serve();
  let pass = () => {};
  const held = new Promise<void>((resolve) => (pass = resolve));
  await dashboard.page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  await dashboard.page.goto(server.url, { waitUntil: "commit" });
  await expect(dashboard.page.getByTestId("boot")).toContainText("Loading the results");
  pass();
  await expect(dashboard.headline).toBeVisible();
  await expect(dashboard.page.getByTestId("boot")).toHaveCount(0);
});
