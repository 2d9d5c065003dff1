"""Nodes that carry the name of the function that wrote them."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sketch_export.pen_points.tensors import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def part(function: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Tensor, P], R]:
    """Name the nodes that a function writes after it."""

    @wraps(function)
    def named(first: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        writer = first.writer
        before, writer.part = writer.part, f"points.{function.__name__}"
        try:
            return function(first, *args, **kwargs)
        finally:
            writer.part = before

    return named
