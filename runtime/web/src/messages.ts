/** What page and worker say to each other. */

import type { Classifier, Prediction, SelfCheck } from "./classifier";
import type { Drawing } from "./pad";

export type ToWorker = { type: "predict"; id: number; drawing: Drawing } | { type: "check" };

export type ModelInfo = Pick<Classifier, "labels" | "precision" | "contentSha256" | "hashChecked"> & { bytes: number };

/** A prediction, how many steps the network reads at most, and how long it took. */
export type Answer = Prediction & { id: number; read: number; milliseconds: number };

export type FromWorker =
  | { type: "progress"; loaded: number; total: number }
  | ({ type: "ready" } & ModelInfo)
  | ({ type: "prediction" } & Answer)
  | ({ type: "checked" } & SelfCheck)
  | { type: "failure"; message: string };
