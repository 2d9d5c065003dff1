import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Classifier } from "../src/classifier";
import { house } from "./house";
import { installPacked } from "./packed";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const tiny = new Uint8Array(readFileSync(path("../../../tests/tiny/tiny_points.onnx")));
const { cases } = JSON.parse(readFileSync(path("../../../docs/contract.json"), "utf8"));

/** A drawing of the vectors as a caller has it. */
function strokesOf(points: [number, number, number][]): [number, number][][] {
  const strokes: [number, number][][] = [[]];
  for (const [x, y, pen] of points) {
    strokes.at(-1)!.push([x, y]);
    if (pen) strokes.push([]);
  }
  return strokes;
}

describe("the npm package", async () => {
  const classifier = await Classifier.load(tiny);

  test("answers points, in either form, in any unit and place", async () => {
    const found = await classifier.predict(house);
    expect(classifier.labels).toEqual(["ant", "bee", "cat", "dog", "eel"]);
    expect(found.top[0]).toEqual({ label: found.label, probability: found.probability });
    expect(found.top.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    const elsewhere = house.map((stroke) => stroke.map(([x, y]) => ({ x: x * 4 + 1e6, y: y * 4 - 3e6 })));
    expect(await classifier.predict(elsewhere)).toEqual(found);
    expect((await classifier.predict(house, { top: 2 })).top).toHaveLength(2);
  });

  test("passes its self-check here", async () => {
    const found = await classifier.selfCheck();
    expect(found).toMatchObject({ passed: true, problem: "", tolerance: 1e-5 });
    expect(found.maxScaled).toBeGreaterThan(0);
  });

  test("says when a drawing is cut, or probably none of the classes", async () => {
    const found = await classifier.predict(
      strokesOf(cases.find(({ name }: { name: string }) => name === "over-long").points),
    );
    expect(found).toMatchObject({ cut: true, rejected: false }); // the tiny file has no threshold
    expect(found.steps).toBeGreaterThan(classifier.sequenceLength);
    expect(found.corners.flat()).toHaveLength(classifier.sequenceLength + 1);
    const trained = await Classifier.load(new Uint8Array(readFileSync(path("../../../dist/points.onnx"))));
    const cat = await trained.predict(strokesOf(cases.find(({ name }: { name: string }) => name === "cat").points));
    expect(cat).toMatchObject({ label: "cat", cut: false, rejected: false });
    for (const { points } of cases) {
      const { probability, rejected } = await trained.predict(strokesOf(points));
      expect(rejected).toBe(probability < trained.rejectBelow!);
    }
  });

  test.each([
    ["nothing", []],
    ["a point", [[[1, 2]]]],
    [
      "NaN",
      [
        [
          [1, 2],
          [Number.NaN, 3],
        ],
      ],
    ],
    [
      "what float32 has no number for",
      [
        [
          [0, 0],
          [1e39, 3],
        ],
      ],
    ],
    ["too many points", [Array.from({ length: 50_001 }, (_, i) => [i, 0])]],
  ])("refuses %s", async (_, strokes) => {
    await expect(classifier.predict(strokes as never)).rejects.toThrow(RangeError);
  });

  test("refuses a damaged file, and one that reads strokes", async () => {
    const damaged = tiny.slice();
    damaged[damaged.length >> 1]! ^= 1;
    await expect(Classifier.load(damaged)).rejects.toThrow("damaged");
    const strokes = new Uint8Array(readFileSync(path("../../../tests/tiny/tiny.onnx")));
    await expect(Classifier.load(strokes)).rejects.toThrow("--input points");
  });

  test("works from its packed files in an empty project, and is small", async () => {
    const { folder, size } = installPacked();
    expect(size).toBeLessThan(60_000);
    expect(existsSync(join(folder, "package", "LICENSE"))).toBe(true);
    writeFileSync(join(folder, "strokes.json"), JSON.stringify(strokesOf(cases[3].points)));
    writeFileSync(
      join(folder, "try.mjs"),
      `import { readFileSync } from "node:fs";
       import { Classifier, Taught } from "sketch-infer";
       if (!Taught) process.exit(1);
       const classifier = await Classifier.load(new Uint8Array(readFileSync(process.argv[2])));
       console.log(JSON.stringify(await classifier.predict(JSON.parse(readFileSync("strokes.json", "utf8")))));`,
    );
    const model = path("../../../tests/tiny/tiny_points.onnx");
    const printed = execFileSync("node", ["try.mjs", model], { cwd: folder }).toString();
    expect(JSON.parse(printed)).toEqual(await classifier.predict(strokesOf(cases[3].points)));
  }, 120_000);
});
