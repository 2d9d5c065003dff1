/** A house of two strokes: what the tests of the library classify. */

export const house = [
  [
    [0, 50],
    [0, 120],
    [100, 120],
    [100, 50],
    [0, 50],
  ],
  [
    [0, 50],
    [50, 0],
    [100, 50],
  ],
] as const;
