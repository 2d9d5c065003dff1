/** Pages of ten lines that use the npm package, in a real browser: without a bundler, and bundled. */

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { beforeAll, expect, test } from "vitest";
import { Classifier } from "../src/classifier";
import { expectText, launch, open, ROOT } from "./browser";
import { house } from "./house";
import { installPacked } from "./packed";
import { PlainServer } from "./plain_server";

const RUNTIME = `${ROOT}node_modules/onnxruntime-web/dist`;
const MODEL = `${ROOT}../../tests/tiny/tiny_points.onnx`;
const EXAMPLE = `${ROOT}npm/example.html`;
let project: string;

beforeAll(() => {
  project = installPacked().folder;
}, 120_000);

/** Serve a folder, open it, and wait until its output names the house. */
async function namesTheHouse(folder: string): Promise<void> {
  const classifier = await Classifier.load(new Uint8Array(readFileSync(MODEL)));
  const { label } = await classifier.predict(house);
  const server = new PlainServer({ "/": folder });
  const browser = await launch();
  try {
    const { page, errors, hosts, go } = await open(browser, await server.start());
    await go();
    await expectText(page.locator("output"), label);
    expect(errors).toEqual([]);
    expect(hosts.size).toBe(1);
  } finally {
    await browser.close();
    server.close();
  }
}

test("the example page names a drawing from its points, without a bundler", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sketch-infer-page-"));
  copyFileSync(EXAMPLE, join(folder, "index.html"));
  copyFileSync(join(project, "node_modules/sketch-infer/dist/classifier.js"), join(folder, "classifier.js"));
  copyFileSync(`${RUNTIME}/ort.wasm.bundle.min.mjs`, join(folder, "onnxruntime-web.js"));
  copyFileSync(`${RUNTIME}/ort-wasm-simd-threaded.wasm`, join(folder, "ort-wasm-simd-threaded.wasm"));
  copyFileSync(MODEL, join(folder, "points.onnx"));
  await namesTheHouse(folder);
}, 120_000);

test("the same page, bundled by Vite in an empty project", async () => {
  const html = readFileSync(EXAMPLE, "utf8");
  writeFileSync(join(project, "index.html"), html.replace(/<script type="importmap">.*\n/, ""));
  mkdirSync(join(project, "public"));
  copyFileSync(MODEL, join(project, "public", "points.onnx"));
  await build({ root: project, configFile: false, logLevel: "error", build: { target: "es2022" } });
  await namesTheHouse(join(project, "dist"));
}, 120_000);
