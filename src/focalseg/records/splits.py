"""splits.json: which case was trained, validated and tested on, held to the data by a digest."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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

    def measure_shared(self) -> float:
        """The mean share of the groups that two folds are trained on which they have in common, 0 to 1; 0 for one fold."""
        parts = [{self.groups.get(case, case) for case in split.train} for split in self.folds]
        pairs = [(one, other) for number, one in enumerate(parts) for other in parts[:number] if one or other]
        shares = [2 * len(one & other) / (len(one) + len(other)) for one, other in pairs]
        return sum(shares) / len(shares) if shares else 0.0

    @property
    def grouped(self) -> bool:
        """Whether some cases belong together."""
        return len(set(self.groups.values())) < len(self.groups)
