// Anyone can read the page: what axe-core finds of WCAG 2.2 AA in every look, what the keyboard reaches, how large
// targets are, and how narrow the page may be.

import { AxeBuilder } from "@axe-core/playwright";

import type { Page } from "@playwright/test";

import type { Dashboard } from "./dashboard.ts";
import { expect, test } from "./fixtures.ts";

/** What axe finds on the page as it is now. */
async function findings(page: Page, when: string, of: "everything" | "colors" = "everything"): Promise<string[]> {
  const axe = new AxeBuilder({ page });
  const { violations } = await (of === "colors" ? axe.withRules(COLOR_RULES) : axe.withTags(RULES)).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${when}: ${id}: ${node.target} ${node.failureSummary}`));
}

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Another look changes nothing else. */
const COLOR_RULES = ["color-contrast", "link-in-text-block"];

test("axe finds nothing, in light and dark, live and stale", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.getByTestId("table-moved").click();
  const seen = await findings(page, "light");
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings(page, "dark")));
  await server.kill();
  await dashboard.expectState("reconnecting");
  seen.push(...(await findings(page, "dark and stale")));
  await page.getByTestId("theme-toggle").click();
  seen.push(...(await findings(page, "light and stale")));
  expect(seen).toEqual([]);
});

const SCREENS = [
  "",
  "contest",
  "contest?race=shares",
  "place",
  "place?columns=candidates&rows=20",
  "place?place=AL",
  "replay",
  "quality",
  "?kiosk",
];

/** Opens a screen by its address, and waits until it has figures. */
async function openScreen(dashboard: Dashboard, url: string, screen: string): Promise<void> {
  if (screen !== "replay") return dashboard.goTo(url, screen);
  await dashboard.page.goto(`${url}/replay`);
  await dashboard.expectState("replay");
  await expect(dashboard.page.getByTestId("total-votes")).toHaveText(/[1-9]/);
}

const LOOKS = [
  { colorScheme: "light" },
  { colorScheme: "dark" },
  { colorScheme: "light", contrast: "more" },
  { colorScheme: "dark", contrast: "more" },
  { colorScheme: "dark", forcedColors: "active" },
] as const;
const PLAIN = { colorScheme: "light", contrast: "no-preference", forcedColors: "none" } as const;

for (const screen of SCREENS) {
  test(`axe finds nothing on the screen /${screen}, in light, dark, with more contrast and with forced colors`, async ({ dashboard, serve }) => {
    test.slow();
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    const seen: string[] = [];
    await openScreen(dashboard, server.url, screen);
    if (screen !== "?kiosk") {
      for (const button of await page.getByRole("button", { name: /^Table: / }).all()) await button.click();
    }
    for (const [position, look] of LOOKS.entries()) {
      await page.emulateMedia({ ...PLAIN, ...look });
      seen.push(...(await findings(page, JSON.stringify(look), position === 0 ? "everything" : "colors")));
    }
    await dashboard.screenshot(`forced-colors-${screen.replace(/\W/g, "-") || "overview"}`);
    expect(seen).toEqual([]);
  });
}

/** Controls whose name lacks what is seen of them (WCAG 2.5.3): whoever speaks to the page says what they see. */
async function misnamed(page: Page): Promise<string[]> {
  const named = page.locator(":is(a, button, summary)[aria-label]");
  return named.evaluateAll((controls) => {
    const plain = (text: string | null) => (text ?? "").normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
    return controls
      .filter((control) => control.checkVisibility())
      .map((control) => {
        // Shapes have no inner text, and a title that nobody sees.
        const drawn = [...control.querySelectorAll("text")].map((part) => part.textContent).join(" ");
        return { seen: plain(control instanceof HTMLElement ? control.innerText : drawn), name: plain(control.ariaLabel) };
      })
      // A sign is no word.
      .filter(({ seen, name }) => /\p{L}/u.test(seen) && !name.includes(seen))
      .map(({ seen, name }) => `${seen}: ${name}`);
  });
}

for (const language of ["en", "es", "de", "ar"]) {
  test(`every control is named by what is seen of it: ${language}`, async ({ dashboard, serve }) => {
    test.slow();
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    await page.addInitScript((language) => localStorage.setItem("tallyboard.language", language), language);
    for (const screen of ["", "contest", "place?place=AL", "replay", "quality"]) {
      await openScreen(dashboard, server.url, screen);
      // Figures that roll on between two looks would differ.
      if (screen !== "replay") await page.getByTestId("pause").click();
      expect(await misnamed(page), screen).toEqual([]);
    }
  });
}

test("charts take the colors that the system forces", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.emulateMedia({ colorScheme: "dark", forcedColors: "active" });
  const option = () =>
    page.evaluate(() => {
      const { echarts } = window as unknown as { echarts: { getInstanceByDom(node: Element): { getOption(): any } } };
      const option = echarts.getInstanceByDom(document.getElementById("chart-votes") as Element).getOption();
      return { ink: option.yAxis[0].axisLabel.color, decal: option.aria[0]?.decal?.show ?? option.aria.decal.show };
    });
  const text = await page.evaluate(() => getComputedStyle(document.body).color);
  await expect.poll(option).toEqual({ ink: text, decal: true });
});

// 1280 pixels at 400 % are 320.
test("320 pixels are wide enough for every screen, and every target is 24 pixels large", async ({ dashboard, serve }) => {
  test.slow();
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  const small: string[] = [];
  for (const width of [320, 390, 1280]) {
    await page.setViewportSize({ width, height: 640 });
    for (const screen of SCREENS) {
      await openScreen(dashboard, server.url, screen);
      await dashboard.expectNoSidewaysScroll();
      if (screen !== "?kiosk") await expect(page.getByTestId("screen-quality")).toBeInViewport({ ratio: 1 });
      for (const table of ["candidate-table", "place-table"]) {
        if ((await page.getByTestId(table).count()) === 1) await expectReadable(page, table);
      }
      const seen = await page.evaluate(() =>
        [...document.querySelectorAll("a, button, select, input, summary")]
          // A link within a sentence is as high as its line; a place is as large as it is, and its row in the table leads
          // there too; what isn't drawn is no target.
          .filter((target) => !target.closest(".skip, p, footer, .outlines") && target.getClientRects().length > 0)
          .filter((target) => target.getBoundingClientRect().width < 23.5 || target.getBoundingClientRect().height < 23.5)
          .map((target) => target.outerHTML.slice(0, 120)),
      );
      small.push(...seen.map((target) => `${width} /${screen}: ${target}`));
    }
  }
  expect(small).toEqual([]);
});

/** No column of a table is out of sight, and no word is broken. */
async function expectReadable(page: Page, table: string): Promise<void> {
  const { hidden, broken } = await page.getByTestId(table).evaluate((table) => {
    const broken: string[] = [];
    for (const name of table.querySelectorAll("tbody th :is(strong, a, .who span)")) {
      const text = name.firstChild;
      for (const { 0: word, index } of (text?.textContent ?? "").matchAll(/\S+/g)) {
        const range = document.createRange();
        range.setStart(text as Node, index);
        range.setEnd(text as Node, index + word.length);
        if (range.getClientRects().length > 1) broken.push(word);
      }
    }
    return { hidden: table.scrollWidth - (table.parentElement?.clientWidth ?? 0), broken };
  });
  expect({ table, hidden: Math.max(hidden, 0), broken }).toEqual({ table, hidden: 0, broken: [] });
}

test("a word is explained by pointing, by keyboard and by tapping, and Escape closes it", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const mark = page.getByTestId("term-turnout-totals");
  const meaning = page.locator("#term-turnout-totals");
  await expect(mark).toHaveAccessibleName("What it means: Turnout");
  await expect(mark).toHaveAccessibleDescription(/^Ballots counted, divided by registered voters/);
  await expect(meaning).toBeHidden();

  await mark.hover();
  await expect(meaning).toBeVisible();
  // The pointer may go over to it, and it stays.
  await meaning.hover();
  await expect(meaning).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(meaning).toBeHidden();
  await page.mouse.move(0, 0);

  await mark.focus();
  await expect(meaning).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(meaning).toBeHidden();
  await expect(mark).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(meaning).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(meaning).toBeHidden();

  for (const width of [320, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    for (const term of ["counted", "electorate", "turnout", "outstanding", "not-counted"]) {
      await page.getByTestId(`term-${term}-totals`).click();
      await expect(page.locator(`#term-${term}-totals`)).toBeInViewport({ ratio: 1 });
      await dashboard.expectNoSidewaysScroll();
    }
  }
});

