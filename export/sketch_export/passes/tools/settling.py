"""What an LSTM does after the last point: it comes to rest, and how it does is linear long before it has.

On constant input the state x obeys x' = F(x). Near its fixed point x*, with d = x - x* and J the derivative of F there,
d' = J d up to terms of d squared. The head adds W[t] h at every step t, so from step t on it adds

    sum over n >= 0 of W[t + n] h* + M[t] d,    M[t] = sum over n >= 0 of W[t + n] (J^(n+1))[h rows]

(the first term a table, the second a linear map of d). What J^n leaves of any d is nearly all in the span of few
columns Q, its slow modes, and M[t] Q changes slowly with t: M[t] Q = sum over k of times[t, k] modes[k]. What this
leaves out is bounded by the norms of Q'd and of d - Q Q'd, which the graph checks at run time.
"""

from dataclasses import dataclass

import numpy as np

from sketch_export.passes.tools.cell import Cell
from sketch_infer.array_types import Float64Array

_SAFETY = 4.0
"""The terms of d squared are sampled, not bounded: allow for directions that are worse than the sampled ones."""

_SAMPLE_NORM = 1e-2
"""Norm of the sampled d: small enough for the square to dominate higher powers, large enough for float64."""

_LATE_SHARE = 0.01
"""Share of the sample states that may settle later: they, and real ones like them, go on alone."""

_STEPS_FOR_SIZE = 2
"""Steps, each a hundredth of a sketch's, that a basis of fewer modes and so a smaller file may cost."""

_NOISE_ROOM = 1.5
"""How much more noise than that of the sample states may be in int8 states that are at rest."""


class DoesNotSettle(Exception):  # noqa: N818  # not an error: such a network keeps its full sequence
    """The network has no common resting state that it reaches soon enough; the message says how that was seen."""


@dataclass(frozen=True)
class Tail:
    """How to stop the forward direction early.

    Attributes:
        steps: how long to go on after the last point.
        rest: x*, (2 * hidden,).
        at_rest: (time + 1, classes), what the head adds from step t on if the state is x*.
        basis: Q, (2 * hidden, modes).
        times: (time + 1, ranks), and
        modes: (modes, ranks * classes): M[t] Q = sum over k of times[t, k] modes[k], by columns (rank, class).
        slow_bound, fast_bound: largest norms of Q'd and d - Q Q'd at which the above is exact enough.
        basis_rounding, modes_rounding: largest norms of a column's change that leave it so.
    """

    steps: int
    rest: Float64Array
    at_rest: Float64Array
    basis: Float64Array
    times: Float64Array
    modes: Float64Array
    slow_bound: float
    fast_bound: float
    basis_rounding: float
    modes_rounding: float


