/** Times the model files against each other, called by bench/run.ts in Chromium. */

import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { readMetadata } from "../src/model_file";
import { checkProbes, type Run } from "../src/parity";
import { openSession } from "../src/session";

declare global {
  interface Window {
    measure: (urls: Record<string, string>, sketches: number[][], rounds: number) => Promise<Record<string, Measured>>;
  }
}

export type Measured = { maxScaled: number; openMs: number; milliseconds: number[] };

const fetchBytes = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** The models take turns at every sketch, so that a busy moment of the machine hits all of them. */
window.measure = async (urls, sketches, rounds) => {
  const wasm = await fetchBytes(wasmUrl);
  const runs: Record<string, Run> = {};
  const measured: Record<string, Measured> = {};
  for (const [name, url] of Object.entries(urls)) {
    const content = await fetchBytes(url);
    const { probes, tolerance } = await readMetadata(content);
    const start = performance.now();
    const run = await openSession(content, wasm);
    const openMs = performance.now() - start;
    const parity = await checkProbes(probes, tolerance, run);
    if (!parity.passed) throw new Error(`${name}: ${parity.problem}`);
    runs[name] = run;
    measured[name] = { maxScaled: parity.maxScaled, openMs, milliseconds: [] };
  }
  for (let round = 0; round < rounds; round++) {
    for (const sketch of sketches) {
      const strokes = Float32Array.from(sketch);
      for (const [name, run] of Object.entries(runs)) {
        const start = performance.now();
        await run(strokes, 1);
        measured[name]!.milliseconds.push(performance.now() - start);
      }
    }
  }
  return measured;
};
