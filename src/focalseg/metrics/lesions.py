"""Lesions found, missed and invented: connected components of two masks, matched."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from focalseg.errors import SettingError
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty, check_empty, settle_empty
from focalseg.metrics.masks import read_binary
from focalseg.metrics.surfaces import find_box

Touching = Literal["corners", "faces"]
"""What joins two pixels into one lesion: a shared corner (8 neighbours in 2-D, 26 in 3-D) or a shared face (4, 6)."""
DEFAULT_TOUCHING: Touching = "corners"


@dataclass(frozen=True, kw_only=True)
class LesionRule:
    """When a predicted and a true lesion are the same, and what one lesion is.

    least_iou None: lesions that share a pixel are matched, each with as many others as it shares pixels with. A number in
    (0, 1]: pairs of at least that IoU are matched one to one, as many pairs as there can be; above 0.5 there is but one way
    (Kirillov et al. 2019, the matching of panoptic quality). Raises SettingError for anything else.
    """

    least_iou: float | None = None
    touching: Touching = DEFAULT_TOUCHING

    def __post_init__(self) -> None:
        least = self.least_iou
        if least is not None and not (isinstance(least, int | float | np.number) and 0 < least <= 1):
            raise SettingError(
                f"least_iou is {least!r}; expected a number above 0 and up to 1, such as least_iou=0.5; or None, by which one "
                "shared pixel is enough."
            )
        if self.touching not in get_args(Touching):
            raise SettingError(f'touching is {self.touching!r}; expected "corners" or "faces".')


@dataclass(frozen=True, kw_only=True)
class Lesions:
    """Counts of lesions. true, predicted: in either mask. found: of the true ones, right: of the predicted ones, those that
    are matched; the two differ where one lesion is matched with several. rule: what matches."""

    true: int
    predicted: int
    found: int
    right: int
    rule: LesionRule

    def recall(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """found / true, the lesion-wise sensitivity."""
        return self._settle(self.found / self.true if self.true else math.nan, empty)

    def precision(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """right / predicted."""
        return self._settle(self.right / self.predicted if self.predicted else math.nan, empty)

    def f1(self, empty: Empty = DEFAULT_EMPTY) -> float:
        """The harmonic mean of recall and precision; 0 where nothing is found, or one mask has no lesion."""
        product, total = 0.0, 0.0
        if self.true and self.predicted:
            recall, precision = self.found / self.true, self.right / self.predicted
            product, total = 2 * recall * precision, recall + precision
        value = product / total if total else 0.0 if self.true or self.predicted else math.nan
        return self._settle(value, empty)

    def _settle(self, value: float, empty: Empty) -> float:
        return settle_empty(value, best=1.0, worst=0.0, first=self.true, second=self.predicted, empty=empty)


def count_lesions(
    predicted: Any,
    reference: Any,
    *,
    least_iou: float | None = None,
    touching: Touching = DEFAULT_TOUCHING,
    inside: Any = None,
) -> Lesions:
    """Matches the connected components of two masks of one label, (*spatial) bool or 0 and 1, 1 to 3 axes.

    least_iou, touching: what is matched, as in `LesionRule`. Raises SettingError for another rule, else as `dice` does.
    """
    rule = LesionRule(least_iou=least_iou, touching=touching)
    one, other = read_binary(predicted, reference, inside)
    box = find_box(one, other)
    return match_lesions(one[box], other[box], rule)


def match_lesions(predicted: np.ndarray, reference: np.ndarray, rule: LesionRule) -> Lesions:
    """`count_lesions` of bool masks that were checked."""
    mine, predicted_count = _label(predicted, rule.touching)
    theirs, true_count = _label(reference, rule.touching)
    rows, columns, shared = _count_shared(mine, theirs, true_count)
    if rule.least_iou is None:
        found, right = int(np.unique(columns).size), int(np.unique(rows).size)
    else:
        unions = np.bincount(mine.ravel())[rows] + np.bincount(theirs.ravel())[columns] - shared
        # A hair below: a half is a half however it was rounded.
        good = shared >= (rule.least_iou - 1e-12) * unions
        found = right = _pair_most(rows[good], columns[good], (predicted_count + 1, true_count + 1))
    return Lesions(true=true_count, predicted=predicted_count, found=found, right=right, rule=rule)


def _label(mask: np.ndarray, touching: Touching) -> tuple[np.ndarray, int]:
    """Numbers of the lesions by pixel, from 1, and how many there are."""
    from scipy.ndimage import generate_binary_structure, label

    joined = generate_binary_structure(mask.ndim, mask.ndim if touching == "corners" else 1)
    numbers, count = label(mask, joined)
    return numbers, int(count)


def _count_shared(mine: np.ndarray, theirs: np.ndarray, true_count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of lesions that share pixels, by number, and how many pixels."""
    both = (mine > 0) & (theirs > 0)
    pairs, shared = np.unique(mine[both].astype(np.int64) * (true_count + 1) + theirs[both], return_counts=True)
    rows, columns = np.divmod(pairs, true_count + 1)
    return rows, columns, shared


def _pair_most(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> int:
    """The most pairs of which no two share a lesion."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    graph = coo_array((np.ones(rows.size), (rows, columns)), shape=shape).tocsr()
    return int(np.count_nonzero(maximum_bipartite_matching(graph, perm_type="column") >= 0))


def lesion_f1(
    predicted: Any,
    reference: Any,
    *,
    least_iou: float | None = None,
    touching: Touching = DEFAULT_TOUCHING,
    inside: Any = None,
    empty: Empty = DEFAULT_EMPTY,
) -> float:
    """The F1 score over lesions instead of pixels, in [0, 1]; arguments as for `count_lesions`."""
    check_empty(empty)
    found = count_lesions(predicted, reference, least_iou=least_iou, touching=touching, inside=inside)
    return found.f1(empty)
