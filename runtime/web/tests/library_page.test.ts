import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Classifier } from "../src/classifier";
import { expectText, launch, open, ROOT } from "./browser";
import { PlainServer } from "./plain_server";

test("the example page names a drawing from its points, without a bundler", async () => {
  execFileSync("npm", ["run", "--silent", "build:library"], { cwd: ROOT });
  const folder = mkdtempSync(join(tmpdir(), "sketch-infer-page-"));
  const runtime = `${ROOT}node_modules/onnxruntime-web/dist`;
  const model = `${ROOT}../../tests/tiny/tiny_points.onnx`;
  copyFileSync(`${ROOT}npm/example.html`, join(folder, "index.html"));
  copyFileSync(`${ROOT}npm/dist/classifier.js`, join(folder, "classifier.js"));
  copyFileSync(`${runtime}/ort.wasm.bundle.min.mjs`, join(folder, "onnxruntime-web.js"));
  copyFileSync(`${runtime}/ort-wasm-simd-threaded.wasm`, join(folder, "ort-wasm-simd-threaded.wasm"));
  copyFileSync(model, join(folder, "points.onnx"));
  const house = [
    [
      [0, 50],
      [0, 120],
      [100, 120],
      [100, 50],
      [0, 50],
    ],
    [
      [0, 50],
      [50, 0],
      [100, 50],
    ],
  ] as const;
  const classifier = await Classifier.load(new Uint8Array(readFileSync(model)));
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
}, 120_000);
