import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { simplifyDrawing } from "../src/simplify";
import { type Drawing, drawingToSketch, toLength } from "../src/strokes";

type Case = { name: string; raw: Drawing; simplified: Drawing; cut: boolean; rows: number[][] };
const golden = JSON.parse(readFileSync(new URL("../../../tests/golden/golden.json", import.meta.url), "utf8")) as {
  sequence_length: number;
  cases: Case[];
};

test.each(golden.cases)("$name is prepared as in Python", ({ raw, simplified, cut, rows }) => {
  const found = simplifyDrawing(raw);
  expect(found).toEqual(simplified);
  const sketch = drawingToSketch(found);
  const prepared = toLength(sketch, golden.sequence_length);
  const expected = new Float32Array(golden.sequence_length * 3);
  expected.set(rows.flat());
  expect(prepared.length).toBe(expected.length);
  expect(Math.max(...prepared.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(1e-6);
  expect(sketch.length > prepared.length).toBe(cut);
});

test("fewer than two points are refused", () => {
  expect(() => drawingToSketch([])).toThrow("at least 2 points, found 0");
  expect(() => drawingToSketch([[[1], [2]]])).toThrow("at least 2 points, found 1");
});

test("lists of points are the drawing that columns are, and what is neither is refused", () => {
  const columns: Drawing = [
    [
      [3, 80, 140, 90],
      [5, 9, 77, 160],
    ],
    [
      [20, 30],
      [44, 41],
    ],
  ];
  const points = columns.map(([x, y]) => x.map((value, i) => [value, y[i]!]));
  const objects = points.map((stroke) => stroke.map(([x, y]) => ({ x: x!, y: y! })));
  for (const form of [points, objects, [...points, []]]) {
    expect(drawingToSketch(form)).toEqual(drawingToSketch(columns));
    expect(simplifyDrawing(form)).toEqual(simplifyDrawing(columns));
  }
  expect(() => drawingToSketch([[[1, 2, 3, 4], [1]]])).toThrow("4 x and 1 y");
  expect(() => drawingToSketch([[[1, 2, 3, 4]]])).toThrow("expected stroke 0");
});

test("a line of very many points is no trouble", () => {
  const many = Array.from({ length: 300_000 }, (_, i) => i / 1000);
  expect(simplifyDrawing([[many, many.map(() => 0)]])).toEqual([
    [
      [0, 255],
      [0, 0],
    ],
  ]);
});
