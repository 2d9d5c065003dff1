// Run a model file in onnxruntime-web: node --input-type=module - MODEL STROKES < web.mjs, in runtime/web.
// STROKES is JSON, {dims, data}; the answer is JSON, {version, dims, data} of the logits.
import { readFile } from "node:fs/promises";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";

const [, , model, strokes] = process.argv;
env.wasm.numThreads = 1;
env.logLevel = "error";
try {
  const { dims, data } = JSON.parse(await readFile(strokes, "utf8"));
  const session = await InferenceSession.create(await readFile(model), { executionProviders: ["wasm"] });
  const { logits } = await session.run({ strokes: new Tensor("float32", Float32Array.from(data), dims) });
  console.log(JSON.stringify({ version: env.versions.web, dims: logits.dims, data: Array.from(logits.data) }));
} catch (error) {
  console.error(error instanceof Error ? error.message : error); // without the stack
  process.exitCode = 1;
}
