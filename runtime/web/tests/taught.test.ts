import { beforeEach, expect, test } from "vitest";
import { Taught } from "../src/taught";

class Store {
  items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
}

const MODEL = "a".repeat(64);
/** Logits that speak for the first class, the second, both or neither. */
const RIGHT = [3, -1, -1, -1];
const UP = [-1, 3, -1, -1];
const BOTH = [1, 1, -1, -1];
const OTHER = [-1, -1, 3, -1];
let store: Store;
let taught: Taught;

beforeEach(() => {
  store = new Store();
  taught = new Taught(store, MODEL);
});

test("answers with the nearest symbol, or with none", () => {
  expect(taught.answer(RIGHT)).toBeNull();
  taught.teach("right", RIGHT);
  taught.teach("up", UP);
  expect(taught.answer(RIGHT)?.label).toBe("right");
  expect(taught.answer(UP.map((value) => 9 * value))?.label).toBe("up");
  expect(taught.answer(OTHER)).toBeNull();
  expect(taught.answer([0, 0, 0, 0])).toBeNull();
});

test("takes a drawing from the same similarity on as the Python package", () => {
  taught.teach("right", RIGHT);
  for (const [similarity, accepted] of [
    [0.56, true],
    [0.54, false],
  ] as const) {
    const other = Math.sqrt(1 - similarity ** 2);
    const rest = -(similarity + other) / 2;
    expect(taught.answer([similarity, other, rest, rest]) !== null).toBe(accepted);
  }
});

test("every example counts alike", () => {
  for (const logits of [RIGHT, UP, UP]) taught.teach("both", logits);
  expect(taught.symbols).toEqual([{ label: "both", examples: 3 }]);
  const { classes } = JSON.parse(store.items.get("taught")!);
  expect(classes[0].mean[0]).toBeCloseTo(1 / 3);
  expect(classes[0].mean[1]).toBeCloseTo(2 / 3);
  expect(taught.answer(BOTH)?.similarity).toBeGreaterThan(0.9);
});

test("keeps symbols for the next visit, until they are forgotten", () => {
  taught.teach("right", RIGHT);
  taught.teach("up", UP);
  taught.forget("up");
  expect(new Taught(store, MODEL).answer(RIGHT)?.label).toBe("right");
  expect(new Taught(store, MODEL).symbols).toHaveLength(1);
});

test("starts anew with another model, or after what it has not written", () => {
  taught.teach("right", RIGHT);
  expect(new Taught(store, "b".repeat(64)).symbols).toEqual([]);
  store.items.set("taught", "{");
  expect(new Taught(store, MODEL).symbols).toEqual([]);
});

test("teaches even where nothing is kept", () => {
  store.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  taught.teach("right", RIGHT);
  expect(taught.answer(RIGHT)?.label).toBe("right");
});
