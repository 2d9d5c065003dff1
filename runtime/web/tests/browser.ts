/** Debian's Chromium and the built page, for the browser tests and the benchmark. */

import { readFileSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { preview } from "vite";
import { expect } from "vitest";

/** As a file of drawings has it: lines of all x, then all y. */
export type Drawing = [x: number[], y: number[]][];

export const ROOT = new URL("..", import.meta.url).pathname;
export const SCREENSHOTS = `${ROOT}screenshots`;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      // A container's root has no sandbox; the others keep Chromium from calling home.
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--host-resolver-rules=MAP insecure.test 127.0.0.1", // neither https nor localhost
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Serve dist/ on a free port. */
export async function serve(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = await preview({
    root: ROOT,
    logLevel: "error",
    preview: { port: 0, host: "localhost", allowedHosts: true },
  });
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() };
}

/** Open the page in a profile of its own, with all that goes wrong in it. */
export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  return { context, page, errors, hosts, go: () => page.goto(url) };
}

/** Until the self-check has spoken. */
export async function checked(page: Page): Promise<void> {
  await page.locator("#verdict.passed, #verdict.failed").waitFor();
}

/** Until an element says so. */
export const expectText = (locator: Locator, text: string | RegExp) =>
  expect.poll(() => locator.textContent(), { timeout: 15_000 }).toMatch(text);

/** Draw lines of 0..255 with the mouse, in the middle of the paper. */
export async function draw(page: Page, drawing: Drawing): Promise<void> {
  const box = (await page.locator("#pad").boundingBox())!;
  const at = (value: number, from: number, side: number) => from + side * (0.12 + (0.76 * value) / 255);
  for (const [x, y] of drawing) {
    await page.mouse.move(at(x[0]!, box.x, box.width), at(y[0]!, box.y, box.height));
    await page.mouse.down();
    for (let i = 1; i < x.length; i++) {
      await page.mouse.move(at(x[i]!, box.x, box.width), at(y[i]!, box.y, box.height), { steps: 3 });
    }
    await page.mouse.up();
  }
}

/** A line as the library takes it. */
export function toPoints([x, y]: [number[], number[]]): [number, number][] {
  return x.map((value, i) => [value, y[i]!]);
}

/** The drawings made in code that the repository has. */
export function sample(word: string): Drawing {
  const lines = readFileSync(new URL("../../samples/drawings.ndjson", import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line)).find((drawing) => drawing.word === word).drawing;
}
