import { expect, test, vi } from "vitest";
import { Engine, type Listener } from "../src/engine";
import type { FromWorker, ToWorker } from "../src/messages";
import type { Drawing } from "../src/pad";
import { hasWasmSimd } from "../src/support";

class FakeWorker {
  static last: FakeWorker;
  sent: ToWorker[] = [];
  onmessage: (event: { data: FromWorker }) => void = () => {};
  constructor() {
    FakeWorker.last = this;
  }
  postMessage(message: ToWorker) {
    this.sent.push(message);
  }
  answer(id: number) {
    this.onmessage({ data: { type: "prediction", id } as FromWorker });
  }
}
vi.stubGlobal("Worker", FakeWorker);

function start() {
  const prediction = vi.fn<Listener["prediction"]>();
  const engine = new Engine({ prediction } as unknown as Listener);
  return { engine, prediction, worker: FakeWorker.last };
}

const line = (x: number): Drawing => [
  [
    [0, 0],
    [x, 0],
  ],
];

test("while the worker works, only the newest drawing waits", () => {
  const { engine, prediction, worker } = start();
  for (const x of [1, 2, 3]) engine.predict(line(x), x === 3);
  expect(worker.sent).toEqual([{ type: "predict", id: 1, drawing: line(1) }]);
  worker.answer(1);
  expect(worker.sent[1]).toEqual({ type: "predict", id: 2, drawing: line(3) });
  worker.answer(2);
  expect(worker.sent).toHaveLength(2);
  expect(prediction.mock.calls.map(([, finished]) => finished)).toEqual([false, true]);
});

test("a forgotten drawing's answer is dropped, and the next one is not", () => {
  const { engine, prediction, worker } = start();
  engine.predict(line(1), true);
  engine.predict(line(2), true);
  engine.forget();
  worker.answer(1);
  expect(worker.sent).toHaveLength(1);
  expect(prediction).not.toHaveBeenCalled();
  engine.predict(line(3), true);
  worker.answer(2);
  expect(prediction).toHaveBeenCalledOnce();
});

test("SIMD is found where it is", () => {
  expect(hasWasmSimd()).toBe(true); // in Node
});
