/** Prepares and classifies in a thread of its own, so that the pen never waits for the network. */

import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import modelUrl from "../../sketch_infer/default.onnx?url";
import { download } from "./download";
import type { FromWorker, ToWorker } from "./messages";
import { isIntact, type ModelMetadata, readMetadata } from "./model_file";
import { checkProbes, type Run } from "./parity";
import { openSession } from "./session";
import { simplifyDrawing } from "./simplify";
import { type Drawing, drawingToSketch, INPUT_SIZE, toLength } from "./strokes";

const TOP = 5;

type Network = { metadata: ModelMetadata; run: Run };

const say = (message: FromWorker) => self.postMessage(message);
const network = load();
let queue: Promise<unknown> = network; // one at a time, in order

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  queue = queue.then(() => answer(data)).catch(fail);
};
queue.catch(fail);

async function load(): Promise<Network> {
  const loaded = { wasm: 0, model: 0 };
  const note = (part: "wasm" | "model") => (bytes: number) => {
    loaded[part] = bytes;
    say({ type: "progress", loaded: loaded.wasm + loaded.model, total: WASM_BYTES + MODEL_BYTES });
  };
  const [wasm, model] = await Promise.all([
    download(wasmUrl, WASM_BYTES, note("wasm")),
    download(modelUrl, MODEL_BYTES, note("model")),
  ]);
  const intact = await isIntact(model);
  if (intact === false) throw new Error("The model file was damaged on its way: its sha256 differs. Reload the page.");
  const metadata = await readMetadata(model);
  const run = await openSession(model, wasm);
  const { labels, precision, contentSha256 } = metadata;
  say({ type: "ready", labels, precision, contentSha256, bytes: model.length, hashChecked: intact === true });
  return { metadata, run };
}

async function answer(message: ToWorker): Promise<void> {
  const { metadata, run } = await network;
  if (message.type === "predict") say({ type: "prediction", id: message.id, ...(await predict(message.drawing)) });
  else say({ type: "parity", ...(await checkProbes(metadata.probes, metadata.tolerance, run)) });
}

async function predict(drawing: Drawing) {
  const { metadata, run } = await network;
  const start = performance.now();
  const simplified = simplifyDrawing(drawing);
  const sketch = drawingToSketch(simplified);
  const strokes = toLength(sketch, metadata.sequenceLength);
  const prepared = performance.now();
  const { log_probs } = await run(strokes, 1);
  const end = performance.now();
  const top = metadata.labels
    .map((label, i) => ({ label, probability: Math.exp(log_probs[i]!) }))
    .sort((one, other) => other.probability - one.probability)
    .slice(0, TOP);
  const points = sketch.length / INPUT_SIZE;
  const read = Math.min(points, metadata.sequenceLength);
  return { top, simplified, points, read, prepareMs: prepared - start, runMs: end - prepared };
}

function fail(error: unknown): void {
  say({ type: "failure", message: error instanceof Error ? error.message : String(error) });
}
