"""looks.json: how often the test scores of a job were looked at, by how many trainings each time, and what was found."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.records.estimate import DiceInterval
from focalseg.records.record import Record

LOOKS = "looks.json"


@dataclass(frozen=True, kw_only=True)
class Look(CheckedConfig):
    """One look at the test scores. seeds: trainings per arm and fold; folds: how many are tested.

    tail: the error on either side that this look may make. spent: what all looks up to it may make together. verdict, sentence,
    difference: as they were found at this look; None and empty while its trainings go on.
    """

    seeds: int = setting(at_least=1)
    folds: int = setting(at_least=1)
    tail: float = setting(above=0, at_most=0.5)
    spent: float = setting(above=0, at_most=0.5)
    verdict: Literal["helps", "no_difference_shown", "harms"] | None = None
    sentence: str = ""
    difference: DiceInterval | None = None

    @property
    def trainings(self) -> int:
        """Per arm, over all folds."""
        return self.seeds * self.folds

    @property
    def finished(self) -> bool:
        """Whether it was judged."""
        return self.verdict is not None


@dataclass(frozen=True, kw_only=True)
class LookHistory(CheckedConfig, Record):
    """All looks of a job, in their order; the last one may be under way.

    most_trainings: per arm and over all folds, up to which the job was planned to go on before its first look; 0 where nothing
    was planned.
    """

    made_by = "`focalseg place`"
    again = "start anew with another --out, since nobody knows any more how often this job was judged"

    schema: int = 1
    most_trainings: int = setting(0, at_least=0)
    looks: tuple[Look, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.looks:
            raise SettingError("looks was empty; expected at least one.")
        for number, (one, later) in enumerate(pairwise(self.looks)):
            if not one.finished:
                raise SettingError(f"looks[{number}] has no verdict; expected one, since another look follows it.")
            if later.seeds < one.seeds or later.folds < one.folds or later.trainings == one.trainings:
                raise SettingError(f"looks[{number + 1}] has no more trainings than the look before it; expected more.")

    @property
    def last(self) -> Look:
        """The look that is under way, or else the latest one."""
        return self.looks[-1]
