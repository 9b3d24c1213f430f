"""splits.json: which case was trained, validated and tested on, held to the data by a digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean

from focalseg.configuration import setting
from focalseg.errors import SettingError
from focalseg.records.record import Record

SPLITS = "splits.json"


@dataclass(frozen=True, kw_only=True)
class Split:
    """Names of the cases of one fold. No group has cases in two of the three."""

    fold: int = setting(at_least=0)
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Splits(Record):
    """data: the source. sha256: of the names, the groups and every pixel of all cases. groups: of each case by name. cases: the
    digest of each by name; empty where the version that wrote it kept none."""

    made_by = "`focalseg place` or `focalseg train`"
    again = "remove it and run the command that made the folder again: it is written anew, and each training tells its data"

    schema: int = 1
    data: str
    sha256: str = ""
    folds: tuple[Split, ...]
    groups: Mapping[str, str]
    cases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folds:
            raise SettingError("folds was empty; expected at least one.")

    @property
    def grouped(self) -> bool:
        """Whether some cases belong together."""
        return len(set(self.groups.values())) < len(self.groups)


def measure_overlap_of(splits: Sequence[Split], groups: Mapping[str, str]) -> float:
    """The mean share of training groups that two folds have in common, of all pairs of folds; 0 for one fold.

    groups: by case; one that is not named is a group of its own. With k folds that validate and test on a k-th each it is about
    (k - 3) / (k - 2).
    """
    trained = [{groups.get(name, name) for name in split.train} for split in splits]
    return fmean([_share(one, other) for one, other in combinations(trained, 2)] or [0.0])


def _share(one: set[str], other: set[str]) -> float:
    """Of the groups of two folds, of the mean number."""
    both = len(one) + len(other)
    return 2 * len(one & other) / both if both else 0.0
