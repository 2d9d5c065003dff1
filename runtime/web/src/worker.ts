/** Classifies in a thread of its own, so that the pen never waits for the network. */

import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { env } from "onnxruntime-web/wasm";
import modelUrl from "../../../dist/points.onnx?url";
import { Classifier } from "./classifier";
import { download } from "./download";
import type { FromWorker, ToWorker } from "./messages";

const say = (message: FromWorker) => self.postMessage(message);
const classifier = load();
let queue: Promise<unknown> = classifier; // one at a time, in order

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  queue = queue.then(() => answer(data)).catch(fail);
};
queue.catch(fail);

async function load(): Promise<Classifier> {
  const loaded = { wasm: 0, model: 0 };
  const note = (part: "wasm" | "model") => (bytes: number) => {
    loaded[part] = bytes;
    say({ type: "progress", loaded: loaded.wasm + loaded.model, total: WASM_BYTES + MODEL_BYTES });
  };
  const [wasm, model] = await Promise.all([
    download(wasmUrl, WASM_BYTES, note("wasm")),
    download(modelUrl, MODEL_BYTES, note("model")),
  ]);
  env.wasm.wasmBinary = wasm.buffer;
  const opened = await Classifier.load(model);
  const { labels, precision, contentSha256, hashChecked } = opened;
  say({ type: "ready", labels, precision, contentSha256, bytes: model.length, hashChecked });
  return opened;
}

async function answer(message: ToWorker): Promise<void> {
  const opened = await classifier;
  if (message.type === "check") {
    say({ type: "checked", ...(await opened.selfCheck()) });
    return;
  }
  const start = performance.now();
  const prediction = await opened.predict(message.drawing);
  const milliseconds = performance.now() - start;
  say({ type: "prediction", id: message.id, read: opened.sequenceLength, milliseconds, ...prediction });
}

function fail(error: unknown): void {
  say({ type: "failure", message: error instanceof Error ? error.message : String(error) });
}
