// By which way the results come: a WebSocket in the binary protocol, else events, else by asking; and back again.

import type { APIResponse, Page } from "@playwright/test";

import { expect, test } from "./fixtures.ts";
import type { Dashboard } from "./dashboard.ts";

/** The first trial of a WebSocket beside another way comes after 15 seconds. */
const TRIAL_TIMEOUT_MS = 30_000;

/** Closes every WebSocket before it says anything, for as long as `blocked` says so. */
async function blockSockets(page: Page, blocked: () => boolean): Promise<void> {
  await page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    if (blocked()) void socket.close({ code: 1011 });
    else socket.connectToServer();
  });
}

async function blockEvents(dashboard: Dashboard): Promise<void> {
  dashboard.failing.push(/\/api\/v1\/stream$/);
  await dashboard.page.route("**/api/v1/stream", (route) => route.abort());
}

async function expectMoving(dashboard: Dashboard): Promise<void> {
  await dashboard.expectCounting();
  const votes = await dashboard.votes();
  await expect.poll(() => dashboard.votes()).toBeGreaterThan(votes);
  await dashboard.expectState("live");
}

test("the page is fed by a WebSocket in the binary protocol", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const frames: string[] = [];
  dashboard.page.on("websocket", (socket) =>
    socket.on("framereceived", (frame) => frames.push(typeof frame.payload)),
  );
  await dashboard.open(server.url);
  await expectMoving(dashboard);
  await expect(dashboard.connection).toHaveAttribute("data-way", "socket");
  await expect(dashboard.page.getByTestId("connection-label")).toHaveText("Live");
  expect(frames.length).toBeGreaterThan(2);
  expect(frames).not.toContain("string");
});

test("a server of another build is spoken to in JSON", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const read: string[] = [];
  await dashboard.page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    socket.connectToServer().onMessage((message) => {
      if (typeof message === "string") read.push(message);
      // The first byte is the number of the format.
      else message[0] = 99;
      socket.send(message);
    });
  });
  await dashboard.open(server.url);
  await expectMoving(dashboard);
  await expect(dashboard.connection).toHaveAttribute("data-way", "socket");
  expect(JSON.parse(read[0] ?? "").type).toBe("welcome");
});

test("where WebSockets are blocked the page takes events, and a WebSocket once it works", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  let blocked = true;
  // The server is killed below.
  dashboard.failing.push(/\/api\/v1\/stream$/);
  await blockSockets(dashboard.page, () => blocked);
  await dashboard.open(server.url);
  await expect(dashboard.connection).toHaveAttribute("data-way", "events");
  await expect(dashboard.page.getByTestId("connection-label")).toHaveText("Live · as an event stream");
  await expectMoving(dashboard);
  await dashboard.screenshot("events");

  await server.kill();
  await expect(dashboard.notCurrent).toBeVisible();
  await dashboard.expectState("reconnecting");
  await server.run();
  await expectMoving(dashboard);
  await expect(dashboard.notCurrent).toHaveCount(0);

  blocked = false;
  await expect(dashboard.connection).toHaveAttribute("data-way", "socket", { timeout: TRIAL_TIMEOUT_MS });
  await expectMoving(dashboard);
});

test("behind a proxy that passes on results alone the page asks, and knows when the count stands still", async ({
  dashboard,
  serve,
  below,
}) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  const url = await below(server.url, "/night", /^\/(?!ws|livez|readyz|metrics|api\/v1\/stream)/);
  dashboard.failing.push(/\/api\/v1\/stream$/);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await dashboard.open(`${url}/`);
  await expect(dashboard.connection).toHaveAttribute("data-way", "polling");
  await expect(page.getByTestId("connection-label")).toHaveText("Live · asked every 2 s");
  await expectMoving(dashboard);
  await expect(page.getByTestId("election-title")).not.toBeEmpty();
  expect(asked).not.toContain("/night/readyz");

  await page.route("**/api/v1/results", async (route) => {
    const response = await route.fetch();
    const stale = { "tallyboard-state": "stale", "tallyboard-stale-since": "2026-11-03T20:15:07Z" };
    await route.fulfill({ response, headers: { ...response.headers(), ...stale } });
  });
  await dashboard.expectState("stale");
  await expect(page.getByTestId("connection-label")).toHaveText(/^Stale since 20:15:07/);
  await expect(dashboard.notCurrent).toBeVisible();
  await page.unroute("**/api/v1/results");
  await dashboard.expectState("live");

  // A cache that answers for a server that is gone.
  let kept: APIResponse | undefined;
  await page.route("**/api/v1/results", async (route) => {
    kept ??= await route.fetch();
    await route.fulfill({ response: kept });
  });
  await dashboard.expectState("stale");
  await expect(dashboard.notCurrent).toBeVisible();
  await page.unroute("**/api/v1/results");
  await dashboard.expectState("live");

  // On its way back the server has no results for a moment.
  dashboard.failing.push(/\/api\/v1\/results$/);
  await server.kill();
  await dashboard.expectState("reconnecting");
  await expect(dashboard.notCurrent).toBeVisible();
  await server.run();
  await expectMoving(dashboard);
});

test("unchanged results are asked for by their tag", async ({ dashboard, serve }) => {
  const server = await serve();
  await server.vote([{ voter_id: "1", candidate_id: "a", voting_time: "2026-11-03 08:15:00", address: { state: "Ohio" } }]);
  await blockSockets(dashboard.page, () => true);
  await blockEvents(dashboard);
  const answers: number[] = [];
  dashboard.page.on("response", (answer) => {
    if (answer.url().endsWith("/api/v1/results")) answers.push(answer.status());
  });
  await dashboard.open(server.url);
  await expect.poll(() => answers.length).toBeGreaterThan(3);
  expect(answers.slice(-2)).toEqual([304, 304]);
  expect(await dashboard.votes()).toBe(1);
  await dashboard.expectState("live");

  // A cache that says so without what the server says of itself is asked for the whole.
  await dashboard.page.route("**/api/v1/results", async (route) => {
    const response = await route.fetch();
    await route.fulfill(response.status() === 304 ? { status: 304 } : { response });
  });
  answers.length = 0;
  await expect.poll(() => answers.length).toBeGreaterThan(3);
  expect(answers).toContain(200);
  await dashboard.expectState("live");
});
