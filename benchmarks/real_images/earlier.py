"""Trainings from before scores were kept per case: five folds, three trainings an arm and fold.

Their strata follow exactly from what was kept, the mean Dice and two counts: where both masks are empty the score is 1, where
one of them is it is 0. Which case it was is not known, so that these strata have no intervals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WITHOUT_OBJECT = {"busi": 51}
"""Cases of a set whose true mask is empty, counted from the masks; 0 for the others."""


@dataclass(frozen=True, kw_only=True)
class Strata:
    """An arm, taken apart. with_object: Dice. missed, left_empty: shares; None where no case lacks the object.

    missed counts predictions without a pixel. Those that lie beside the object are not among them.
    """

    with_object: float
    missed: float
    left_empty: float | None
    missed_count: int
    with_count: int
    left_count: int
    without_count: int

    @property
    def found_dice(self) -> float:
        """Dice over cases with the object on which something was predicted."""
        return self.with_object / (1 - self.missed)


def derive_strata(arm: Mapping[str, Any], without: int) -> Strata:
    """From an arm as it was kept. without: how many of its cases lack the object.

    Case-trainings are counted: every training scores every case once.
    """
    scored, lacking = arm["cases"] * arm["trainings"], without * arm["trainings"]
    having, left = scored - lacking, arm["both_empty"]
    missed = arm["one_empty"] - (lacking - left)  # the others with one empty mask are false alarms
    return Strata(
        with_object=(arm["dice"] * scored - left) / having,  # those left empty scored 1, false alarms 0
        missed=missed / having,
        left_empty=left / lacking if lacking else None,
        missed_count=missed,
        with_count=having,
        left_count=left,
        without_count=lacking,
    )


def split_gain(one: Strata, other: Strata) -> tuple[float, float]:
    """The gain in Dice with the object in two summands: from fewer misses, and from cases on which something was predicted.

    (1 - m) d of each, m the share missed and d the Dice of the others; a change of one is weighed by the mean of the other.
    """
    fewer = (other.missed - one.missed) * (one.found_dice + other.found_dice) / 2
    better = (one.found_dice - other.found_dice) * (1 - (one.missed + other.missed) / 2)
    return fewer, better
