"""The search is exact: the same as comparing and sorting all codes."""

import numpy as np
import pytest

from sketch_infer import DependencyError
from sketch_search.hamming import as_words, nearest


@pytest.mark.parametrize("n_bytes", [1, 2, 4, 5, 8, 12, 16])
@pytest.mark.parametrize(("n", "k"), [(0, 3), (2, 3), (30_000, 1), (30_000, 50)])
def test_nearest_is_what_sorting_all_gives(n_bytes: int, n: int, k: int) -> None:
    random = np.random.default_rng(n_bytes)
    codes = random.integers(0, 256, (n, n_bytes), np.uint8)
    codes[n // 2 :] = codes[: n - n // 2]  # many are equally near
    query = random.integers(0, 256, n_bytes, np.uint8)
    differing = np.unpackbits(codes ^ query, axis=1).sum(axis=1)
    expected = np.argsort(differing, kind="stable")
    expected = expected[: np.searchsorted(differing[expected], differing[expected[k - 1]], "right") if k < n else n]
    positions, distances = nearest(as_words(codes), as_words(query[None])[0], k)
    np.testing.assert_array_equal(positions, expected)
    np.testing.assert_array_equal(distances, differing[expected])


def test_an_old_numpy_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np, "bitwise_count")
    with pytest.raises(DependencyError, match=r"needs numpy 2 or later, found .*\[search\]"):
        as_words(np.zeros((1, 8), np.uint8))
