/** The built page in a real browser, with real pointer events. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readMetadata } from "../src/model_file";
import { checked, draw, expectText, launch, open, ROOT, SCREENSHOTS, sample, serve } from "./browser";

let browser: Browser;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), serve()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

const top = (page: Page) => page.locator("#top");
const spoken = (page: Page) => page.locator("#spoken");
const labels = (page: Page) => page.locator("#bars .label").allTextContents();
describe("the page", () => {
  let page: Page;
  let errors: string[];
  let hosts: Set<string>;

  beforeAll(async () => {
    const opened = await open(browser, server.url);
    ({ page, errors, hosts } = opened);
    await opened.go();
    await checked(page);
  });
  beforeEach(async () => page.locator("body").press("Escape"));
  afterAll(() => {
    expect(errors).toEqual([]);
    expect([...hosts]).toEqual([new URL(server.url).host]);
  });

  test("checks itself against eager PyTorch, on the exported file", async () => {
    expect(await page.locator("#verdict").textContent()).toBe("Passed: answers as PyTorch does");
    const facts = await page.locator("#facts").textContent();
    expect(facts).toMatch(/allowed 1e-5/);
    expect(facts).toMatch(/100% of 13 probes/);
    const file = readFileSync(`${ROOT}../../dist/points.onnx`);
    expect(facts).toContain(`${file.subarray(-64).toString().slice(0, 12)}… ok`);
    const url = await page.evaluate(() => fetch("./sw.js").then((file) => file.text()));
    const served = await page.request.get(server.url + /assets\/points-[\w-]+\.onnx/.exec(url)![0]);
    const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
    expect(sha256(await served.body())).toBe(sha256(file));
    await page.locator("#again").click();
    await checked(page);
    expect(await page.locator("#verdict").getAttribute("class")).toBe("passed");
  });

  test.each([
    ["cat", 80],
    ["television", 80], // a box with a roof of two lines: the nearest to a house that the network knows
    ["ice cream", 50],
  ])("knows a %s drawn with the mouse", async (word, share) => {
    await draw(page, sample(word));
    await expectText(spoken(page), new RegExp(`^${word}, `));
    expect(await top(page).textContent()).toBe(word);
    const five = await labels(page);
    expect(new Set(five).size).toBe(5);
    expect(five[0]).toBe(word);
    const shares = (await page.locator("#bars .percent").allTextContents()).map(parseFloat);
    expect(shares[0]).toBeGreaterThan(share);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(await page.locator("#latency").textContent()).toMatch(/^[\d.]+ ms: /);
    expect(await page.locator("#seen .line").getAttribute("d")).toMatch(/^M\d+ \d+L/);
  });

  test("gives no label to what is probably none of the classes", async () => {
    await draw(page, [
      [
        [0, 255],
        [128, 128],
      ],
    ]);
    await expectText(spoken(page), /, \d+|None of these/);
    const share = parseFloat((await page.locator("#bars .percent").first().textContent())!);
    const { rejectBelow } = await readMetadata(readFileSync(`${ROOT}../../dist/points.onnx`));
    expect((await top(page).textContent()) === "None of these").toBe(share < 100 * rejectBelow!);
  });

  test("answers while the pen is down", async () => {
    await page.locator("#pad").hover();
    await page.mouse.down();
    for (const [x, y] of [
      [300, 300],
      [500, 350],
      [400, 500],
    ] as const)
      await page.mouse.move(x, y, { steps: 5 });
    await expect.poll(() => labels(page)).not.toContain("");
    await page.mouse.up();
  });

  test("says that nothing is drawn, or a dot alone", async () => {
    await expectText(top(page), "Nothing drawn yet");
    expect(await page.locator("#bars .empty").count()).toBe(5);
    await page.locator("#pad").click();
    await expectText(top(page), "A dot: go on");
    await page.locator("#pad").click({ position: { x: 50, y: 90 } });
    await expect.poll(() => page.locator("#bars .empty").count()).toBe(0); // two dots are a drawing
  });

  test("undoes lines and clearing", async () => {
    await page.reload(); // with nothing to undo yet
    await checked(page);
    const [undo, clear] = [page.locator("#undo"), page.locator("#clear")];
    expect([await undo.isDisabled(), await clear.isDisabled()]).toEqual([true, true]);
    await draw(page, sample("cat").slice(0, 2));
    const lines = async () => (await page.locator("#seen .line").getAttribute("d"))?.split("M").length ?? 0;
    await expect.poll(lines).toBe(3);
    await undo.click();
    await expect.poll(lines).toBe(2);
    await clear.click();
    await expectText(top(page), "Nothing drawn yet");
    expect(await clear.isDisabled()).toBe(true);
    await page.keyboard.press("Control+z");
    await expect.poll(lines).toBe(2);
    await undo.click();
    await expectText(top(page), "Nothing drawn yet");
    expect(await undo.isDisabled()).toBe(true);
  });

  test("prompts for what it knows, and sees it", async () => {
    const prompted = () => page.locator("#prompt").textContent();
    const before = await prompted();
    await page.locator("#another").click();
    expect(await prompted()).not.toBe(before);
    await promptFor(page, "cat");
    await draw(page, sample("cat"));
    await page.locator("#hit").waitFor();
  });

  test("draws with the keyboard", async () => {
    await page.locator("#pad").focus();
    const press = async (key: string, times: number) => {
      for (let i = 0; i < times; i++) await page.keyboard.press(key);
    };
    await press("Space", 1);
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) await press(key, 5);
    await press("Space", 1);
    await expect.poll(() => page.locator("#seen .line").getAttribute("d")).toBe("M0 0L255 0L255 255L0 255L0 0");
    await expectText(spoken(page), /, \d+|None of these/);
  });

  test("reads coalesced points", async () => {
    await page.mouse.move(300, 300);
    await page.mouse.down();
    await page.evaluate(() => {
      const pad = document.getElementById("pad")!;
      const at = ([clientX, clientY]: number[]) => new PointerEvent("pointermove", { pointerId: 1, clientX, clientY });
      const coalescedEvents = [
        [400, 300],
        [400, 400],
        [300, 400],
      ].map(at);
      pad.dispatchEvent(new PointerEvent("pointermove", { pointerId: 1, clientX: 300, clientY: 400, coalescedEvents }));
    });
    await page.mouse.up();
    await expect.poll(() => page.locator("#seen .line").getAttribute("d")).toBe("M0 0L255 0L255 255L0 255");
  });

  test.each(["touch", "pen"])("draws by %s", async (kind) => {
    const client = await page.context().newCDPSession(page);
    const corners = [
      [250, 300],
      [450, 300],
      [450, 500],
      [250, 500],
    ] as [number, number][];
    for (const [i, point] of corners.entries()) {
      await (kind === "touch"
        ? touch(client, i ? "touchMove" : "touchStart", [point])
        : pen(client, i ? "mouseMoved" : "mousePressed", point));
      // A second finger, which does not draw.
      if (kind === "touch" && i === 1) await touch(client, "touchStart", [point, [600, 600]]);
    }
    await (kind === "touch" ? touch(client, "touchEnd", []) : pen(client, "mouseReleased", corners[3]!));
    await expect.poll(() => page.locator("#seen .line").getAttribute("d")).toBe("M0 0L255 0L255 255L0 255");
  });
});

/** Ask for another thing until it is this one. */
async function promptFor(page: Page, word: string): Promise<void> {
  await page.evaluate((word) => {
    for (let tries = 0; document.getElementById("prompt")!.textContent !== word && tries < 2000; tries++) {
      document.getElementById("another")!.click();
    }
  }, word);
}

