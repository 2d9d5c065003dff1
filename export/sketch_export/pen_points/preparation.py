"""The preparation as a graph, step after step: pen points of many drawings to the strokes that the network reads.

The functions and modules carry the names of `sketch_infer.strokes` and compute the same to the last bit. What there is
a range of a flat array per line or drawing is here a number per point: of its line, of its drawing.

Shapes: n points as given, P points walked to, K points kept, S spans, b drawings.
"""

from typing import NamedTuple

from sketch_export.pen_points.pen_lines import Points, check_counts, check_points, drawing_of_point
from sketch_export.pen_points.preprocess import count_steps, drawings_to_sketches, to_batch
from sketch_export.pen_points.simplify import corners, resample, scale
from sketch_export.pen_points.tensors import Tensor, where


class Prepared(NamedTuple):
    """What the preparation makes of b drawings.

    Attributes:
        strokes: float32 (max(b, 1), sequence_length, 3); a row of zeros where there is no drawing, as ONNX Runtime's
            LSTM aborts the process on none.
        steps: int64 (b,), from corner to corner, of which the first sequence_length are in the strokes.
        refused: bool (b,), drawings that have no answer.
    """

    strokes: Tensor
    steps: Tensor
    refused: Tensor


def prepare(points: Tensor, counts: Tensor, sequence_length: int) -> Prepared:
    """Prepare drawings.

    Args:
        points: float32 (n, 3), x, y and pen, 1 on the last point of a stroke, else 0.
        counts: int64 (b,), points of each drawing; the graph fails if they do not add up to n.
        sequence_length: points that the network reads.
    """
    points = check_counts(points, counts)
    drawing, last_of_drawing = drawing_of_point(counts, points)
    given, pen, refused = check_points(points, counts)
    walked, line, owner = resample(pen | last_of_drawing, scale(drawing, given, refused))
    kept, ends_line = corners(line, walked)
    corner = Points(*(axis.take(kept).rint() for axis in walked))
    of_corner = drawing.take(owner.take(kept))
    rows = drawings_to_sketches(of_corner, corner, ends_line, counts)
    steps = where(refused, 0, count_steps(of_corner, counts))
    return Prepared(to_batch(rows, of_corner, counts, sequence_length), steps, refused)
