/** What may go wrong in a user's browser or on the way to it, and what the page says of it. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import type { Browser, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checked, draw, expectText, launch, open, ROOT, SCREENSHOTS, sample, serve } from "./browser";
import { PIECE, PlainServer } from "./plain_server";

const WAIT = { timeout: 15_000 };
const MODEL = /points-[^/]*\.onnx$/;
let browser: Browser;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), serve()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

test("no WebAssembly SIMD", async () => {
  const { context, page, go } = await open(browser, server.url);
  await page.addInitScript(() => {
    WebAssembly.validate = () => false;
  });
  await go();
  await expectText(page.locator("#failure"), "no WebAssembly SIMD");
  expect(await page.locator("#retry").isHidden()).toBe(true);
  await context.close();
});

test("a model file that is missing, damaged or cut short", async () => {
  const file = readFileSync(`${ROOT}../../dist/points.onnx`);
  const damaged = Buffer.from(file);
  damaged[500_000]! ^= 1;
  const cases: [Parameters<Route["fulfill"]>[0], RegExp][] = [
    [{ status: 404 }, /onnx could not be loaded: the server said 404/],
    [{ body: damaged }, /damaged: its sha256 differs/],
    [{ body: file.subarray(0, 1_000_000) }, /came with 1000000 of \d+ bytes/],
  ];
  for (const [response, message] of cases) {
    const { context, page, go } = await open(browser, server.url);
    await page.route(MODEL, (route) => route.fulfill(response));
    await go();
    await expectText(page.locator("#failure"), message);
    await context.close();
  }
});

test("a connection that breaks: the download goes on where it ended", async () => {
  const plain = new PlainServer({ "/": `${ROOT}dist` });
  const { context, page, go } = await open(browser, await plain.start());
  plain.cuts = 2;
  await go();
  const assets = readdirSync(`${ROOT}dist/assets`);
  const [wasm, model] = [/\.wasm$/, MODEL].map(
    (kind) => statSync(`${ROOT}dist/assets/${assets.find((name) => kind.test(name))}`).size,
  );
  for (const pieces of [1, 2]) {
    // A browser drops what it has not read when a connection breaks: only what the page has counted is sure to be kept.
    const progress = page.locator("#progress");
    const part = (wasm! + pieces * PIECE) / (wasm! + model!);
    await expect.poll(() => progress.evaluate((bar: HTMLProgressElement) => bar.value), WAIT).toBeCloseTo(part, 6);
    plain.cut();
  }
  await checked(page);
  const starts = plain.asked.filter(({ path }) => MODEL.test(path)).map(({ start }) => start);
  expect(starts.slice(0, 3)).toEqual([0, PIECE, 2 * PIECE]); // later, the service worker keeps a copy of its own
  plain.close();
  await context.close();
});

test("a connection that stays away: a button tries again, and the drawing is still there", async () => {
  const { context, page, go } = await open(browser, server.url, {
    colorScheme: "dark",
    viewport: { width: 400, height: 800 },
  });
  await page.route(MODEL, (route) => route.abort());
  await go();
  await draw(page, sample("cat"));
  await expectText(page.locator("#failure"), /onnx could not be loaded: the connection broke after 0 of \d+ bytes/);
  await page.screenshot({ path: `${SCREENSHOTS}/failure.png` });
  await page.unroute(MODEL);
  await page.locator("#retry").click();
  expect(await page.locator("#failure").isHidden()).toBe(true);
  await expectText(page.locator("#spoken"), /^cat/);
  await checked(page);
  expect(await page.locator("#retry").isHidden()).toBe(true);
  await context.close();
});

test("a worker that does not load", async () => {
  const { context, page, go } = await open(browser, server.url);
  await page.route(/worker-[^/]*\.js$/, (route) => route.abort());
  await go();
  await expectText(page.locator("#failure"), "The worker did not start");
  await context.close();
});

test("a server that is neither https nor localhost: it works, and says that the hash was not checked", async () => {
  const { context, page, errors, go } = await open(browser, server.url.replace("localhost", "insecure.test"));
  await go();
  await checked(page);
  expect(await page.locator("#verdict").getAttribute("class")).toBe("passed");
  expect(await page.locator("#facts").textContent()).toContain("not checked: needs https or localhost");
  expect(errors).toEqual([]);
  await context.close();
});

test("no network: the page opens again and works", async () => {
  const own = await serve();
  const { context, page, go } = await open(browser, own.url);
  await go();
  await checked(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  await own.close();
  await page.reload();
  await checked(page);
  await draw(page, sample("cat"));
  await expectText(page.locator("#spoken"), /^cat/);
  await context.close();
});
