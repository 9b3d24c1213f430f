"""Cases in parts by the size of their object, as every page that tells scores by size cuts them."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

PARTS, FEWEST = 3, 3
"""Of so many cases each, at the least."""
_Case = TypeVar("_Case")


def cut_by_size(cases: Sequence[_Case], size: Callable[[_Case], int]) -> list[list[_Case]]:
    """As many parts as there are cases for, of nearly as many each; objects of one size are never apart.

    cases: from the smallest object to the largest, none without one. None: no part.
    """
    if not cases:
        return []
    count = max(min(PARTS, len(cases) // FEWEST), 1)
    edges = [size(cases[math.ceil(len(cases) * number / count) - 1]) for number in range(1, count + 1)]
    parts = [[case for case in cases if low < size(case) <= high] for low, high in itertools.pairwise([0, *edges])]
    return [part for part in parts if part]
