/** ONNX Runtime under WebAssembly: one thread, since threads would ask every web server for special headers. */

import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import type { Run } from "./parity";
import { INPUT_SIZE } from "./strokes";

export async function openSession(model: Uint8Array, wasm: Uint8Array<ArrayBuffer>): Promise<Run> {
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasm.buffer;
  env.logLevel = "error";
  const session = await InferenceSession.create(model, { executionProviders: ["wasm"] });
  return async (strokes, rows) => {
    const shape = [rows, strokes.length / rows / INPUT_SIZE, INPUT_SIZE];
    const { log_probs, logits } = await session.run({ strokes: new Tensor("float32", strokes, shape) });
    return { log_probs: log_probs!.data as Float32Array, logits: logits!.data as Float32Array };
  };
}
