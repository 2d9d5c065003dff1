/** Pen strokes as the network reads them: `sketch_infer.strokes.preprocess` again, held to it by the golden vectors. */

/** One pen line: x and y of its points, in any unit, y downwards. */
export type Stroke = [x: number[], y: number[]];
export type Drawing = Stroke[];

/** What callers may give: columns, as in Quick, Draw!, or lists of points. */
export type GivenDrawing = (number[][] | { x: number; y: number }[])[];

/** Values in a row of a sketch: dx, dy, pen. */
export const INPUT_SIZE = 3;

/** The convention that `drawingToSketch` implements, as the model file records it. */
export const PREPROCESSING =
  "stroke-3: x and y min-max scaled to [0, 1] per axis over the drawing, then differences between points " +
  "(the first point dropped); pen = 1 on the last point of a stroke, else 0; zero rows after the last point";

/**
 * Bring strokes to columns by the rule of `sketch_infer.strokes.drawing_forms`: with objects, or with lists of 2 or 3
 * values, more than three of them or one alone, strokes are points; where all strokes have two or three lists, columns.
 */
export function toColumns(given: GivenDrawing): Drawing {
  const strokes = given.map((stroke) => stroke.map((inner) => (Array.isArray(inner) ? inner : [inner.x, inner.y])));
  const named = given.some((stroke) => stroke.some((inner) => !Array.isArray(inner)));
  const lengths = strokes.flatMap((stroke) => stroke.map((inner) => inner.length));
  const inColumns = strokes.every((stroke) => stroke.length === 2 || stroke.length === 3);
  if (!named && (inColumns || lengths.some((length) => length !== 2 && length !== 3))) return strokes.map(columns);
  return strokes
    .filter((stroke) => stroke.length > 0)
    .map((stroke) => [stroke.map((point) => point[0]!), stroke.map((point) => point[1]!)]);
}

function columns([x, y]: number[][], stroke: number): Stroke {
  if (!x || !y) throw new RangeError(`expected stroke ${stroke} as [[x...], [y...]] or as points [[x, y], ...]`);
  if (x.length !== y.length)
    throw new RangeError(`expected as many x as y in stroke ${stroke}, found ${x.length} x and ${y.length} y`);
  return [x, y];
}

/** Bring a drawing of two or more points to rows of (dx, dy, pen), flat, one row fewer than it has points. */
export function drawingToSketch(given: GivenDrawing): Float32Array {
  const drawing = toColumns(given);
  const count = countPoints(drawing);
  if (count < 2) throw new RangeError(`expected a drawing of at least 2 points, found ${count}`);
  const sketch = new Float32Array((count - 1) * INPUT_SIZE);
  for (const axis of [0, 1] as const) {
    const scaled = minMaxScale(drawing.flatMap((stroke) => stroke[axis]));
    for (let row = 0; row < count - 1; row++) sketch[row * INPUT_SIZE + axis] = scaled[row + 1]! - scaled[row]!;
  }
  let end = 0;
  for (const [x] of drawing) {
    end += x.length;
    if (end >= 2 && x.length > 0) sketch[(end - 2) * INPUT_SIZE + 2] = 1;
  }
  return sketch;
}

/** Pad a sketch with zero rows, or cut it, to the length that the network reads. */
export function toLength(sketch: Float32Array, sequenceLength: number): Float32Array {
  const row = new Float32Array(sequenceLength * INPUT_SIZE);
  row.set(sketch.subarray(0, row.length));
  return row;
}

export function countPoints(drawing: Drawing): number {
  return drawing.reduce((total, [x]) => total + x.length, 0);
}

/** Smallest and largest value; a loop, since spreading a long line's points would overflow the stack. */
export function range(values: number[]): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Halved as in Python, so that the extent of huge coordinates does not overflow; an axis without extent stays. */
function minMaxScale(values: number[]): number[] {
  const [low, high] = range(values);
  const extent = high / 2 - low / 2 || 0.5;
  return values.map((value) => (value / 2 - low / 2) / extent);
}
