/** The file's preparation of pen points under WebAssembly: the corners that Python's makes of them. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Classifier } from "../src/classifier";
import { type Drawing, toPoints } from "./browser";

type Case = { name: string; raw: Drawing; simplified: Drawing; cut: boolean };
const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url));
const { cases } = JSON.parse(read("tests/golden/golden.json").toString()) as { cases: Case[] };
const classifier = await Classifier.load(new Uint8Array(read("dist/points.onnx")));

/** Each corner's way from the first one, in shares of the drawing's width and height. */
function scaled(simplified: Drawing): number[][][] {
  const [x, y] = [0, 1].map((axis) => simplified.flatMap((stroke) => stroke[axis]!));
  const extent = (values: number[]) => Math.max(...values) - Math.min(...values) || 1;
  const share = (value: number, values: number[]) => (value - values[0]!) / extent(values);
  return simplified.map((stroke) => toPoints(stroke).map(([a, b]) => [share(a, x!), share(b, y!)]));
}

test.each(cases)("$name is prepared as in Python", async ({ raw, simplified, cut }) => {
  const found = await classifier.predict(raw.map(toPoints));
  const expected = scaled(simplified);
  expect(found.steps).toBe(expected.flat().length - 1);
  expect(found.cut).toBe(cut);
  const read = found.corners.flat();
  const [left, top] = read[0]!;
  const wanted = expected.flat().slice(0, classifier.sequenceLength + 1);
  expect(read).toHaveLength(wanted.length);
  if (!cut) expect(found.corners.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  const off = read.flatMap(([x, y], i) => [x - left - wanted[i]![0]!, y - top - wanted[i]![1]!].map(Math.abs));
  expect(Math.max(...off)).toBeLessThan(1e-5);
});
