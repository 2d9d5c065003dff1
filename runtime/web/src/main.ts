/** The page: what was drawn goes to the engine, what comes back is shown. */

import type { SelfCheck } from "./classifier";
import { Engine } from "./engine";
import { Lessons } from "./lessons";
import type { Answer, ModelInfo } from "./messages";
import { MAX_POINTS } from "./model_file";
import { type Drawing, Pad } from "./pad";
import { hasWasmSimd } from "./support";
import { byId, drawSeen, facts, megabytes, percent } from "./view";

/** From here on the network's first answer counts as the prompted thing. */
const SURE = 0.5;

const bars = Array.from({ length: 5 }, () => {
  const row = document.createElement("li");
  const parts = ["label", "bar", "percent"].map((name) => {
    const part = row.appendChild(document.createElement("span"));
    part.className = name;
    return part;
  });
  byId("bars").append(row);
  return { row, label: parts[0]!, bar: parts[1]!, percent: parts[2]! };
});

let info: ModelInfo | null = null;
let prompted = "";
let engine: Engine | null = null;
let failed = false;

const pad = new Pad(byId<HTMLCanvasElement>("pad"), changed);
const lessons = new Lessons({ learned: () => pad.clear(), forgotten: () => pad.announce() });

function changed(drawing: Drawing, finished: boolean): void {
  lessons.pause(); // until the answer to this very drawing is there
  byId("hint").hidden = drawing.length > 0;
  byId<HTMLButtonElement>("undo").disabled = !pad.canUndo;
  byId<HTMLButtonElement>("clear").disabled = drawing.length === 0;
  const points = drawing.flat().length;
  if (points > MAX_POINTS) showNothing("Too many points: undo", finished);
  else if (points >= 2) engine?.predict(drawing, finished);
  else showNothing(drawing.length > 0 ? "A dot: go on" : "Nothing drawn yet", finished);
}

function showNothing(message: string, finished: boolean): void {
  engine?.forget();
  if (!info || failed) return;
  byId("top").textContent = message;
  byId("top").className = "none";
  byId("latency").textContent = "\u00a0";
  byId("hit").hidden = true;
  if (finished) byId("spoken").textContent = message;
  for (const { row } of bars) row.className = "empty";
  for (const { bar } of bars) bar.style.setProperty("--share", "0");
  drawSeen([], 1);
  byId("points").textContent = "Corner points of what you draw, and nothing else: no pixels, no times.";
}

function showPrediction(
  { top, rejected, corners, aspect, logits, steps, cut, read, milliseconds }: Answer,
  finished: boolean,
): void {
  bars.forEach(({ row, label, bar, percent: share }, i) => {
    const { label: text, probability } = top[i]!;
    row.className = "";
    label.textContent = text;
    bar.style.setProperty("--share", String(probability));
    share.textContent = percent(probability);
  });
  const { label, probability } = top[0]!;
  const symbol = lessons.answer(logits, finished);
  const said = symbol ?? (rejected ? "None of these" : label);
  byId("top").textContent = said;
  byId("top").className = rejected && !symbol ? "none" : "";
  byId("hit").hidden = !(label === prompted && probability > SURE);
  if (finished && symbol) byId("spoken").textContent = `${symbol}, your symbol`;
  else if (finished) byId("spoken").textContent = rejected ? said : `${label}, ${percent(probability)}`;
  byId("latency").textContent = `${milliseconds.toFixed(1)} ms: preparing the points, and the network`;
  drawSeen(corners, aspect);
  byId("points").textContent = cut
    ? `The first ${read} of ${steps} steps; the rest is not read`
    : `${steps} steps from point to point`;
}

function showReady(ready: ModelInfo): void {
  info = ready;
  lessons.open(ready.contentSha256);
  byId("loading").hidden = true;
  byId<HTMLButtonElement>("another").disabled = false;
  byId("verdict").textContent = "Checking…";
  prompt();
  pad.announce();
  engine?.check();
}

function showChecked(found: SelfCheck): void {
  const { passed, problem, drawings, batches, maxDifference, maxScaled, tolerance, top1Agreement } = found;
  byId("verdict").textContent = passed ? "Passed: answers as PyTorch does" : `Failed: ${problem}`;
  byId("verdict").className = passed ? "passed" : "failed";
  byId<HTMLButtonElement>("again").disabled = false;
  const { precision, bytes, contentSha256, hashChecked } = info!;
  facts(byId("facts"), {
    "Largest difference": maxDifference.toExponential(1),
    "In units of the largest logit": `${maxScaled.toExponential(1)} (allowed ${tolerance.toExponential(0)})`,
    "Same label as PyTorch": `${percent(top1Agreement)} of ${drawings} probes`,
    "Batch sizes": batches.join(", "),
    "Model file": `${megabytes(bytes)}, ${precision}`,
    "Its sha256": hashChecked ? `${contentSha256.slice(0, 12)}… ok` : "not checked: needs https or localhost",
  });
  keepForOffline();
}

/** Load the network; again, after a failure. */
function start(): void {
  failed = false;
  byId("failure").hidden = true;
  byId("retry").hidden = true;
  byId("loading").hidden = false;
  byId("bars").hidden = false;
  byId("top").textContent = "…";
  byId("verdict").textContent = "Waiting for the network…";
  engine?.stop();
  engine = new Engine({
    progress: (loaded, total) => {
      byId<HTMLProgressElement>("progress").value = loaded / total;
      byId("loaded").textContent =
        loaded < total ? `Loading the network: ${megabytes(loaded)} of ${megabytes(total)}` : "Starting the network…";
    },
    ready: showReady,
    prediction: showPrediction,
    checked: showChecked,
    failure: (message) => {
      showFailure(message);
      byId("retry").hidden = false;
    },
  });
}

function showFailure(message: string): void {
  failed = true;
  byId("loading").hidden = true;
  byId("failure").hidden = false;
  byId("failure").textContent = message;
  byId("bars").hidden = true; // the message is seen on a phone, too
  byId("top").textContent = "Not running";
  byId("top").className = "none";
  byId("verdict").textContent = "Not run";
}

function prompt(): void {
  const others = info!.labels.filter((label) => label !== prompted);
  prompted = others[Math.floor(Math.random() * others.length)]!;
  byId("prompt").textContent = prompted;
  byId("hit").hidden = true;
}

/** Only now, so that keeping the files for later does not compete with loading them. */
function keepForOffline(): void {
  if (import.meta.env.PROD) navigator.serviceWorker?.register("./sw.js").catch(() => {}); // the page works without
}

byId("undo").addEventListener("click", () => pad.undo());
byId("clear").addEventListener("click", () => pad.clear());
byId("another").addEventListener("click", () => {
  prompt();
  pad.clear();
});
byId("retry").addEventListener("click", start);
byId("again").addEventListener("click", () => {
  byId("verdict").textContent = "Checking…";
  byId("verdict").className = "";
  engine?.check();
});
window.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement) return; // the keys of a text
  if (event.key === "Escape") pad.clear();
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    pad.undo();
  }
});

for (const { row } of bars) row.className = "empty";
if (hasWasmSimd()) start();
else showFailure("This browser has no WebAssembly SIMD, which the network needs. Any browser since 2023 has it.");
