import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isIntact, readMetadata } from "../src/model_file";
import { checkProbes, type Outputs, type Run } from "../src/parity";

const read = (name: string) => new Uint8Array(readFileSync(new URL(`../../../${name}`, import.meta.url)));
const file = read("tests/tiny/tiny_points.onnx");
const metadata = await readMetadata(file);
const { probes, tolerance } = metadata;
const count = probes.points.length;

describe("the model file", () => {
  test("says what the network is", () => {
    expect(metadata.labels).toHaveLength(5);
    expect(metadata.sequenceLength).toBe(24);
    expect(metadata.precision).toBe("fp32");
    expect(tolerance).toBe(1e-5);
    expect(count).toBeGreaterThanOrEqual(8);
    expect(probes.points.every((points) => points.length % 3 === 0 && points.length >= 6)).toBe(true);
    expect(probes.logits.every(Number.isFinite)).toBe(true);
  });

  test("is intact, and a changed byte shows", async () => {
    expect(await isIntact(file)).toBe(true);
    const damaged = file.slice();
    damaged[damaged.length >> 1]! ^= 1;
    expect(await isIntact(damaged)).toBe(false);
  });

  test("is refused when truncated, empty or something else", async () => {
    await expect(readMetadata(file.subarray(0, -100))).rejects.toThrow("truncated");
    await expect(readMetadata(new Uint8Array())).rejects.toThrow("format version 1");
    await expect(readMetadata(new TextEncoder().encode("<!doctype html>"))).rejects.toThrow("no ONNX file");
    await expect(readMetadata(read("tests/tiny/tiny.onnx"))).rejects.toThrow("--input points");
  });
});

/** Answers as eager PyTorch, found by the points, with one value of one output changed. */
function eagerButFor(change: (outputs: Outputs, batch: number) => void): Run {
  const classes = metadata.labels.length;
  return async (points, counts) => {
    const rows = counts.length;
    const outputs = { log_probs: new Float32Array(rows * classes), logits: new Float32Array(rows * classes) };
    let end = 0;
    for (let row = 0; row < rows; row++) {
      const drawing = String(points.subarray(end, end + 3 * counts[row]!));
      end += 3 * counts[row]!;
      const probe = probes.points.findIndex((points) => String(points) === drawing);
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
    expect(parity.batches).toEqual([1, 2, 3, 7, count]);
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
        if (n === 7) log_probs[6]! += 5;
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
        outputs.logits = outputs.logits.slice(0, 3);
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
          if (batch === count) logits[0]! += by;
        }),
      );
    expect((await shifted(0.8e-5 * largest)).passed).toBe(true);
    expect((await shifted(1.2e-5 * largest)).passed).toBe(false);
  });

  test("does not pass without probes", async () => {
    const none = { ...probes, points: [] };
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
