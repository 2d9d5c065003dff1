/** The npm package: pen points in, a label out, by a model file that prepares the points itself. */

import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { decodeArray, isIntact, OUTPUTS, PREFIX, readProps } from "./model_file";

/** A point of a stroke, x to the right and y down, in any unit. */
export type Point = readonly [x: number, y: number, ...more: number[]] | { readonly x: number; readonly y: number };

/** Points from pen down to pen up. */
export type Stroke = readonly Point[];

export type Candidate = { label: string; probability: number };

export type Prediction = Candidate & {
  /** The likeliest classes, likeliest first. */
  top: Candidate[];
};

export type SelfCheck = {
  passed: boolean;
  /** Largest |ONNX - eager PyTorch| over the model's own drawings, in units of max(1, largest |logit|). */
  difference: number;
  /** What is allowed, as the file was proven at its export. */
  tolerance: number;
};

const MAX_POINTS = 50_000;

export class Classifier {
  private constructor(
    private readonly session: InferenceSession,
    private readonly props: Map<string, string>,
    /** Class names in the order of the model's outputs. */
    readonly labels: readonly string[],
  ) {}

  /**
   * Open a points file: `sketch-export onnx --input points`.
   *
   * Throws an Error if it cannot be fetched, is damaged, or reads something else than pen points.
   */
  static async load(model: string | URL | Uint8Array<ArrayBuffer> | ArrayBuffer): Promise<Classifier> {
    const content = await contentOf(model);
    const props = readProps(content);
    if (props.get(`${PREFIX}format_version`) !== "1") {
      throw new Error("expected a model file of sketch-export, format version 1; export it again");
    }
    if (props.get(`${PREFIX}input_form`) !== "points") {
      throw new Error("expected a model file that reads pen points; export it with --input points");
    }
    if ((await isIntact(content)) === false) throw new Error("the model file is damaged: its sha256 differs");
    env.wasm.numThreads = 1; // threads would ask every web server for special headers
    env.logLevel = "error";
    const session = await InferenceSession.create(content, { executionProviders: ["wasm"] });
    return new Classifier(session, props, JSON.parse(text(props, "labels")));
  }

  /**
   * Classify one drawing.
   *
   * Throws a RangeError if it has fewer than 2 or more than 50,000 points, or a coordinate that is no finite number.
   */
  async predict(strokes: readonly Stroke[], options: { top?: number } = {}): Promise<Prediction> {
    const points = flat(strokes);
    const { log_probs } = await this.run(points, [points.length / 3]);
    const answers = Array.from(log_probs, (value, i) => ({ label: this.labels[i]!, probability: Math.exp(value) }));
    if (answers.some(({ probability }) => Number.isNaN(probability))) {
      throw new RangeError("expected coordinates within float32, found larger ones; use a smaller unit");
    }
    answers.sort((one, other) => other.probability - one.probability);
    const top = answers.slice(0, options.top ?? 5);
    return { ...answers[0]!, top };
  }

  /** Compare the model's answers here with those that eager PyTorch gave to its own drawings at the export. */
  async selfCheck(): Promise<SelfCheck> {
    const json = JSON.parse(text(this.props, "probes"));
    const counts = json.counts as number[];
    const n = counts.reduce((sum, count) => sum + count, 0);
    const found = await this.run(await decodeArray(json.points.base64, n * 3), counts);
    const size = this.labels.length;
    const eager: Record<string, Float32Array> = {};
    for (const name of OUTPUTS) eager[name] = await decodeArray(json[name].base64, counts.length * size);
    let difference = 0;
    for (let row = 0; row < counts.length; row++) {
      const logits = eager.logits!.subarray(row * size, (row + 1) * size);
      const scale = Math.max(1, ...logits.map(Math.abs));
      for (const name of OUTPUTS) {
        for (let i = row * size; i < (row + 1) * size; i++) {
          // Not Math.max, so that NaN stays.
          const off = Math.abs(found[name][i]! - eager[name]![i]!) / scale;
          if (!(off <= difference)) difference = off;
        }
      }
    }
    const tolerances = JSON.parse(text(this.props, "tolerance")) as Record<string, number>;
    const tolerance = tolerances[text(this.props, "precision")]!;
    return { passed: difference <= tolerance, difference, tolerance };
  }

  /** Give the model's memory back. */
  async close(): Promise<void> {
    await this.session.release();
  }

  private async run(points: Float32Array, counts: number[]): Promise<Record<"log_probs" | "logits", Float32Array>> {
    const { log_probs, logits } = await this.session.run({
      points: new Tensor("float32", points, [points.length / 3, 3]),
      counts: new Tensor("int64", BigInt64Array.from(counts, BigInt), [counts.length]),
    });
    return { log_probs: log_probs!.data as Float32Array, logits: logits!.data as Float32Array };
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

function text(props: Map<string, string>, key: string): string {
  const value = props.get(PREFIX + key);
  if (value === undefined) throw new Error(`the model file's metadata lacks ${key}; export it again`);
  return value;
}

/** Points as the file reads them: x, y, and 1 on the last point of a stroke. */
function flat(strokes: readonly Stroke[]): Float32Array {
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
  // float32 does not tell points apart that are far from the origin.
  const [left, top] = [0, 1].map((axis) => points.reduce((least, point) => Math.min(least, point[axis]!), Infinity));
  return Float32Array.from(points.flatMap(([x, y, pen]) => [x - left!, y - top!, pen]));
}
