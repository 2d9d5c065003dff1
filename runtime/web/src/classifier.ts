/** The npm package: pen points in, a label out, by a model file that prepares the points itself. */

import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { isIntact, MAX_POINTS, type ModelMetadata, readMetadata } from "./model_file";
import { checkProbes, type Outputs, type SelfCheck } from "./parity";

export { Taught } from "./taught";
export type { SelfCheck };

/** A point of a stroke, x to the right and y down, in any unit. */
export type Point = readonly [x: number, y: number, ...more: number[]] | { readonly x: number; readonly y: number };

/** Points from pen down to pen up. */
export type Stroke = readonly Point[];

export type Candidate = { label: string; probability: number };

export type Prediction = Candidate & {
  /** The likeliest classes, likeliest first. */
  top: Candidate[];
  /** What the network says for each class, in the order of `labels`; `Taught` compares drawings by it. */
  logits: number[];
  /** Whether the drawing is probably none of the classes; always false for a file that has no threshold for it. */
  rejected: boolean;
  /** Steps from corner to corner that the drawing has; the network reads the first `sequenceLength` of them. */
  steps: number;
  /** Whether the drawing has more than those, so that the rest of it was not read. */
  cut: boolean;
  /** What the network read: the corners of each stroke, x and y from 0 to 1. */
  corners: [x: number, y: number][][];
  /** Width / height of the drawing, which the network does not see; 1 for a dot. */
  aspect: number;
};

export class Classifier {
  /** Class names in the order of the model's outputs. */
  readonly labels: readonly string[];
  readonly precision: "fp32" | "int8";
  /** Steps from corner to corner that the network reads of a drawing. */
  readonly sequenceLength: number;
  readonly contentSha256: string;
  /** Probability of the likeliest class below which a drawing is `rejected`; null for a file that has none. */
  readonly rejectBelow: number | null;
  private warned = false;

  private constructor(
    private readonly session: InferenceSession,
    private readonly metadata: ModelMetadata,
    /** Whether the file's sha256 was checked, which browsers offer on https and localhost only. */
    readonly hashChecked: boolean,
  ) {
    const { labels, precision, sequenceLength, contentSha256, rejectBelow } = metadata;
    this.labels = labels;
    this.precision = precision;
    this.sequenceLength = sequenceLength;
    this.contentSha256 = contentSha256;
    this.rejectBelow = rejectBelow;
  }

  /**
   * Open a points file: `sketch-export onnx --input points`.
   *
   * Throws an Error if it cannot be fetched, is damaged, or reads something else than pen points.
   */
  static async load(model: string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer): Promise<Classifier> {
    const content = await contentOf(model);
    const metadata = await readMetadata(content);
    const intact = await isIntact(content);
    if (intact === false) throw new Error("the model file is damaged: its sha256 differs");
    env.wasm.numThreads = 1; // threads would ask every web server for special headers
    env.logLevel = "error";
    const session = await InferenceSession.create(content, { executionProviders: ["wasm"] });
    return new Classifier(session, metadata, intact === true);
  }

  /**
   * Classify one drawing. Of one that is cut, the console is told, once.
   *
   * Throws a RangeError if it has fewer than 2 or more than 50,000 points, or a coordinate that is no finite number.
   */
  async predict(strokes: readonly Stroke[], options: { top?: number } = {}): Promise<Prediction> {
    const { points, aspect } = flat(strokes);
    const found = await this.run(points, [points.length / 3]);
    const answers = Array.from(found.log_probs, (value, i) => ({
      label: this.labels[i]!,
      probability: Math.exp(value),
    }));
    if (answers.some(({ probability }) => Number.isNaN(probability))) {
      throw new RangeError("expected coordinates within float32, found larger ones; use a smaller unit");
    }
    answers.sort((one, other) => other.probability - one.probability);
    const rejected = answers[0]!.probability < (this.rejectBelow ?? 0);
    const steps = Number(found.steps[0]);
    const cut = steps > this.sequenceLength;
    if (cut && !this.warned) {
      console.warn(`a drawing of ${steps} steps was cut to the ${this.sequenceLength} that the network reads`);
      this.warned = true;
    }
    const corners = cornersOf(found.strokes.subarray(0, 3 * steps));
    return {
      ...answers[0]!,
      top: answers.slice(0, options.top ?? 5),
      rejected,
      logits: Array.from(found.logits),
      steps,
      cut,
      corners,
      aspect,
    };
  }

  /** Compare the model's answers here with those that eager PyTorch gave to its own drawings at the export. */
  async selfCheck(): Promise<SelfCheck> {
    return checkProbes(this.metadata.probes, this.metadata.tolerance, (points, counts) => this.run(points, counts));
  }

  /** Give the model's memory back. */
  async close(): Promise<void> {
    await this.session.release();
  }

  private async run(points: Float32Array, counts: number[]) {
    const found = await this.session.run({
      points: new Tensor("float32", points, [points.length / 3, 3]),
      counts: new Tensor("int64", BigInt64Array.from(counts, BigInt), [counts.length]),
    });
    const data = (name: string) => found[name]!.data;
    return {
      log_probs: data("log_probs"),
      logits: data("logits"),
      strokes: data("strokes"),
      steps: data("steps"),
    } as Outputs & {
      strokes: Float32Array;
      steps: BigInt64Array;
    };
  }
}

async function contentOf(
  model: string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer,
): Promise<Uint8Array<ArrayBuffer>> {
  if (model instanceof Uint8Array) return model;
  if (model instanceof ArrayBuffer) return new Uint8Array(model);
  const response = await fetch(model);
  if (!response.ok) throw new Error(`${model}: the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Points as the file reads them, x, y, and 1 on the last point of a stroke; and the drawing's width / height. */
function flat(strokes: readonly Stroke[]): { points: Float32Array; aspect: number } {
  const points = strokes.flatMap((stroke) =>
    stroke.map((point, i) => {
      const [x, y] = "x" in point ? [point.x, point.y] : point;
      if (!Number.isFinite(x) || !Number.isFinite(y)) throw new RangeError(`expected finite x and y, found ${x}, ${y}`);
      return [x, y, i === stroke.length - 1 ? 1 : 0] as const;
    }),
  );
  if (points.length < 2 || points.length > MAX_POINTS) {
    throw new RangeError(`expected a drawing of 2 to ${MAX_POINTS} points, found ${points.length}`);
  }
  const [left, right] = range(points.map(([x]) => x));
  const [top, bottom] = range(points.map(([, y]) => y));
  // float32 does not tell points apart that are far from the origin.
  const shifted = Float32Array.from(points.flatMap(([x, y, pen]) => [x - left, y - top, pen]));
  return { points: shifted, aspect: right - left || bottom - top ? (right - left) / (bottom - top) : 1 };
}

/** Smallest and largest value; a loop, since spreading very many would overflow the stack. */
function range(values: number[]): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

/** Where the steps (dx, dy, pen) lead, from 0 on along both axes; the pen ends strokes. */
function cornersOf(steps: Float32Array): [number, number][][] {
  let [x, y] = [0, 0];
  const strokes: [number, number][][] = [[[x, y]]];
  for (let i = 0; i < steps.length; i += 3) {
    x += steps[i]!;
    y += steps[i + 1]!;
    strokes.at(-1)!.push([x, y]);
    if (steps[i + 2] && i + 3 < steps.length) strokes.push([]);
  }
  const [[left], [top]] = [range(strokes.flat().map(([x]) => x)), range(strokes.flat().map(([, y]) => y))];
  return strokes.map((stroke) => stroke.map(([x, y]) => [x - left, y - top]));
}
