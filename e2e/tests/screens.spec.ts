// Contest, place and quality: every view has an address, and says what the server says.

import { AxeBuilder } from "@axe-core/playwright";

import { numberOf } from "./dashboard.ts";
import { expect, test } from "./fixtures.ts";
import type { Server } from "./server.ts";

/** Votes for three candidates: 30 for Ada, 20 for Ben, 10 for Cem, by women and men of two ages, in two places. */
async function voteForCouncil(server: Server): Promise<void> {
  const votes = [30, 20, 10].flatMap((count, position) =>
    Array.from({ length: count }, (_, number) => ({
      voter_id: `${position}-${number}`,
      voting_time: `2026-11-03 08:${String(10 + (number % 5)).padStart(2, "0")}:00`,
      candidate_id: ["ada", "ben", "cem"][position],
      contest_id: "council",
      location_id: position === 1 || number % 2 ? "S" : "N",
      gender: number % 3 ? "female" : "male",
      registered_age: number % 4 ? 30 : 70,
    })),
  );
  await server.vote(votes);
}

const QUAYS = ["--election", "tests/breakdowns.toml"];

test("the contest screen shows the race, a duel, parties, places and groups of voters", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "contest?contest=council");
  await expect(dashboard.headline).toHaveText("Council");
  await expect(page.getByTestId("lede")).toHaveText("Ada Lindqvist leads by 10 votes");

  // Cumulative: the last point of each line is all that was counted.
  await expect(async () => {
    const race = JSON.parse(await dashboard.chartData("chart-race")) as [number, number][][];
    expect(race.map((line) => line.at(-1)?.[1])).toEqual([30, 20, 10]);
  }).toPass();
  await page.getByTestId("race-shares").click();
  await expect(page).toHaveURL(/race=shares/);
  await expect(async () => {
    const bands = JSON.parse(await dashboard.chartData("chart-race")) as [number, number][][];
    expect(bands.map((band) => band.at(-1)?.[1])).toEqual([50, 33.33, 16.67]);
  }).toPass();

  await expect(page.getByTestId("says-duel")).toContainText("Ada Lindqvist is 10 votes (16.7 points) ahead of Ben Okoro.");
  await page.getByTestId("duel-second").selectOption("cem");
  await expect(page.getByTestId("says-duel")).toContainText("Ada Lindqvist is 20 votes (33.3 points) ahead of Cem Aydin.");
  await page.reload();
  await expect(page.getByTestId("says-duel")).toContainText("ahead of Cem Aydin");
  await expect(page.getByTestId("race-shares")).toHaveAttribute("aria-pressed", "true");

  await expect(page.getByTestId("says-parties")).toContainText(/^Of 60 votes: Harbor List 66\.7.%, Dockers 33\.3.%\.$/);
  await page.getByTestId("table-splits").click();
  await expect(page.getByTestId("figures-splits").locator("tbody tr").first()).toContainText("South Quay");

  await expect(page.getByTestId("says-gender")).toContainText(/^Of 60 votes: Women /);
  await page.getByTestId("voters-of").selectOption("cem");
  await expect(page.getByTestId("says-gender")).toContainText(/^Of 10 votes: Women 60\.0.%, Men 40\.0.%\.$/);
  await expect(page.getByTestId("says-ages")).toContainText(/^Of 10 votes: 25–34 70\.0.%, 65 and over 30\.0.%\.$/);
  await expect(page).toHaveURL(/voters=cem/);
  await dashboard.screenshot("contest");
});

test("the contest is chosen on every screen, and the way back leads through the screens", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "");
  await page.getByTestId("screen-contest").click();
  await expect(page).toHaveURL(`${server.url}/contest`);
  await expect(page).toHaveTitle("Contest · Council of the Quays · Tallyboard");
  await page.getByTestId("contest-picker").selectOption("pier");
  await expect(dashboard.headline).toHaveText("A new pier?");
  await page.getByTestId("screen-places").click();
  await expect(page).toHaveURL(`${server.url}/place?contest=pier`);
  await page.goBack();
  await expect(dashboard.headline).toHaveText("A new pier?");
  await page.goBack();
  await expect(page).toHaveURL(`${server.url}/`);
  await expect(dashboard.headline).toHaveText("Ada Lindqvist leads by 10 votes");
});

