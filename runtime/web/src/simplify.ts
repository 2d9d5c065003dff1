/** Google's simplification of Quick, Draw! drawings: `sketch_infer.strokes.simplify` again, held to it by the golden vectors. */

import { type Drawing, type GivenDrawing, range, type Stroke, toColumns } from "./strokes";

/** The larger side of a simplified drawing. */
const SIDE = 255;

/** How far, in units of SIDE, a left-out point may stand from the line that replaces it. */
const EPSILON = 2;

/** Lengths are rounded to whole multiples of 1 / GRID, so that their sums are exact. */
const GRID = 2 ** 32;

/** Points whose distances from a chord differ by less are equally far; the first of them is the corner. */
const TIE = 1e-9;

type Points = { x: Float64Array; y: Float64Array };

/** Scale the larger side to 255, resample each stroke at a spacing of 1, and keep its corners as integers. */
export function simplifyDrawing(given: GivenDrawing): Drawing {
  const lines = toColumns(given).filter(([x]) => x.length > 0);
  const [lowX, highX] = range(lines.flatMap(([x]) => x));
  const [lowY, highY] = range(lines.flatMap(([, y]) => y));
  const extent = Math.max(highX - lowX, highY - lowY);
  const scale = extent ? SIDE / extent : 1;
  return lines.map(([x, y]) => {
    const scaled = {
      x: Float64Array.from(x, (value) => (value - lowX) * scale),
      y: Float64Array.from(y, (value) => (value - lowY) * scale),
    };
    return corners(resample(scaled));
  });
}

/**
 * Where one stands on a walk along a line in steps of 1: the first and the last step on each segment, since those
 * between are no farther from any chord and so never a corner; then the line's last point.
 */
function resample({ x, y }: Points): Points {
  const end = x.length - 1;
  const walkedX: number[] = [];
  const walkedY: number[] = [];
  let along = 0;
  for (let i = 0; i < end; i++) {
    const dx = x[i + 1]! - x[i]!;
    const dy = y[i + 1]! - y[i]!;
    const length = roundHalfToEven(norm(dx, dy) * GRID) / GRID;
    const next = along + length;
    const first = Math.ceil(along);
    const last = Math.ceil(next) - 1;
    for (const step of last > first ? [first, last] : last === first ? [first] : []) {
      const share = (step - along) / length;
      walkedX.push(x[i]! + share * dx);
      walkedY.push(y[i]! + share * dy);
    }
    along = next;
  }
  walkedX.push(x[end]!);
  walkedY.push(y[end]!);
  if (along === 0) {
    // A dot is written as its point twice, as in the data set.
    walkedX.push(x[end]!);
    walkedY.push(y[end]!);
  }
  return { x: Float64Array.from(walkedX), y: Float64Array.from(walkedY) };
}

/** Ramer-Douglas-Peucker. */
function corners({ x, y }: Points): Stroke {
  const kept = new Uint8Array(x.length);
  kept[0] = kept[x.length - 1] = 1;
  const spans: [number, number][] = [[0, x.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [first, last] = span;
    const dx = x[last]! - x[first]!;
    const dy = y[last]! - y[first]!;
    const length = norm(dx, dy);
    // Distances times the length.
    const off = (i: number) => {
      const toX = x[i]! - x[first]!;
      const toY = y[i]! - y[first]!;
      return length === 0 ? norm(toX, toY) : Math.abs(toX * dy - toY * dx);
    };
    const unit = length || 1;
    let largest = 0;
    for (let i = first + 1; i < last; i++) largest = Math.max(largest, off(i));
    if (largest <= EPSILON * unit) continue;
    let farthest = first + 1;
    while (off(farthest) < largest - TIE * unit) farthest++;
    kept[farthest] = 1;
    spans.push([first, farthest], [farthest, last]);
  }
  const keep = (values: Float64Array) => Array.from(values.filter((_, i) => kept[i])).map(roundHalfToEven);
  return [keep(x), keep(y)];
}

function norm(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}

/** As np.rint does; Math.round takes halves up. */
function roundHalfToEven(value: number): number {
  const down = Math.floor(value);
  const above = value - down;
  return above > 0.5 || (above === 0.5 && down % 2 !== 0) ? down + 1 : down;
}