for (const [language, words] of [["de", /^Gezählte Stimmzettel geteilt/], ["es", /^Papeletas contadas/], ["ar", /^البطاقات المفروزة/]] as const) {
  test(`words are explained in the language of the page: ${language}`, async ({ dashboard, serve }) => {
    const server = await serve("--simulate", "500/s");
    const { page } = dashboard;
    await page.addInitScript((language) => localStorage.setItem("tallyboard.language", language), language);
    await dashboard.open(server.url);
    await dashboard.expectCounting();
    await page.getByTestId("term-turnout-totals").hover();
    await expect(page.locator("#term-turnout-totals")).toHaveText(words);
    await expect(page.locator("#term-turnout-totals")).toBeInViewport({ ratio: 1 });
  });
}

test("by keyboard alone a color is chosen for the map, a place opened, and the page set", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  const tabTo = async (wanted: string) => {
    for (let steps = 0; steps < 200; steps += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), wanted)) return;
    }
    throw new Error(`Tab never reached ${wanted}`);
  };
  await tabTo(".menu summary");
  await page.keyboard.press("Enter");
  await tabTo('[data-testid="setting-zone"]');
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("setting-zone")).toBeHidden();
  await expect(page.locator(".menu summary")).toBeFocused();
  // Whoever goes on leaves nothing open above what they go on to.
  await page.keyboard.press("Enter");
  await tabTo('[data-testid="to-wall"]');
  await page.keyboard.press("Tab");
  await expect(page.getByTestId("setting-zone")).toBeHidden();
  await page.locator(".menu summary").click();
  await expect(page.getByTestId("setting-zone")).toBeVisible();
  await dashboard.headline.click();
  await expect(page.getByTestId("setting-zone")).toBeHidden();
  await tabTo('[data-testid="table-votes"]');
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("figures-votes")).toBeVisible();
  await tabTo('[data-testid="map-paint"]');
  await page.keyboard.press("ArrowDown");
  await expect(page).toHaveURL(/map=turnout/);
  await tabTo("#map a");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/place\?place=AL/);
  await expect(page.locator("main")).toBeFocused();
});

test("without a mouse every screen is reached, and the focus goes along", async ({ dashboard, serve }) => {
  const server = await serve("--simulate", "500/s");
  const { page } = dashboard;
  await dashboard.open(server.url);
  await dashboard.expectCounting();
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  for (const screen of ["contest", "places", "replay", "quality"]) {
    const link = page.getByTestId(`screen-${screen}`);
    await link.focus();
    await expect(link).toHaveCSS("outline-style", "solid");
    // What is cut off isn't seen.
    await expect(page.getByRole("navigation", { name: "Screens" })).toHaveCSS("overflow", "visible");
    await page.keyboard.press("Enter");
    await expect(link).toHaveAttribute("aria-current", "page");
    await expect(page.locator("main")).toBeFocused();
  }
});