test("a place has its candidates, its turnout, and a way up and down", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "place");
  await page.getByTestId("figures-regions").getByRole("link", { name: "Harbor" }).click();
  await expect(dashboard.headline).toHaveText("Harbor");
  await expect(page.getByTestId("fact-ballots")).toHaveText("60");
  await page.getByTestId("place-row").getByRole("link", { name: "North Quay" }).click();
  await expect(dashboard.headline).toHaveText("North Quay");
  await expect(page.getByTestId("lede")).toHaveText("Ada Lindqvist leads here by 10 votes.");
  await expect(page.getByTestId("fact-ballots")).toHaveText("20");
  await expect(page.getByTestId("fact-outstanding")).toHaveText("80");
  await expect(page.getByTestId("says-turnout")).toContainText(/^Turnout in North Quay is 20\.0.%/);
  expect(JSON.parse(await dashboard.chartData("chart-there"))[0][0].value).toBe(15);
  // The night there, at versions that the server keeps: the first had no votes.
  await expect(page.getByTestId("says-through")).toContainText(/^Ada Lindqvist has been in front here since .* to 20\.0.%\.$/);
  const through = JSON.parse(await dashboard.chartData("chart-through")) as [number, number][][];
  expect(through.map((line) => line.at(-1)?.[1])).toEqual([15, 5, 0]);
  await page.getByTestId("table-through").click();
  await expect(page.getByTestId("figures-through").locator("tbody tr").first()).toContainText("20");
  await dashboard.screenshot("place");
  await page.getByTestId("above").getByRole("link", { name: "Harbor" }).click();
  await expect(dashboard.headline).toHaveText("Harbor");
});

test("a race that nobody can turn any more is said to be decided, with a mark beside the color", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  const decided = page.getByTestId("leader-decided");
  const voteForAda = (from: number, to: number) =>
    server.vote(
      Array.from({ length: to - from }, (_, number) => ({
        voter_id: `v${from + number}`,
        voting_time: "2026-11-03 08:10:00",
        candidate_id: "ada",
        contest_id: "council",
        location_id: "S",
      })),
    );
  const mark = () => decided.evaluate((words) => getComputedStyle(words, "::before").content);
  // Half of the 300 who may vote: the others could still draw level.
  await voteForAda(0, 150);
  await dashboard.goTo(server.url, "");
  await expect(decided).toContainText("Not decided: ");
  await expect(dashboard.headline).toHaveText("Ada Lindqvist leads by 150 votes");
  expect(await mark()).toBe("none");
  await voteForAda(150, 151);
  await expect(dashboard.headline).toHaveText("Ada Lindqvist can no longer be caught, 151 votes ahead");
  await expect(decided).toContainText("Decided: ");
  expect(await mark()).toContain("✓");
});

test("an address that leads to nothing says so, and has a way back", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  const wayBack = page.getByTestId("way-back");
  const nothing: [address: string, headline: string, back: string][] = [
    ["weather", "No such screen", "/"],
    ["Contest?contest=council", "No such screen", "/"],
    ["place?place=nowhere&contest=pier", "No such place", "/place?contest=pier"],
    ["?contest=nothing", "No such contest", "/"],
    ["contest?contest=nothing", "No such contest", "/"],
    ["replay?contest=nothing", "No such contest", "/"],
    ["?contest=nothing&kiosk", "No such contest", "/?kiosk=1"],
  ];
  for (const [address, headline, back] of nothing) {
    await page.goto(`${server.url}/${address}`);
    await expect(dashboard.headline).toHaveText(headline);
    await expect(page.locator("main .panel")).toHaveCount(0);
    await expect(page.locator(".screens [aria-current]")).toHaveCount(headline === "No such screen" ? 0 : 1);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id }) => `${address}: ${id}`)).toEqual([]);
    // No link at the top leads to nothing again.
    if (headline === "No such contest" && !address.includes("kiosk")) {
      await expect(page.getByTestId("screen-contest")).toHaveAttribute("href", "contest");
    }
    await wayBack.click();
    await expect(page).toHaveURL(server.url + back);
    await expect(page.locator("main .panel").first()).toBeVisible();
  }
  await page.goto(`${server.url}/weather`);
  await expect(page).toHaveTitle("No such screen · Council of the Quays · Tallyboard");
  // From there every screen can be reached.
  await page.getByTestId("screen-quality").click();
  await expect(dashboard.headline).toHaveText("Quality of the count");
});

