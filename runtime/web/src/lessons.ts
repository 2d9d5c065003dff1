/** The part of the page where one teaches it a symbol. */

import { Taught } from "./taught";
import { byId } from "./view";

/** Examples from which a symbol is known well. */
const ENOUGH = 5;

export class Lessons {
  private taught: Taught | null = null;
  private logits: readonly number[] | null = null;

  /** `learned` is called after an example, `forgotten` after a symbol was removed. */
  constructor(private readonly heard: { learned: () => void; forgotten: () => void }) {
    byId("lesson").addEventListener("submit", (event) => {
      event.preventDefault();
      this.learn(byId<HTMLInputElement>("symbol").value.trim());
    });
  }

  /** Bring back what was taught to this model file. */
  open(modelSha256: string): void {
    this.taught = new Taught(storage(), modelSha256);
    this.show();
  }

  /** The symbol that a drawing with these logits is; null for none. When it is finished it can be learned. */
  answer(logits: readonly number[], finished: boolean): string | null {
    this.logits = finished ? logits : null;
    byId<HTMLButtonElement>("learn").disabled = !finished;
    return this.taught?.answer(logits)?.label ?? null;
  }

  /** There is no drawing, or no answer to it yet. */
  pause(): void {
    this.logits = null;
    byId<HTMLButtonElement>("learn").disabled = true;
  }

  private learn(label: string): void {
    if (!this.taught || !this.logits || !label) return;
    this.taught.teach(label, this.logits);
    this.show();
    const { examples } = this.taught.symbols.find((symbol) => symbol.label === label)!;
    const left = ENOUGH - examples;
    byId("learned").textContent =
      left > 0
        ? `Learned. Draw it again: ${left} more.`
        : `Learned from ${examples} drawings. It is kept in this browser.`;
    this.heard.learned();
  }

  private show(): void {
    const rows = this.taught!.symbols.map(({ label, examples }) => {
      const row = document.createElement("li");
      const [name, count, forget] = ["span", "span", "button"].map((tag) =>
        row.appendChild(document.createElement(tag)),
      );
      name!.textContent = label;
      count!.textContent = `${examples} drawing${examples === 1 ? "" : "s"}`;
      forget!.textContent = "Forget";
      forget!.setAttribute("aria-label", `Forget ${label}`);
      forget!.addEventListener("click", () => {
        this.taught!.forget(label);
        this.show();
        this.heard.forgotten();
      });
      return row;
    });
    byId("symbols").replaceChildren(...rows);
  }
}

/** The browser's storage, or one that lasts as long as the page where there is none. */
function storage(): Pick<Storage, "getItem" | "setItem"> {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: () => {} };
  }
}
