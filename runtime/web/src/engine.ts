/** The page's side of the worker. While it works on a drawing, only the newest one waits. */

import type { SelfCheck } from "./classifier";
import type { Answer, FromWorker, ModelInfo, ToWorker } from "./messages";
import type { Drawing } from "./pad";

export type Listener = {
  progress: (loaded: number, total: number) => void;
  ready: (info: ModelInfo) => void;
  prediction: (answer: Answer, finished: boolean) => void;
  checked: (found: SelfCheck) => void;
  failure: (message: string) => void;
};

export class Engine {
  private worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private id = 0;
  private working = false;
  private waiting: Drawing | null = null;
  /** Id of the newest drawing that is wanted; answers to older ones are dropped after `forget`. */
  private oldest = 0;
  private finished = false;

  constructor(private listener: Listener) {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      listener.failure(
        `The worker did not start: ${event.message || "its script could not be loaded"}. Reload the page.`,
      );
    };
  }

  /** Classify a drawing; `finished` says that the pen is up. */
  predict(drawing: Drawing, finished: boolean): void {
    this.finished = finished;
    this.waiting = drawing;
    this.next();
  }

  /** Drop what waits, and the answer that may be on its way. */
  forget(): void {
    this.waiting = null;
    this.oldest = this.id + 1;
  }

  check(): void {
    this.say({ type: "check" });
  }

  /** End the worker; nothing is heard of it any more. */
  stop(): void {
    this.worker.terminate();
  }

  private next(): void {
    if (this.working || !this.waiting) return;
    this.working = true;
    this.say({ type: "predict", id: ++this.id, drawing: this.waiting });
    this.waiting = null;
  }

  private say(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private hear(message: FromWorker): void {
    if (message.type === "progress") this.listener.progress(message.loaded, message.total);
    else if (message.type === "ready") this.listener.ready(message);
    else if (message.type === "checked") this.listener.checked(message);
    else if (message.type === "failure") this.listener.failure(message.message);
    else {
      this.working = false;
      if (message.id >= this.oldest) this.listener.prediction(message, this.finished && !this.waiting);
      this.next();
    }
  }
}
