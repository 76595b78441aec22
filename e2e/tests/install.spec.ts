// The page as an app of its own, and on paper.

import { expect, test } from "./fixtures.ts";

test("the page can be installed, below the path of a proxy too", async ({ dashboard, serve, below }) => {
  const server = await serve();
  const url = await below(server.url, "/news/results");
  const { page } = dashboard;
  await page.goto(`${url}/contest`);
  await dashboard.expectState("live");
  const cdp = await page.context().newCDPSession(page);
  const manifest = await cdp.send("Page.getAppManifest");
  expect(manifest.errors).toEqual([]);
  expect(manifest.url).toBe(`${url}/manifest.webmanifest`);
  const { start_url, scope, icons } = JSON.parse(manifest.data ?? "");
  expect(new URL(start_url, manifest.url).href).toBe(`${url}/`);
  expect(new URL(scope, manifest.url).href).toBe(`${url}/`);
  for (const { src, sizes, type } of icons) {
    const answer = await page.request.get(new URL(src, manifest.url).href);
    expect(answer.headers()["content-type"]).toBe(type);
    const png = await answer.body();
    // The width and the height are the first two numbers of a PNG.
    expect(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`).toBe(sizes);
  }
  // A browser of a test has no profile to install into; nothing else is in the way.
  const { installabilityErrors } = await cdp.send("Page.getInstallabilityErrors");
  expect(installabilityErrors.map((error) => error.errorId).filter((id) => id !== "in-incognito")).toEqual([]);
});

test("on paper the page is light and has nothing to press", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await page.addInitScript(() => localStorage.setItem("tallyboard.theme", "dark"));
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await expect(page.locator("#chart-votes canvas").first()).toBeVisible();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(await ground()).toBe("rgb(14, 17, 22)");
  await page.emulateMedia({ media: "print" });
  expect(await ground()).toBe("rgb(250, 249, 245)");
  await expect(page.getByRole("button").filter({ visible: true })).toHaveCount(await page.locator("th button").count());
  await expect(page.getByTestId("mode-banner")).toBeVisible();
  await expect(page.getByTestId("footer-version")).toBeVisible();
  await page.pdf({ path: "screenshots/paper.pdf", format: "A4" });
});
