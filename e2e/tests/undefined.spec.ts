// Without an election definition everything is taken from the votes: names, parties, pictures, places.

import { expect, test } from "./fixtures.ts";

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';

const CANDIDATES = [
  { candidate_id: "a", candidate_name: "Jane Morgan", party_affiliation: "Union", photo_url: "https://photos.example/a.svg" },
  { candidate_id: "b", candidate_name: "Luis Castro", party_affiliation: "Forward", photo_url: "/missing.jpg" },
  { candidate_id: "c", candidate_name: "<img src=x onerror=alert(1)>", photo_url: "javascript:alert(1)" },
];

test("candidates, pictures and places come out of the votes", async ({ dashboard, serve }) => {
  const server = await serve();
  const { page } = dashboard;
  await page.route("https://photos.example/**", (route) => route.fulfill({ contentType: "image/svg+xml", body: PICTURE }));
  const votes = [30, 20, 10].flatMap((count, position) =>
    Array.from({ length: count }, (_, number) => ({
      voter_id: `${position}-${number}`,
      voting_time: "2026-11-03 08:15:00",
      address: { state: number % 2 ? "Ohio" : "Utah" },
      vote: 1,
      ...CANDIDATES[position],
    })),
  );
  await server.vote(votes);
  await dashboard.open(server.url);
  await dashboard.expectState("live");
  await expect(dashboard.headline).toHaveText("Jane Morgan leads by 10 votes");
  await expect(page.getByTestId("lede")).toHaveText("60 votes counted. The size of the electorate is unknown.");
  await expect(page.getByTestId("total-turnout")).toHaveText("—");
  await expect(dashboard.placeNames).toHaveText(["Ohio", "Utah"]);
  await expect(page.getByRole("columnheader", { name: "Turnout" })).toBeHidden();

  const faces = page.getByTestId("candidate-row").locator(".face");
  const picture = faces.nth(0).locator("img");
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth)).toBe(8);
  await expect(faces.nth(1)).toHaveText("LC");
  await expect(faces.nth(1).locator("img")).toHaveCount(0);
  await expect(faces.nth(2).locator("img")).toHaveCount(0);
  await expect(page.getByTestId("candidate-row").nth(2)).toContainText("<img src=x onerror=alert(1)>");
});

test("names without end make no screen wider than a phone", async ({ dashboard, serve }) => {
  const server = await serve();
  const { page } = dashboard;
  const place = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch";
  const votes = Array.from({ length: 30 }, (_, number) => ({
    voter_id: `v-${number}`,
    candidate_id: `c${number % 2}`,
    candidate_name: `${"A".repeat(60)} Of The Very Long Name Without End ${number % 2}`,
    voting_time: "2026-11-03 08:15:00",
    address: { state: place },
  }));
  await server.vote(votes);
  for (const width of [320, 390]) {
    await page.setViewportSize({ width, height: 844 });
    for (const screen of ["", "contest", "place", `place?place=${place}`, "quality"]) {
      await page.goto(`${server.url}/${screen}`);
      await expect(dashboard.headline).toBeVisible();
      if (screen === "contest") await expect(page.locator("#duel select").first()).toHaveValue(/^c/);
      await dashboard.expectNoSidewaysScroll();
    }
  }
});
