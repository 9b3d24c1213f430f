"""What a claim of a job rests on besides its scores: for whom it is made, how often they were looked at, the total effect."""

from dataclasses import dataclass
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.records.estimate import Interval

Claim = Literal["data_set", "new_data"]
"""Whom an interval speaks for: this set of images and the training groups that it holds, or new data like these as well."""
TAIL = 0.025
"""What a 95 % interval leaves out on each side: the error on either side of 0 of a job that is looked at once."""


@dataclass(frozen=True, kw_only=True)
class Looks(CheckedConfig):
    """taken: how often the test scores of a job were looked at, this time included. tail: the error that this look may make on
    either side of 0."""

    taken: int = setting(1, at_least=1)
    tail: float = setting(TAIL, above=0, at_most=0.5)

    @property
    def level(self) -> float:
        """What an adjusted two-sided p-value has to lie below."""
        return 2 * self.tail


ONE_LOOK = Looks()


@dataclass(frozen=True, kw_only=True)
class TotalEffect(Interval):
    """All minus none on the validation cases, by the endpoint, before any site was chosen. explained: whether the sites that
    are kept account for it."""

    explained: bool