def find_tail(
    cell: Cell, inputs: Float64Array, head: Float64Array, drawn: Float64Array, budget: float, int8: bool = False
) -> Tail:
    """Find how soon after the last point a direction may stop, and what to add then.

    Args:
        cell: the direction.
        inputs: what it reads after the last point, (inputs,).
        head: (time, hidden, classes).
        drawn: states at the last point of sample sketches, (rows, 2 * hidden).
        budget: largest error of a logit.
        int8: whether the cell, of int8 weights, also rounds the h that it reads. That noise never settles and is no
            sign of a late sketch, so the bounds leave room for it.

    Raises:
        DoesNotSettle: if there is no common fixed point, or it is reached too late to save a quarter of the steps.
    """
    time = len(head)
    rest = _resting_state(cell, inputs, drawn, time)
    jacobian = cell.jacobian(inputs, rest)
    response = _response(jacobian, head)
    at_rest = np.concatenate(
        [np.cumsum((rest[: cell.hidden_size] @ head)[::-1], axis=0)[::-1], np.zeros((1, head.shape[2]))]
    )
    settling = (cell.rest_rounded if int8 else cell.rest)(inputs, drawn, time) - rest
    basis = _slow_basis(jacobian, budget)
    seen = (settling @ basis)[:: max(time // 8, 1)]
    slow_bound = _slow_bound(cell, inputs, rest, head, response, basis, seen, budget / 2)
    # What follows is by number of modes, from 1 on.
    slow, fast = np.sqrt(np.cumsum((settling @ basis) ** 2, axis=2)), _norms_beyond(settling, basis)
    fast_bounds = np.minimum(budget / 4 / np.maximum(_norms_beyond(response, basis).max(axis=(0, 1)), 1e-300), 1.0)
    if int8:
        fast_bounds = np.maximum(fast_bounds, _NOISE_ROOM * fast[time // 2 :].max(axis=(0, 1)))
    late = ((slow > slow_bound) | (fast > fast_bounds)).mean(axis=1) > _LATE_SHARE  # (time, modes)
    stops = np.where(late.any(axis=0), time - late[::-1].argmax(axis=0), 0) + 1
    soonest = int(stops.min())
    if soonest > time * 3 // 4:
        if soonest > time:
            raise DoesNotSettle(f"sample sketches have not settled {time} steps after their last point")
        raise DoesNotSettle(f"sample sketches take {soonest} of the {time} steps to settle after their last point")
    ranks = _in_time(response[soonest:] @ basis, budget / 8 / slow_bound)[0].shape[1]
    # A mode takes as many multiplications as so many steps.
    price = (4 * cell.hidden_size + ranks * head.shape[2]) / cell.multiplications
    costs = stops + price * np.arange(1, len(stops) + 1)
    best = int(np.flatnonzero(costs <= costs.min() + _STEPS_FOR_SIZE)[0])
    basis, fast_bound, steps = basis[:, : best + 1], float(fast_bounds[best]), int(stops[best])
    times, modes = _in_time(response[steps:] @ basis, budget / 8 / slow_bound)
    modes_rounding = budget / 8 / slow_bound / max(np.abs(times).sum(axis=1).max(), 1e-300)
    times = np.concatenate([np.zeros((steps, times.shape[1])), times])
    basis_rounding = fast_bound / slow_bound / 10 / np.sqrt(basis.shape[1])
    return Tail(steps, rest, at_rest, basis, times, modes, slow_bound, fast_bound, basis_rounding, modes_rounding)


def _resting_state(cell: Cell, inputs: Float64Array, drawn: Float64Array, time: int) -> Float64Array:
    """Return the state that sketches, random states and extreme ones all reach within the sequence."""
    random = np.random.default_rng(0)
    shape = (64, cell.hidden_size)
    # |c| grows by at most 1 a step: these gates were open for up to a quarter of the sequence.
    cells = random.choice([1, time / 16, time / 4], (shape[0], 1)) * random.choice([-1, 1], shape)
    starts = np.vstack([drawn, np.hstack([random.uniform(-1, 1, shape), cells]), np.zeros((1, 2 * cell.hidden_size))])
    ends = cell.rest(inputs, starts, time)[-1]
    rest = ends[-1:]
    for _ in range(100):
        before, rest = rest, cell.rest(inputs, rest, time)[-1]
        if np.abs(rest - before).max() < 1e-12:
            break
    else:
        raise DoesNotSettle(f"its state still moves after {100 * time} steps of padding")
    distance = np.abs(ends - rest).max()
    if distance > _SAMPLE_NORM:
        raise DoesNotSettle(f"from some states it is still {distance:.1e} from rest after {time} steps of padding")
    state: Float64Array = rest[0]
    return state


def _norms_beyond(vectors: Float64Array, modes: Float64Array) -> Float64Array:
    """Return the norms of what the first 1, 2 ... modes leave of vectors (..., 2 * hidden), (..., modes)."""
    along = vectors @ modes
    outside = ((vectors - along @ modes.T) ** 2).sum(axis=-1, keepdims=True)
    further = np.concatenate([along[..., 1:] ** 2, outside], axis=-1)
    return np.asarray(np.sqrt(np.cumsum(further[..., ::-1], axis=-1)[..., ::-1]))


def _response(jacobian: Float64Array, head: Float64Array) -> Float64Array:
    """Return M, (time + 1, classes, 2 * hidden): M[t] = (W[t] on h + M[t + 1]) J, M[time] = 0."""
    time, hidden, classes = head.shape
    response = np.zeros((time + 1, classes, 2 * hidden))
    for step in reversed(range(time)):
        seen = response[step + 1].copy()
        seen[:, :hidden] += head[step].T
        response[step] = seen @ jacobian
    return response


def _slow_basis(jacobian: Float64Array, budget: float) -> Float64Array:
    """Return an orthonormal basis, (2 * hidden, modes), of what is left of deviations that have nearly gone."""
    power = jacobian
    while np.linalg.norm(power, 2) > np.sqrt(budget):
        power = power @ jacobian
    directions, sizes, _ = np.linalg.svd(power)
    return np.asarray(directions[:, : max(1, int((sizes > budget / 4).sum()))])


def _slow_bound(
    cell: Cell,
    inputs: Float64Array,
    rest: Float64Array,
    head: Float64Array,
    response: Float64Array,
    basis: Float64Array,
    seen: Float64Array,
    budget: float,
) -> float:
    """Return the norm of Q'd below which the terms of d squared stay within the budget."""
    random = np.random.default_rng(1)
    time, modes = len(head), basis.shape[1]
    positions = np.linspace(0, time - 1, 12).astype(int)
    steepest = np.linalg.svd((response[positions] @ basis).reshape(-1, modes), full_matrices=False)[2][:16]
    chosen = random.permutation(seen.reshape(-1, modes))[:64]
    directions = np.vstack([steepest, chosen, random.normal(size=(32, modes))])
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = (directions / np.maximum(norms, 1e-300))[norms[:, 0] > 1e-12] @ basis.T
    starts = _SAMPLE_NORM * np.vstack([directions, -directions])
    deviations = (cell.rest(inputs, rest + starts, time) - rest)[:, :, : cell.hidden_size]
    worst = 0.0
    for position in positions:
        # What is left at the step `position` is the same however long the padding was before.
        left = deviations[: time - position].transpose(1, 0, 2).reshape(len(starts), -1)
        exact = left @ head[position:].reshape(-1, head.shape[2])
        worst = max(worst, float(np.abs(exact - starts @ response[position].T).max()))
    curvature = _SAFETY * worst / _SAMPLE_NORM**2
    return float(min(np.sqrt(budget / max(curvature, 1e-300)), 1.0))


def _in_time(response: Float64Array, tolerance: float) -> tuple[Float64Array, Float64Array]:
    """Factor (time, classes, modes) into times (time, ranks) and modes (modes, ranks * classes), within a tolerance."""
    time, classes, modes = response.shape
    left, scales, right = np.linalg.svd(response.reshape(time, -1), full_matrices=False)
    for ranks in range(1, len(scales) + 1):
        times = left[:, :ranks] * scales[:ranks]
        rest = response - (times @ right[:ranks]).reshape(response.shape)
        if np.linalg.norm(rest, axis=2).max() <= tolerance:
            break
    return times, right[:ranks].reshape(ranks, classes, modes).transpose(2, 0, 1).reshape(modes, -1)