for (const [language, words] of [["es", "No existe esa pantalla"], ["de", "Keine solche Ansicht"], ["ar", "لا توجد شاشة كهذه"]]) {
  test(`that there is no such screen is said in the language of the page: ${language}`, async ({ dashboard, serve }) => {
    const server = await serve(...QUAYS);
    await dashboard.page.addInitScript((language) => localStorage.setItem("tallyboard.language", language), language);
    await dashboard.page.goto(`${server.url}/weather`);
    await expect(dashboard.headline).toHaveText(words);
    await expect(dashboard.page.getByTestId("way-back")).toBeVisible();
  });
}

test("each candidate's share is seen in every place, at a glance and on the map", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "");
  await expect(page.getByTestId("leader-next")).toContainText("Ben Okoro");
  await expect(page.getByTestId("leader-behind").getByRole("listitem")).toHaveText([/Aydin\s*16\.7.%/]);

  await page.getByTestId("places-candidates").click();
  await expect(page).toHaveURL(/columns=candidates/);
  const cells = (row: number) => dashboard.placeRows.nth(row).locator("td.share");
  await expect(cells(0)).toHaveText([/^75\.0.%$/, /^0\.0.%$/, /^25\.0.%$/]);
  await expect(cells(1)).toHaveText([/^37\.5.%$/, /^50\.0.%$/, /^12\.5.%$/]);
  // Who is first in a place stands out without a color.
  await expect(dashboard.placeRows.locator("td.most")).toHaveText([/^75/, /^50/]);
  await page.getByTestId("sort-share2").click();
  await expect(page.locator("th", { has: page.getByTestId("sort-share2") })).toHaveAttribute("aria-sort", "descending");
  await expect(dashboard.placeNames).toHaveText(["South Quay", "North Quay"]);
  await page.reload();
  await expect(dashboard.placeNames).toHaveText(["South Quay", "North Quay"]);
  await page.getByTestId("places-turnout").click();
  await expect(page).toHaveURL(`${server.url}/`);

  const south = page.getByTestId("map-tiles").getByRole("link", { name: /South Quay/ });
  await expect(south).toHaveAttribute("title", "South Quay: Okoro +12.5");
  await south.hover();
  await expect(south).toHaveAttribute("title", /^South Quay: Okoro \+12\.5\nOkoro 50\.0.%\nLindqvist 37\.5.%\nAydin 12\.5.%$/);
});

test("the map leads to its places, and its colors can be chosen", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "");
  const north = page.getByTestId("map-tiles").getByRole("link", { name: /North Quay/ });
  // Named by what is seen first.
  await expect(north).toHaveAccessibleName("N Lin, North Quay: Lindqvist +50.0");
  await page.getByTestId("map-paint").selectOption({ label: "Votes outstanding" });
  await expect(north).toHaveAccessibleName(/^N 80.%, North Quay: not voted 80\.0.%$/);
  await page.getByTestId("map-paint").selectOption({ label: "Share of Ben Okoro" });
  await expect(page.getByTestId("map-tiles").getByRole("link", { name: /South Quay/ })).toHaveAccessibleName(/Okoro 50\.0.%$/);
  await expect(page).toHaveURL(/map=share%3Aben/);
  await north.click();
  await expect(dashboard.headline).toHaveText("North Quay");
});

