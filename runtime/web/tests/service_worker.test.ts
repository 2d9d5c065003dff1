/** Two builds of the page, one deployed over the other, and what the service worker keeps of them. */

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { checked, launch, open, ROOT } from "./browser";
import { PlainServer } from "./plain_server";

const TITLE = "Draw, and see what it is";
const NEW_TITLE = "Draw, in the second build";
const FIRST = `${ROOT}dist`;
const folder = mkdtempSync(join(tmpdir(), "page-"));
const SECOND = join(folder, "second");
let browser: Browser;
let server: PlainServer;
let url: string;
let context: BrowserContext;

beforeAll(async () => {
  const differently = {
    name: "differently",
    transformIndexHtml: (html: string) => html.replace(TITLE, NEW_TITLE),
    transform: (code: string) => code.replace("Nothing drawn yet", "Nothing drawn so far"),
  };
  const second = { outDir: SECOND, emptyOutDir: true };
  [browser] = await Promise.all([
    launch(),
    build({ root: ROOT, build: second, plugins: [differently], logLevel: "error" }),
  ]);
});
beforeEach(async () => {
  server = new PlainServer({ "/page/": FIRST, "/copy/": FIRST, "/": folder });
  url = await server.start();
  ({ context } = await open(browser, url));
});
afterEach(async () => {
  await context.close();
  server.close();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** Open a page in a new tab, and wait until its service worker has kept it. */
async function visit(path: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url + path);
  await checked(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  return page;
}

/** The state in which a new build's worker ends: "installed" (waiting), "redundant" (it could not keep its files) or "activated". */
const update = (page: Page) =>
  page.evaluate(async () => {
    const registration = (await navigator.serviceWorker.getRegistration())!;
    const found = new Promise<ServiceWorker>((resolve) => {
      registration.onupdatefound = () => resolve(registration.installing!);
    });
    await registration.update();
    const worker = await found;
    return new Promise<string>((resolve) => {
      const look = () => worker.state !== "installing" && resolve(worker.state);
      worker.onstatechange = look;
      look();
    });
  });

const cacheNames = (page: Page) => page.evaluate(async () => (await caches.keys()).sort());

/** Close the tabs of the page, so that a waiting worker takes over, and open it without the server. */
async function reopenOffline(page: Page): Promise<Page> {
  const blank = await context.newPage();
  await blank.goto(`${url}second/favicon.svg`); // of the same origin, and none of the worker's business
  await page.close();
  // Chromium now and then never answers a visit that comes while the waiting worker takes over.
  const states = () =>
    blank.evaluate(async () =>
      (await navigator.serviceWorker.getRegistrations()).map(({ waiting, active }) => [waiting, active?.state]),
    );
  await expect.poll(states, { timeout: 15_000 }).toEqual([[null, "activated"]]);
  server.close();
  await blank.goto(`${url}page/`);
  await checked(blank);
  return blank;
}

test("a new build takes the place of the old one, though the browser has the old page in its HTTP cache", async () => {
  const page = await visit("page/");
  expect(await page.title()).toBe(TITLE);
  server.folders["/page/"] = SECOND;
  expect(await update(page)).toBe("installed");
  const later = await reopenOffline(page);
  expect(await later.title()).toBe(NEW_TITLE);
  expect(await later.locator("#top").textContent()).toBe("Nothing drawn so far");
});

test("a new build drops its own old files, and leaves those of other pages of the origin alone", async () => {
  const [page, copy] = [await visit("page/"), await visit("copy/")];
  await page.evaluate(() => caches.open("another app's"));
  const before = await cacheNames(page);
  expect(before).toHaveLength(3);
  server.folders["/page/"] = SECOND;
  expect(await update(page)).toBe("installed");
  await page.close();
  const later = await visit("page/");
  await expect.poll(() => cacheNames(later)).toHaveLength(3);
  const after = await cacheNames(later);
  expect(after.filter((name) => !before.includes(name))).toEqual([expect.stringContaining("/page/")]);
  expect(before.filter((name) => !after.includes(name))).toEqual([expect.stringContaining("/page/")]);
  await copy.close();
});

test("a page that is older than the build, in the middle of a deployment, is not kept with it", async () => {
  const page = await visit("page/");
  const mixed = join(folder, "mixed");
  cpSync(SECOND, mixed, { recursive: true });
  cpSync(join(FIRST, "index.html"), join(mixed, "index.html"));
  server.folders["/page/"] = mixed;
  expect(await update(page)).toBe("redundant");
  server.folders["/page/"] = SECOND;
  expect(await update(page)).toBe("installed");
  expect(await (await reopenOffline(page)).title()).toBe(NEW_TITLE);
});

test("another page below this one is none of the worker's business", async () => {
  const page = await visit("page/");
  server.close();
  await expect(page.goto(`${url}page/other/`)).rejects.toThrow(/ERR_CONNECTION_REFUSED/);
});
