// `npm run soak`: a page that is left open. Prints what grows; TALLYBOARD_SOAK_MINUTES, an hour by default.

import { expect, test } from "../tests/fixtures.ts";
import { counted, keepCount, memory, thousandPlaces } from "./thousand.ts";

const MINUTES = Number(process.env.TALLYBOARD_SOAK_MINUTES ?? "60");
const EVERY_MINUTES = Number(process.env.TALLYBOARD_SOAK_EVERY ?? "2");
const RATE = process.env.TALLYBOARD_SOAK_RATE ?? "2000/s";

test(`${MINUTES} minutes with a thousand places`, async ({ dashboard, serve }) => {
  const server = await serve("--simulate", RATE, "--election", await thousandPlaces());
  const { page } = dashboard;
  await keepCount(page);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  for (let minutes = 0; minutes <= MINUTES; minutes += EVERY_MINUTES) {
    const { version, votes } = await dashboard.figures();
    console.log(JSON.stringify({ minutes, version, votes, ...(await memory(page, cdp)), ...(await counted(page)) }));
    if (minutes < MINUTES) await page.waitForTimeout(EVERY_MINUTES * 60_000);
  }
  await dashboard.expectState("live");
  expect(await page.getByTestId("not-current").count()).toBe(0);
});
