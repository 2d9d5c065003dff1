/** What page and worker say to each other. */

import type { Parity } from "./parity";
import type { Drawing } from "./strokes";

export type ToWorker = { type: "predict"; id: number; drawing: Drawing } | { type: "check" };

export type ModelInfo = {
  labels: string[];
  precision: string;
  bytes: number;
  contentSha256: string;
  /** Whether the file's sha256 was checked, which some browsers offer on https and localhost only. */
  hashChecked: boolean;
};

export type Prediction = {
  id: number;
  /** Labels and probabilities, most likely first. */
  top: { label: string; probability: number }[];
  simplified: Drawing;
  /** Points that the network reads, and that the sketch has. */
  read: number;
  points: number;
  prepareMs: number;
  runMs: number;
};

export type FromWorker =
  | { type: "progress"; loaded: number; total: number }
  | ({ type: "ready" } & ModelInfo)
  | ({ type: "prediction" } & Prediction)
  | ({ type: "parity" } & Parity)
  | { type: "failure"; message: string };
