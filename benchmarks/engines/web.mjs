// Run a model file in onnxruntime-web: node --input-type=module - MODEL FEEDS < web.mjs, in runtime/web.
// FEEDS is JSON, {name: {type, dims, data}}; the answer is JSON, {version, dims, data} of the logits.
import { readFile } from "node:fs/promises";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";

const [, , model, asked] = process.argv;
env.wasm.numThreads = 1;
env.logLevel = "error";

const toTensor = ({ type, dims, data }) =>
  new Tensor(type, type === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data), dims);

try {
  const feeds = Object.entries(JSON.parse(await readFile(asked, "utf8")));
  const session = await InferenceSession.create(await readFile(model), { executionProviders: ["wasm"] });
  const { logits } = await session.run(Object.fromEntries(feeds.map(([name, tensor]) => [name, toTensor(tensor)])));
  console.log(JSON.stringify({ version: env.versions.web, dims: logits.dims, data: Array.from(logits.data) }));
} catch (error) {
  console.error(error instanceof Error ? error.message : error); // without the stack
  process.exitCode = 1;
}