const touch = (client: CDPSession, type: "touchStart" | "touchMove" | "touchEnd", points: [number, number][]) =>
  client.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
const pen = (client: CDPSession, type: "mousePressed" | "mouseMoved" | "mouseReleased", [x, y]: [number, number]) =>
  client.send("Input.dispatchMouseEvent", {
    type,
    x,
    y,
    pointerType: "pen",
    button: "left",
    buttons: type === "mouseReleased" ? 0 : 1,
    clickCount: 1,
  });

test("the server of make web-serve says what the files are, and how long they keep", async () => {
  const sw = await (await fetch(`${server.url}sw.js`)).text();
  const headers = async (file: string) => {
    const answer = await fetch(server.url + file);
    await answer.body?.cancel();
    return [answer.headers.get("Content-Type"), answer.headers.get("Cache-Control")];
  };
  const forever = "public, max-age=31536000, immutable";
  const model = /assets\/points-[\w-]+\.onnx/.exec(sw)![0];
  expect(await headers(model)).toEqual(["application/octet-stream", forever]);
  expect(await headers(/assets\/index-[\w-]+\.js/.exec(sw)![0])).toEqual(["text/javascript", forever]);
  expect(await headers("")).toEqual(["text/html", "no-cache"]);
  expect(await headers("sw.js")).toEqual(["text/javascript", "no-cache"]);
});

test.each([
  ["desktop", {}], // docs/images/web.png is a copy of its screenshot
  ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }],
  ["dark", { colorScheme: "dark" as const }],
])("looks right: %s", async (name, options) => {
  const { context, page, errors, go } = await open(browser, server.url, options);
  await go();
  await checked(page);
  await promptFor(page, "cat");
  await draw(page, sample("cat"));
  await expectText(spoken(page), /^cat/);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400); // the bars come to rest
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  if (name === "phone") {
    const last = (await page.locator("#bars li").last().boundingBox())!;
    expect(last.y + last.height).toBeLessThan(844); // drawing and all bars at once, without scrolling
  }
  if (name === "dark") {
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe(
      "rgb(20, 24, 23)",
    );
  }
  expect(errors).toEqual([]);
  await context.close();
});

test("shows how far loading is, and then answers what was drawn meanwhile", async () => {
  const { context, page, errors, go } = await open(browser, server.url);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(/\.onnx$/, async (route) => {
    await held;
    await route.continue();
  });
  await go();
  const loaded = page.locator("#loaded");
  await expectText(loaded, /^Loading the network: 14\.2 MB of [\d.]+ MB$/); // WebAssembly, but no byte of the model
  const total = Number((await loaded.textContent())?.match(/of ([\d.]+) MB/)?.[1]);
  expect(total).toBeGreaterThan(15);
  expect(Number(await page.locator("#progress").getAttribute("value"))).toBeCloseTo(14.2 / total, 2);
  await draw(page, sample("cat"));
  release();
  await expectText(spoken(page), /^cat/);
  expect(await page.locator("#loading").isHidden()).toBe(true);
  expect(errors).toEqual([]);
  await context.close();
});
