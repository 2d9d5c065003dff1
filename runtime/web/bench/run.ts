/**
 * `make web-bench`: which model file is fastest under WebAssembly, and what the page costs.
 *
 * Arguments: NAME=FILE of the model files to compare, the first being the one the others are measured by.
 */

import { readFileSync } from "node:fs";
import { type Browser } from "playwright-core";
import { createServer } from "vite";
import { checked, draw, launch, open, ROOT, sample, serve } from "../tests/browser";
import type { Measured } from "./models";

const ROUNDS = 40;
const FIRST_ROUNDS = 3; // the browser still compiles
const LOADS = 7;

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const browser = await launch();
console.log(`Chromium ${browser.version()}, one thread`);
await compareModels(browser, process.argv.slice(2).map((argument) => argument.split("=") as [string, string]));
await loadPage(browser);
await browser.close();

async function compareModels(browser: Browser, files: [string, string][]): Promise<void> {
  const server = await createServer({ root: ROOT, logLevel: "error", server: { port: 0, fs: { strict: false } } });
  await server.listen();
  const { page, go, context } = await open(browser, `${server.resolvedUrls!.local[0]}bench/models.html`);
  await go();
  await page.waitForFunction("window.measure");
  const golden = JSON.parse(readFileSync(`${ROOT}/../../tests/golden/golden.json`, "utf8"));
  const sketches: number[][] = golden.cases.slice(0, 8).map(({ rows }: { rows: number[][] }) => {
    const flat = rows.flat();
    return [...flat, ...Array(3 * golden.sequence_length - flat.length).fill(0)];
  });
  const urls = Object.fromEntries(files.map(([name, file]) => [name, `/@fs${file}`]));
  const measured = await page.evaluate(([u, s, n]) => window.measure(u, s, n), [urls, sketches, ROUNDS] as const);
  const medians = Object.values(measured).map((model) => median(steady(model, sketches.length)));
  console.log(`\none sketch of ${sketches.length} drawings, ${ROUNDS - FIRST_ROUNDS} rounds, models in turn, parity checked first`);
  console.log("model   size      opens     median    x first  off eager / scale");
  Object.entries(measured).forEach(([name, { openMs, maxScaled }], i) => {
    const size = `${(readFileSync(files[i]![1]).length / 1e6).toFixed(1)} MB`;
    const ratio = (medians[i]! / medians[0]!).toFixed(2);
    const cells = [name.padEnd(6), size.padEnd(8), `${openMs.toFixed(0)} ms`.padEnd(8), `${medians[i]!.toFixed(1)} ms`.padEnd(8)];
    console.log([...cells, ratio.padEnd(7), maxScaled.toExponential(1)].join("  "));
  });
  await context.close();
  await server.close();
}

function steady({ milliseconds }: Measured, sketches: number): number[] {
  return milliseconds.slice(FIRST_ROUNDS * sketches);
}

/** From an empty profile, over the loopback: what a network adds is its own. */
async function loadPage(browser: Browser): Promise<void> {
  const server = await serve();
  const [first, running] = [[] as number[], [] as number[]];
  let bytes = 0;
  for (let load = 0; load < LOADS; load++) {
    const { context, page, go } = await open(browser, server.url);
    let seen = 0;
    page.on("requestfinished", async (request) => {
      const { responseBodySize, responseHeadersSize } = await request.sizes();
      seen += responseBodySize + responseHeadersSize;
    });
    // Drawn while the page still loads: the answer comes as soon as there can be one.
    await page.addInitScript(() => {
      new MutationObserver(() => {
        if (document.querySelector("#bars .percent:not(:empty)")) Object.assign(window, { firstAnswer: window.firstAnswer ?? performance.now() });
      }).observe(document, { subtree: true, childList: true, characterData: true });
    });
    await go();
    await draw(page, [[[0, 255, 255, 0, 0], [0, 0, 255, 255, 0]]]);
    first.push(await page.waitForFunction(() => window.firstAnswer).then((handle) => handle.jsonValue() as Promise<number>));
    await checked(page);
    await draw(page, sample("cat"));
    running.push(parseFloat((await page.locator("#latency").textContent())!));
    bytes = seen;
    await context.close();
  }
  await server.close();
  console.log(`\nfirst load: ${(bytes / 1e6).toFixed(1)} MB in all`);
  console.log(`time to first prediction: ${(median(first) / 1e3).toFixed(1)} s (median of ${LOADS}, empty profile, loopback)`);
  console.log(`a prediction in the page, simplifying included: ${median(running).toFixed(1)} ms`);
}

declare global {
  interface Window {
    firstAnswer?: number;
  }
}
