"""What the scores are, as the caller says."""

import math
from dataclasses import dataclass
from typing import get_args

from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.records.outcome.claims import Claim
from focalseg.records.scores.comparison import Better


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """metric: the name of the score. better: which end of it is the good one. margin: the loss that would not matter, fixed
    before the scores were seen. difference: one that would matter, of which it is told what would show it. span: between which
    a score lies; None: 0 to 1 where higher is better and all of them do, 0 and more of a distance, else unbounded. empty: what
    a case without the object counts, "" where the scores do not tell. with_object: whether the metric, Dice, is compared over
    the cases that have the object alone. claim: whom intervals are to speak for, None: new data, or what a job of ours says."""

    metric: str = "score"
    better: Better = "higher"
    margin: float | None = None
    difference: float | None = None
    span: tuple[float, float] | None = None
    empty: str = ""
    with_object: bool = False
    claim: Claim | None = None

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise SettingError(f"better was {show_value(self.better)}; expected 'higher' or 'lower'.")
        if self.claim is not None and self.claim not in get_args(Claim):
            raise SettingError(f"claim was {show_value(self.claim)}; expected {' or '.join(get_args(Claim))}.")
        if self.margin is not None and not 0 < self.margin < math.inf:
            raise SettingError(
                f"margin was {self.margin}; expected a positive number, the loss that would not matter, such as 0.01."
            )
        if self.difference is not None and not 0 < self.difference < math.inf:
            raise SettingError(
                f"difference was {self.difference}; expected a positive number, one that would matter, such as 0.02."
            )
        if self.span is not None and not self.span[0] < self.span[1]:
            raise SettingError(f"span was {self.span}; expected the least and the largest score that can be, such as (0, 1).")
