"""Many things prepared at once, or one by one to learn which of them cannot be."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sketch_infer.errors import InputError

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


def prepare_each(
    items: Sequence[Item], prepare: Callable[[Sequence[Item]], Sequence[Prepared]]
) -> list[Prepared | InputError]:
    """Prepare items, all at once where that works, because one by one takes several times as long.

    Args:
        items: what `prepare` takes, one or more at a time.
        prepare: returns as many results, or raises InputError.

    Returns:
        for each item its result, or the error that it raises alone.
    """
    if not items:
        return []
    try:
        return list(prepare(items))
    except InputError:
        pass
    found: list[Prepared | InputError] = []
    for item in items:
        try:
            found += prepare([item])
        except InputError as error:
            found.append(InputError(str(error)))  # without the traceback, which holds all the items
    return found
