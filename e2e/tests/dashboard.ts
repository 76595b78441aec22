// The dashboard as a reader sees it: one object that knows the test ids, so that the tests can speak of figures.

import { readFile } from "node:fs/promises";

import { expect, type Locator, type Page } from "@playwright/test";

export class Dashboard {
  private readonly errors: string[] = [];
  /** Requests that a test lets fail on purpose. */
  readonly failing: RegExp[] = [];

  constructor(readonly page: Page) {
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      // A refused connection or a missing picture is what some tests are about; everything else isn't.
      const expected = /WebSocket|ERR_CONNECTION_REFUSED/.test(message.text()) || /\/missing\./.test(message.location().url);
      const onPurpose = this.failing.some((address) => address.test(message.location().url));
      if (message.type() === "error" && !expected && !onPurpose) {
        this.errors.push(message.text());
      }
    });
  }

  get headline(): Locator {
    return this.page.getByTestId("headline");
  }

  get connection(): Locator {
    return this.page.getByTestId("connection");
  }

  get notCurrent(): Locator {
    return this.page.getByTestId("not-current");
  }

  get placeRows(): Locator {
    return this.page.getByTestId("place-row");
  }

  get placeNames(): Locator {
    return this.placeRows.locator("th");
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await expect(this.headline).toBeVisible();
  }

  /** Opens a screen by its address, and waits until it has figures. */
  async goTo(url: string, screen: string): Promise<void> {
    await this.page.goto(`${url}/${screen}`);
    await this.expectState("live");
    await expect(this.headline).toBeVisible();
    await expect(this.page.getByTestId("blank")).toHaveCount(0);
  }

  /** The file that a button of a panel saves. */
  async download(button: string): Promise<{ name: string; content: Buffer }> {
    const [file] = await Promise.all([this.page.waitForEvent("download"), this.page.getByTestId(button).click()]);
    return { name: file.suggestedFilename(), content: await readFile(await file.path()) };
  }

  async expectState(state: string): Promise<void> {
    await expect(this.connection).toHaveAttribute("data-state", state, { timeout: 30_000 });
  }

  /** Waits until votes are counted and the figures are the newest. */
  async expectCounting(): Promise<void> {
    await this.expectState("live");
    await expect(this.page.getByTestId("total-votes")).toHaveText(/[1-9]/);
  }

  async votes(): Promise<number> {
    return numberOf(await this.page.getByTestId("total-votes").textContent());
  }

  /** The figures that are on the page at one moment, with their version. */
  async figures(): Promise<{ version: number; votes: number; candidates: number[] }> {
    return this.page.evaluate(() => {
      const text = (element: Element | null) => element?.textContent ?? "";
      const digits = (text: string) => Number(text.replace(/\D/g, ""));
      const find = (id: string) => document.querySelector(`[data-testid="${id}"]`);
      const version = /Version ([\d,]+)/.exec(text(find("footer-version")))?.[1] ?? "";
      const candidates = document.querySelectorAll('[data-testid="candidate-votes"]');
      return {
        version: digits(version),
        votes: digits(text(find("total-votes"))),
        candidates: [...candidates].map((cell) => digits(text(cell))),
      };
    });
  }

  /** The data of every series of a chart, as ECharts has it. */
  async chartData(id: string): Promise<string> {
    // What nobody sees isn't drawn.
    await this.page.locator(`#${id}`).scrollIntoViewIfNeeded();
    await expect(this.page.locator(`#${id} canvas`).first()).toBeVisible();
    return this.page.evaluate((id) => {
      const { echarts } = window as unknown as {
        echarts: { getInstanceByDom(node: Element): { getOption(): { series: { data: unknown }[] } } };
      };
      const node = document.getElementById(id);
      if (!node) throw new Error(`no chart ${id}`);
      return JSON.stringify(echarts.getInstanceByDom(node).getOption().series.map((series) => series.data));
    }, id);
  }

  /** What is painted on a chart's canvas. */
  async chartPixels(id: string): Promise<string> {
    await this.page.locator(`#${id}`).scrollIntoViewIfNeeded();
    return this.page.locator(`#${id} canvas`).first().evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  }

  async expectNoSidewaysScroll(): Promise<void> {
    const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: `screenshots/${name}.png`, fullPage: true });
  }

  expectNoErrors(): void {
    expect(this.errors).toEqual([]);
  }
}

/** The number that a figure shows. */
export function numberOf(text: string | null): number {
  const digits = (text ?? "").replace(/[^\d.]/g, "");
  if (digits === "") throw new Error(`no number in ${JSON.stringify(text)}`);
  return Number(digits);
}
