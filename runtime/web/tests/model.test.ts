import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isIntact, readMetadata } from "../src/model_file";
import { checkProbes, type Outputs, type Run } from "../src/parity";

const file = new Uint8Array(readFileSync(new URL("../../sketch_infer/default.onnx", import.meta.url)));
const metadata = await readMetadata(file);
const { probes, tolerance } = metadata;

describe("the model file", () => {
  test("says what the network is", () => {
    expect(metadata.labels).toHaveLength(40);
    expect(metadata.sequenceLength).toBe(196);
    expect(metadata.precision).toBe("fp32");
    expect(tolerance).toBe(1e-5);
    expect(probes.names.length).toBeGreaterThanOrEqual(8);
    expect(probes.logits.every(Number.isFinite)).toBe(true);
  });

  test("is intact, and a changed byte shows", async () => {
    expect(await isIntact(file)).toBe(true);
    const damaged = file.slice();
    damaged[damaged.length >> 1]! ^= 1;
    expect(await isIntact(damaged)).toBe(false);
  });

  test("of int8 brings its own tolerance", async () => {
    const int8 = new Uint8Array(readFileSync(new URL("../../sketch_infer/default_int8.onnx", import.meta.url)));
    expect(await readMetadata(int8)).toMatchObject({ precision: "int8", tolerance: 0.1 });
  });

  test("is refused when truncated, empty or something else", async () => {
    await expect(readMetadata(file.subarray(0, -100))).rejects.toThrow("truncated");
    await expect(readMetadata(new Uint8Array())).rejects.toThrow("lacks format_version");
    await expect(readMetadata(new TextEncoder().encode("<!doctype html>"))).rejects.toThrow("no ONNX file");
  });
});

/** Answers as eager PyTorch, found by the strokes, with one value of one output changed. */
function eagerButFor(change: (outputs: Outputs, batch: number) => void): Run {
  const width = probes.strokes.length / probes.names.length;
  const classes = metadata.labels.length;
  return async (strokes, rows) => {
    const outputs = { log_probs: new Float32Array(rows * classes), logits: new Float32Array(rows * classes) };
    for (let row = 0; row < rows; row++) {
      const sketch = strokes.subarray(row * width, (row + 1) * width);
      const probe = probes.names.findIndex((_, i) =>
        sketch.every((value, j) => value === probes.strokes[i * width + j]),
      );
      for (const name of ["log_probs", "logits"] as const) {
        outputs[name].set(probes[name].subarray(probe * classes, (probe + 1) * classes), row * classes);
      }
    }
    change(outputs, rows);
    return outputs;
  };
}

describe("the self-check", () => {
  test("passes on eager PyTorch's own answers", async () => {
    const parity = await checkProbes(
      probes,
      tolerance,
      eagerButFor(() => {}),
    );
    expect(parity).toMatchObject({ passed: true, problem: "", maxDifference: 0, top1Agreement: 1 });
    expect(parity.batches).toEqual([1, 2, 3, 7, probes.names.length]);
  });

  test.each<[string, (outputs: Outputs, batch: number) => void, string]>([
    [
      "a shifted logit",
      ({ logits }) => {
        logits[3]! += 5;
      },
      "off by",
    ],
    [
      "a shifted log-probability at batch 7 only",
      ({ log_probs }, n) => {
        if (n === 7) log_probs[41]! += 5;
      },
      "off by",
    ],
    [
      "NaN",
      ({ logits }) => {
        logits[0] = NaN;
      },
      "not a number",
    ],
    [
      "infinity",
      ({ logits }) => {
        logits[0] = Infinity;
      },
      "infinite",
    ],
    [
      "missing rows",
      (outputs) => {
        outputs.logits = outputs.logits.slice(0, 20);
      },
      "missing",
    ],
    [
      "too many rows",
      (outputs) => {
        outputs.logits = new Float32Array(4000);
      },
      "missing",
    ],
  ])("fails on %s", async (_, change, problem) => {
    const parity = await checkProbes(probes, tolerance, eagerButFor(change));
    expect(parity.passed).toBe(false);
    expect(parity.problem).toContain(problem);
  });

  test("fails within the tolerance when the label is another", async () => {
    const parity = await checkProbes(
      probes,
      100,
      eagerButFor(({ logits }) => {
        logits[0]! += 50;
      }),
    );
    expect(parity.passed).toBe(false);
    expect(parity.problem).toContain("another label");
  });

  test("bounds differences by the largest logit of the row", async () => {
    const largest = Math.max(1, ...probes.logits.subarray(0, metadata.labels.length).map(Math.abs));
    const shifted = (by: number) =>
      checkProbes(
        probes,
        tolerance,
        eagerButFor(({ logits }, batch) => {
          if (batch === 12) logits[0]! += by;
        }),
      );
    expect((await shifted(0.8e-5 * largest)).passed).toBe(true);
    expect((await shifted(1.2e-5 * largest)).passed).toBe(false);
  });

  test("does not pass without probes", async () => {
    const none = { ...probes, names: [] };
    expect(
      (
        await checkProbes(
          none,
          1,
          eagerButFor(() => {}),
        )
      ).passed,
    ).toBe(false);
  });
});
