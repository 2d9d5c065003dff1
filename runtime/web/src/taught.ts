/** Symbols that the user taught the page, kept in the browser's storage; taught.py says why this works. */

/** As `Classifier.save_taught` of the Python package writes it. */
const FORMAT = "sketch-infer taught classes, version 1";
const KEY = "taught";

/** Cosine similarity to the nearest mean from which a drawing is one of the symbols; as in taught.py. */
const ACCEPTED_FROM = 0.55;

type TaughtClass = { label: string; examples: number; mean: number[] };

export class Taught {
  private classes: TaughtClass[] = [];

  /** Symbols that were taught to another model file are forgotten: its answers mean something else. */
  constructor(
    private readonly storage: Pick<Storage, "getItem" | "setItem">,
    private readonly modelSha256: string,
  ) {
    try {
      const saved = JSON.parse(storage.getItem(KEY) ?? "null");
      if (saved?.format === FORMAT && saved.model_sha256 === modelSha256) this.classes = saved.classes;
    } catch {
      // Nothing that this page has written.
    }
  }

  /** Name and number of examples of each symbol. */
  get symbols(): { label: string; examples: number }[] {
    return this.classes.map(({ label, examples }) => ({ label, examples }));
  }

  /** Add an example: the logits that the network gave to it. */
  teach(label: string, logits: readonly number[]): void {
    const embedding = embed(logits);
    const known = this.classes.find((one) => one.label === label);
    if (known) {
      known.mean = known.mean.map((value, i) => (value * known.examples + embedding[i]!) / (known.examples + 1));
      known.examples += 1;
    } else this.classes.push({ label, examples: 1, mean: embedding });
    this.save();
  }

  forget(label: string): void {
    this.classes = this.classes.filter((one) => one.label !== label);
    this.save();
  }

  /** The symbol that is nearest to a drawing; null if none is near. */
  answer(logits: readonly number[]): { label: string; similarity: number } | null {
    const embedding = embed(logits);
    let best: { label: string; similarity: number } | null = null;
    for (const { label, mean } of this.classes) {
      const similarity = cosine(mean, embedding);
      if (similarity >= (best?.similarity ?? ACCEPTED_FROM)) best = { label, similarity };
    }
    return best;
  }

  private save(): void {
    const content = { format: FORMAT, model_sha256: this.modelSha256, classes: this.classes };
    try {
      this.storage.setItem(KEY, JSON.stringify(content));
    } catch {
      // A private window may keep nothing: the symbols last as long as the page.
    }
  }
}

/** The evidence for the network's classes, logits above their mean, of length 1. */
function embed(logits: readonly number[]): number[] {
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  const evidence = logits.map((value) => Math.max(value - mean, 0));
  const length = Math.max(Math.hypot(...evidence), 1e-9);
  return evidence.map((value) => value / length);
}

function cosine(mean: number[], embedding: number[]): number {
  const product = mean.reduce((sum, value, i) => sum + value * embedding[i]!, 0);
  return product / Math.max(Math.hypot(...mean), 1e-9);
}