test("the map of the definition is drawn with its outlines, leads to its places, and is saved as a picture", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  const map = await fetch(`${server.url}/api/v1/map`);
  expect(map.headers.get("content-type")).toBe("application/geo+json");
  const features = JSON.parse(await map.text()).features as { id: string }[];
  const again = await fetch(`${server.url}/api/v1/map`, { headers: { "if-none-match": map.headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);

  await dashboard.goTo(server.url, "");
  const outlines = page.getByTestId("map-outlines");
  await expect(outlines.locator("path.ground")).toHaveCount(features.length);
  await expect(page.getByTestId("map-tiles")).toHaveCount(0);
  const alder = outlines.getByRole("link", { name: /Alder/ });
  await expect(alder).toHaveAccessibleName(/^AL (\w{3}|=), Alder: (\w+ \+\d+\.\d|tied)$/);
  await expect(page.getByTestId("map-legend").locator("li").first()).toBeVisible();
  const filled = () => alder.locator("path.ground").evaluate((path) => getComputedStyle(path).fill);
  const leader = await filled();
  await page.getByTestId("map-paint").selectOption({ label: "Turnout" });
  await expect(alder).toHaveAccessibleName(/^AL \d+.%, Alder: turnout /);
  expect(await filled()).not.toBe(leader);
  await expect(page.getByTestId("map-legend")).toHaveCount(0);

  await expect(alder.locator("path.hatched")).toBeHidden();
  await page.getByTestId("map-paint").selectOption({ label: "Who leads" });
  await page.emulateMedia({ contrast: "more" });
  await expect(outlines.locator('path.hatched[fill^="url(#hatch-"]').first()).toBeVisible();

  const png = await dashboard.download("png-map");
  expect(png.name).toMatch(/^marenne-2026-map-v\d+\.png$/);
  expect([...png.content.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
  await alder.click();
  await expect(dashboard.headline).toHaveText("Alder");
  await page.goBack();
  await alder.focus();
  await page.keyboard.press("Enter");
  await expect(dashboard.headline).toHaveText("Alder");
});

test("a definition without a map is drawn in tiles, and saved as a picture too", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  expect((await fetch(`${server.url}/api/v1/map`)).status).toBe(204);
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "");
  await expect(dashboard.page.getByTestId("map-tiles").getByRole("link")).toHaveCount(2);
  const png = await dashboard.download("png-map");
  expect([...png.content.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});

test("the quality screen shows what wasn't counted, what was late, and every partition", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "2000/s");
  const { page } = dashboard;
  await dashboard.goTo(server.url, "quality");
  await expect(dashboard.headline).toHaveText("Quality of the count");
  await expect.poll(async () => numberOf(await page.getByTestId("fact-duplicates").textContent())).toBeGreaterThan(0);
  await expect(page.getByTestId("fact-watermark")).toHaveText(/^\d\d:\d\d:\d\d$/);
  await page.getByTestId("table-reasons").click();
  await expect(page.getByTestId("figures-reasons")).toContainText("Voted before");
  await page.getByTestId("table-partitions").click();
  await expect(page.getByTestId("figures-partitions").locator("tbody tr")).toHaveCount(12);
  const moved = await dashboard.chartData("chart-quality-moved");
  await expect.poll(() => dashboard.chartData("chart-quality-moved")).not.toBe(moved);
  await dashboard.screenshot("quality");
});

test("the quality screen shows when votes were cast, without the window that has just begun", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await page.goto(`${server.url}/quality`);
  await expect(page.getByTestId("says-pace")).toContainText(/^Most votes were cast from .*08:10:00 on: 12 votes within 1 min\.$/);
  await page.getByTestId("table-pace").click();
  await expect(page.getByTestId("figures-pace").locator("tbody td")).toHaveText(["12", "12", "12", "12"]);
});

test("a click on a bar leads to its place", async ({ dashboard, serve }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  await dashboard.goTo(server.url, "contest?contest=council");
  const chart = page.locator("#chart-splits");
  await chart.scrollIntoViewIfNeeded();
  await chart.click({ position: { x: 300, y: 95 } });
  await expect(dashboard.headline).toHaveText("South Quay");
});

test("below the path of a proxy everything works, a deep link too", async ({ dashboard, serve, below }) => {
  const server = await serve(...QUAYS);
  const { page } = dashboard;
  await voteForCouncil(server);
  const base = await below(server.url, "/elections/quays");
  await dashboard.goTo(base, "contest?contest=council&race=shares");
  await expect(page.getByTestId("says-duel")).toContainText("ahead of Ben Okoro");
  await page.getByTestId("screen-overview").click();
  await expect(page).toHaveURL(`${base}/?contest=council`);
  await page.getByTestId("screen-places").click();
  await expect(page).toHaveURL(`${base}/place?contest=council`);
  await page.getByTestId("place-search").fill("south");
  await expect(page).toHaveURL(/\/elections\/quays\/place\?contest=council&find=south$/);
  await expect(dashboard.placeRows).toHaveCount(1);
});

test("a timeline that is no longer read isn't passed off as current", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.goTo(server.url, "contest");
  dashboard.failing.push(/timeline$/);
  await page.route("**/api/v1/timeline", (route) => route.abort());
  await expect(page.locator("#race .measure")).toContainText("Not current", { timeout: 30_000 });
  await page.unroute("**/api/v1/timeline");
  await expect(page.locator("#race .measure")).not.toContainText("Not current");
});
