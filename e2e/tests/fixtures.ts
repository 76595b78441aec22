// What every test gets: a dashboard whose console is watched, and servers that don't outlive the test.

import { test as base } from "@playwright/test";

import { Dashboard } from "./dashboard.ts";
import { Proxy } from "./proxy.ts";
import { Server } from "./server.ts";

interface Fixtures {
  dashboard: Dashboard;
  serve: (...flags: string[]) => Promise<Server>;
  /** Puts a server below a path, as a proxy does, which passes on everything or only some addresses; gives the new one. */
  below: (url: string, path: string, passed?: RegExp) => Promise<string>;
}

export const test = base.extend<Fixtures>({
  dashboard: async ({ page }, use) => {
    const dashboard = new Dashboard(page);
    await use(dashboard);
    dashboard.expectNoErrors();
  },
  serve: async ({ page }, use) => {
    const servers: Server[] = [];
    await use(async (...flags) => {
      const server = await Server.start(...flags);
      servers.push(server);
      return server;
    });
    // The page first: what a server that is killed leaves unanswered is no error of the page.
    await page.close();
    for (const server of servers) await server.remove();
  },
  below: async ({}, use) => {
    const proxies: Proxy[] = [];
    await use(async (url, path, passed = /^/) => {
      const proxy = await Proxy.start(url, path, passed);
      proxies.push(proxy);
      return proxy.url;
    });
    for (const proxy of proxies) proxy.stop();
  },
});

export { expect } from "@playwright/test";
