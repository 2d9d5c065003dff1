/** Is this eager PyTorch's network? The comparison of `sketch_infer.checks.parity`, over the probes. */

import { OUTPUTS, type Output, type Probes } from "./model_file";

/** As `sketch_infer.checks.parity.probes`: one batch size that is baked into a graph fails at the others. */
const PROBE_BATCHES = [1, 2, 3, 7];

export type Outputs = Record<Output, Float32Array>;

/** Run drawings through the model: points of x, y and pen, flat, and how many each drawing has. */
export type Run = (points: Float32Array, counts: number[]) => Promise<Outputs>;

export type SelfCheck = {
  passed: boolean;
  /** Why it failed; empty if it passed. */
  problem: string;
  /** Number of the model's own drawings, and in what batches they ran. */
  drawings: number;
  batches: number[];
  /** Largest |ONNX - eager PyTorch|. */
  maxDifference: number;
  /** In units of max(1, largest |logit| of the row), which is what the tolerance bounds. */
  maxScaled: number;
  /** What is allowed, as the file was proven at its export. */
  tolerance: number;
  /** Share of drawings with eager PyTorch's label. */
  top1Agreement: number;
};

/** Run the probes at several batch sizes, repeated from the first to fill the last batch, and compare. */
export async function checkProbes(probes: Probes, tolerance: number, run: Run): Promise<SelfCheck> {
  const count = probes.points.length;
  const batches = [...PROBE_BATCHES, count];
  const total: SelfCheck = {
    passed: false,
    problem: "",
    drawings: count,
    batches,
    tolerance,
    maxDifference: 0,
    maxScaled: 0,
    top1Agreement: 1,
  };
  if (count === 0) return { ...total, problem: "the file carries no probes" };
  for (const batch of batches) {
    for (let start = 0; start < count; start += batch) {
      const rows = Array.from({ length: batch }, (_, i) => (start + i) % count);
      const drawings = rows.map((row) => probes.points[row]!);
      const outputs = await run(
        joined(drawings),
        drawings.map(({ length }) => length / 3),
      );
      const eager = { log_probs: pick(probes.log_probs, rows, count), logits: pick(probes.logits, rows, count) };
      const found = compareOutputs(eager, outputs, batch);
      // Math.max keeps NaN, which then fails every bound.
      total.maxDifference = Math.max(total.maxDifference, found.maxDifference);
      total.maxScaled = Math.max(total.maxScaled, found.maxScaled);
      total.top1Agreement = Math.min(total.top1Agreement, found.top1Agreement);
    }
  }
  if (!Number.isFinite(total.maxScaled)) total.problem = "a value is missing, not a number or infinite";
  else if (total.maxScaled > tolerance) {
    total.problem = `off by ${total.maxScaled.toExponential(1)} of a row's scale, expected at most ${tolerance}`;
  } else if (total.top1Agreement < 1) total.problem = "a probe got another label than eager PyTorch's";
  return { ...total, passed: total.problem === "" };
}

/** Compare both outputs of rows with eager PyTorch's; NaN where there is nothing to compare. */
export function compareOutputs(eager: Outputs, found: Outputs, rows: number) {
  const classes = eager.logits.length / rows;
  let [maxDifference, maxScaled, sameLabel] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const part = (values: Float32Array) => values.subarray(row * classes, (row + 1) * classes);
    const scale = Math.max(1, ...part(eager.logits).map(Math.abs));
    for (const output of OUTPUTS) {
      const [expected, values] = [part(eager[output]), part(found[output])];
      if (found[output].length !== eager[output].length) maxScaled = NaN;
      const difference = expected.reduce((worst, value, i) => Math.max(worst, Math.abs(values[i]! - value)), 0);
      maxDifference = Math.max(maxDifference, difference);
      maxScaled = Math.max(maxScaled, difference / scale);
      sameLabel += Number(argmax(expected) === argmax(values)) / OUTPUTS.length;
    }
  }
  return { maxDifference, maxScaled, top1Agreement: sameLabel / rows };
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function pick(values: Float32Array, rows: number[], count: number): Float32Array {
  const columns = values.length / count;
  return joined(rows.map((row) => values.subarray(row * columns, (row + 1) * columns)));
}

function joined(parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => {
    whole.set(part, at);
    return at + part.length;
  }, 0);
  return whole;
}
