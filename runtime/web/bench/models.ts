/** Times the model files against each other, called by bench/run.ts in Chromium. */

import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { env } from "onnxruntime-web/wasm";
import { Classifier, type Stroke } from "../src/classifier";

declare global {
  interface Window {
    measure: (urls: Record<string, string>, drawings: Stroke[][], rounds: number) => Promise<Record<string, Measured>>;
  }
}

export type Measured = { maxScaled: number; openMs: number; milliseconds: number[] };

const fetchBytes = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** The models take turns at every drawing, so that a busy moment of the machine hits all of them. */
window.measure = async (urls, drawings, rounds) => {
  env.wasm.wasmBinary = (await fetchBytes(wasmUrl)).buffer;
  const classifiers: Record<string, Classifier> = {};
  const measured: Record<string, Measured> = {};
  for (const [name, url] of Object.entries(urls)) {
    const content = await fetchBytes(url);
    const start = performance.now();
    const classifier = await Classifier.load(content);
    const openMs = performance.now() - start;
    const found = await classifier.selfCheck();
    if (!found.passed) throw new Error(`${name}: ${found.problem}`);
    classifiers[name] = classifier;
    measured[name] = { maxScaled: found.maxScaled, openMs, milliseconds: [] };
  }
  for (let round = 0; round < rounds; round++) {
    for (const drawing of drawings) {
      for (const [name, classifier] of Object.entries(classifiers)) {
        const start = performance.now();
        await classifier.predict(drawing);
        measured[name]!.milliseconds.push(performance.now() - start);
      }
    }
  }
  return measured;
};
