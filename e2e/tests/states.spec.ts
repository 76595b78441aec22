// The states that a page can honestly be in: before the polls open, under an embargo, older than its server, and
// beside a server that misbehaves.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test as base } from "./fixtures.ts";

interface Fixtures {
  /** A file with the quays' definition, with these lines before it. */
  definition: (...lines: string[]) => Promise<string>;
}

const test = base.extend<Fixtures>({
  definition: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "tallyboard-definition-"));
    await use(async (...lines) => {
      const file = join(folder, "election.toml");
      await writeFile(file, lines.join("\n") + "\n" + (await readFile("tests/breakdowns.toml", "utf8")));
      return file;
    });
    await rm(folder, { recursive: true, force: true });
  },
});

const hours = (number: number) => new Date(Date.now() + number * 3_600_000).toISOString();

test("under an embargo no screen shows a candidate's figures", async ({ dashboard, serve, definition }) => {
  const file = await definition('embargo = "until_close"', `opens_at = "${hours(-2)}"`, `closes_at = "${hours(2)}"`);
  const server = await serve("--election", file);
  const { page } = dashboard;
  // Charts are drawn where they are seen.
  await page.setViewportSize({ width: 1440, height: 3_000 });
  const votes = Array.from({ length: 30 }, (_, number) => ({
    voter_id: `v-${number}`,
    voting_time: hours(-1).slice(0, 19).replace("T", " "),
    candidate_id: number < 23 ? "ada" : "ben",
    contest_id: "council",
    location_id: "N",
    gender: "female",
  }));
  await server.vote(votes);
  await dashboard.open(server.url);
  await dashboard.expectState("live");
  await expect(dashboard.headline).toHaveText("Results are withheld until the polls close");
  await expect(page.getByTestId("total-votes")).toHaveText("30");
  for (const screen of ["", "contest?contest=council", "place?place=N", "?kiosk"]) {
    await page.goto(`${server.url}/${screen}`);
    await expect(page.getByTestId("blank").first()).toContainText("Withheld");
    await expect(page.locator("main")).not.toContainText("23");
    // Of charts only those of turnout and of groups: what is withheld isn't drawn as nothing either.
    const harmless = screen.startsWith("place") ? ["turnout"] : screen.startsWith("contest") ? ["gender", "ages"] : [];
    await expect(async () => {
      const drawn = await page.locator("main canvas").count();
      let known = 0;
      for (const name of harmless) known += await page.locator(`#chart-${name} canvas`).count();
      expect(drawn).toBe(known);
      expect(known > 0).toBe(harmless.length > 0);
    }).toPass();
    if (screen === "") await expect(page.getByTestId("says-map")).toContainText("Withheld");
  }
});

test("before the polls open the page says when they do", async ({ dashboard, serve, definition }) => {
  const file = await definition('opens_at = "2031-05-06T07:00:00Z"', 'closes_at = "2031-05-06T20:00:00Z"');
  const server = await serve("--election", file);
  await dashboard.open(server.url);
  await expect(dashboard.headline).toHaveText("No votes yet");
  await expect(dashboard.page.getByTestId("lede")).toHaveText("The polls open on 6 May 2031, 07:00.");
});

test("a page that is older than its server asks to be reloaded", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  let protocol = 1;
  await page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      // In a welcome, number 0, the protocol is the third byte.
      if (typeof message !== "string" && message[1] === 0) message[2] = protocol;
      socket.send(message);
    });
  });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  protocol = 2;
  await page.reload();
  await dashboard.expectState("incompatible");
  // There are no figures that could be old.
  await expect(dashboard.notCurrent).toHaveCount(0);
  await expect(page.getByTestId("waiting")).toContainText("This page is older than its server");
  await dashboard.screenshot("incompatible");
  protocol = 1;
  await page.getByTestId("reload").click();
  await dashboard.expectCounting();
  await expect(page.getByTestId("reload")).toHaveCount(0);
});

test("rubbish, repeated and missing messages lead to the right figures", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  let number = 0;
  await dashboard.page.routeWebSocket(/\/ws(\?|$)/, (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((message) => upstream.send(message));
    upstream.onMessage((message) => {
      number += 1;
      if (number % 7 === 0) return;
      if (number % 5 === 0) socket.send('{"type":"update","version":');
      if (number % 6 === 0) socket.send('{"type":"weather","sunny":true}');
      socket.send(message);
      if (number % 4 === 0) socket.send(message);
    });
  });
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(async () => {
    const { version, ...shown } = await dashboard.figures();
    const answer = await (await fetch(`${server.url}/api/v1/results?version=${version}`)).json();
    const votes: number[] = answer.contests[0].candidates.map((candidate: { votes: number }) => candidate.votes);
    expect(number).toBeGreaterThan(60);
    expect(shown).toEqual({ votes: answer.totals.votes, candidates: votes.sort((one, other) => other - one) });
  }).toPass({ timeout: 30_000 });
  await dashboard.expectState("live");
});
