/**
 * `make web-bench`: which model file is fastest under WebAssembly, and what the page costs.
 *
 * Arguments: NAME=FILE of the model files to compare, the first being the one the others are measured by.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { createServer } from "vite";
import { checked, type Drawing, draw, launch, open, ROOT, sample, serve, toPoints } from "../tests/browser";
import type { Measured } from "./models";

const ROUNDS = 40;
const FIRST_ROUNDS = 3; // the browser still compiles
const LOADS = 7;

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const browser = await launch();
console.log(`Chromium ${browser.version()}, one thread`);
await compareModels(
  browser,
  process.argv.slice(2).map((argument) => argument.split("=") as [string, string]),
);
weighPage();
await loadPage(browser);
await browser.close();

async function compareModels(browser: Browser, files: [string, string][]): Promise<void> {
  const server = await createServer({ root: ROOT, logLevel: "error", server: { port: 0, fs: { strict: false } } });
  await server.listen();
  const { page, go, context } = await open(browser, `${server.resolvedUrls!.local[0]}bench/models.html`);
  await go();
  await page.waitForFunction("window.measure");
  const golden = JSON.parse(readFileSync(`${ROOT}/../../tests/golden/golden.json`, "utf8"));
  const drawings = golden.cases.slice(0, 8).map(({ raw }: { raw: Drawing }) => raw.map(toPoints));
  const urls = Object.fromEntries(files.map(([name, file]) => [name, `/@fs${file}`]));
  const measured = await page.evaluate(([u, d, n]) => window.measure(u, d, n), [urls, drawings, ROUNDS] as const);
  const medians = Object.values(measured).map((model) => median(steady(model, drawings.length)));
  console.log(
    `\none drawing of ${drawings.length}, from pen points to labels, ${ROUNDS - FIRST_ROUNDS} rounds, models in turn, parity checked first`,
  );
  console.log("model   size      opens     median    x first  off eager / scale");
  Object.entries(measured).forEach(([name, { openMs, maxScaled }], i) => {
    const size = `${(readFileSync(files[i]![1]).length / 1e6).toFixed(1)} MB`;
    const ratio = (medians[i]! / medians[0]!).toFixed(2);
    const cells = [
      name.padEnd(6),
      size.padEnd(8),
      `${openMs.toFixed(0)} ms`.padEnd(8),
      `${medians[i]!.toFixed(1)} ms`.padEnd(8),
    ];
    console.log([...cells, ratio.padEnd(7), maxScaled.toExponential(1)].join("  "));
  });
  await context.close();
  await server.close();
}

function steady({ milliseconds }: Measured, drawings: number): number[] {
  return milliseconds.slice(FIRST_ROUNDS * drawings);
}

/** From an empty profile, over the loopback: what a network adds is its own. */
async function loadPage(browser: Browser): Promise<void> {
  const server = await serve();
  const [first, running] = [[] as number[], [] as number[]];
  for (let load = 0; load < LOADS; load++) {
    const { context, page, go } = await open(browser, server.url);
    await page.addInitScript(noteAnswers);
    await go();
    // Drawn while the page still loads, so that the answer comes as soon as there can be one.
    await draw(page, [
      [
        [0, 255, 255, 0, 0],
        [0, 0, 255, 255, 0],
      ],
    ]);
    await page.waitForFunction(() => window.answers.length > 0);
    first.push(await page.evaluate(() => window.answers[0]!.at));
    await checked(page);
    await draw(page, sample("cat"));
    await page.waitForTimeout(200);
    running.push(...(await page.evaluate(() => window.answers.slice(1).map(({ took }) => took))));
    await context.close();
  }
  await server.close();
  console.log(
    `\ntime to first prediction: ${(median(first) / 1e3).toFixed(1)} s (median of ${LOADS}, empty profile, loopback)`,
  );
  console.log(`a prediction while a cat is drawn: ${median(running).toFixed(1)} ms`);
}

/** In the page: when an answer came, and how long it took by the page's own word. */
function noteAnswers(): void {
  window.answers = [];
  const note = () => {
    const took = parseFloat(document.getElementById("latency")?.textContent ?? "");
    if (took) window.answers.push({ at: performance.now(), took });
  };
  addEventListener("DOMContentLoaded", () => {
    new MutationObserver(note).observe(document.getElementById("latency")!, { childList: true });
  });
}

/** What a browser that opens the page for the first time has to load. */
function weighPage(): void {
  let [bytes, packed] = [0, 0];
  for (const name of readdirSync(`${ROOT}/dist`, { recursive: true }) as string[]) {
    if (name.startsWith("bench") || !statSync(`${ROOT}/dist/${name}`).isFile()) continue;
    const content = readFileSync(`${ROOT}/dist/${name}`);
    bytes += content.length;
    packed += gzipSync(content).length;
  }
  console.log(
    `\nfirst load: ${(bytes / 1e6).toFixed(1)} MB, ${(packed / 1e6).toFixed(1)} MB where the server compresses with gzip`,
  );
}

declare global {
  interface Window {
    answers: { at: number; took: number }[];
  }
}
