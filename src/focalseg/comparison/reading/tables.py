"""What readers hand on: tables of one training each, as they lie on disk, and what a case without the object counts."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from focalseg.comparison.known_metrics import is_distance
from focalseg.comparison.systems import ArmOfJob, Counted, Training
from focalseg.errors import SettingError
from focalseg.findings import show_value

Empty = Literal["one", "zero", "leave-out"]
EMPTY_POLICIES: tuple[Empty, ...] = ("one", "zero", "leave-out")
EXAMPLE = "case,score[,seed,fold,group,label], or case and a column per system"
"""What a table of scores looks like."""
_IMAGE_ENDING = re.compile(r"\.(nii\.gz|nii|png|jpe?g|tiff?|bmp|mha|mhd|nrrd|npy|npz|b2nd|gz)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The score of one label of one case, nan where there is none. true, predicted: its pixels, None where nobody counted.
    dice: its Dice, whatever the score is, nan where both masks are empty; None where nobody says."""

    score: float
    true: float | None = None
    predicted: float | None = None
    dice: float | None = None

    @property
    def both_empty(self) -> bool:
        """Whether it is known that there was nothing to find and nothing was found."""
        return self.true == 0 and self.predicted == 0


@dataclass(frozen=True, kw_only=True)
class Table:
    """Scores of one training as read. source: its path. metric: the name of the score there. cells: by case and label.

    system: the name that the file has for it, "" where it has none. measure: in which units, or at which tolerances, as far as
    the file says. silent: None where it is to be found out from the cells. endpoint: of trainings of ours, the score that is
    compared by default. shared, of_job: as a `System` has them.
    """

    source: str
    metric: str
    cells: Mapping[str, Mapping[str, Cell]]
    system: str = ""
    fold: str = ""
    seed: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    silent: bool | None = None
    measure: tuple[str, ...] = ()
    endpoint: str = ""
    shared: float | None = None
    of_job: ArmOfJob | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the training predicts nothing at all, on cases that are known to hold something."""
        if self.silent is not None:
            return self.silent
        cells = [cell for labels in self.cells.values() for cell in labels.values()]
        return any(cell.true for cell in cells) and all(cell.predicted == 0 for cell in cells)


def name_case(file: str) -> str:
    """The name of a case from the path of its image: the last part without the ending of an image."""
    return _IMAGE_ENDING.sub("", re.split(r"[/\\]", file.strip())[-1])


def take_training(table: Table, empty: Empty) -> Training:
    """The scores of a table, where a case without the object that was left empty counts as empty says."""
    perfect = 0.0 if is_distance(table.metric) else 1.0
    value = {"one": perfect, "zero": 0.0, "leave-out": math.nan}[empty]
    return Training(
        scores={
            case: {label: value if cell.both_empty else cell.score for label, cell in cells.items()}
            for case, cells in table.cells.items()
        },
        fold=table.fold,
        seed=table.seed,
        silent=table.is_silent,
        counted=_take_counted(table),
    )


def _take_counted(table: Table) -> dict[str, dict[str, Counted]]:
    """Dice and pixels of every label of every case, none where those of any are not known."""
    counted: dict[str, dict[str, Counted]] = {}
    for case, cells in table.cells.items():
        for label, cell in cells.items():
            if cell.true is None or cell.predicted is None or cell.dice is None:
                return {}
            if math.isnan(cell.dice) and not cell.both_empty:  # a score that is lacking, of whatever masks
                return {}
            counted.setdefault(case, {})[label] = Counted(dice=cell.dice, true=cell.true, predicted=cell.predicted)
    return counted


def check_empty(tables: Sequence[Table], empty: str | None) -> Empty:
    """What a case without the object counts, `one` where nobody says. Raises SettingError where the scores do not allow it."""
    if empty is not None and empty not in EMPTY_POLICIES:
        raise SettingError(f"--empty was {show_value(empty)}; expected one of {', '.join(EMPTY_POLICIES)}.")
    metrics = {table.metric for table in tables}
    if empty == "zero" and (distances := [metric for metric in metrics if is_distance(metric)]):
        raise SettingError(
            f"--empty zero is the worst score, which {distances[0]} has none of: 0 is its best. Give --empty one, which counts "
            "such a case as perfect, or --empty leave-out."
        )
    if empty in ("one", "zero"):
        for table in tables:
            for case in _list_unknown(table):
                raise SettingError(
                    f"{table.source}: case {show_value(case)} has no score (nan), and nothing tells whether it was empty, so "
                    f"that --empty {empty} cannot be applied. Give --empty leave-out, or write the score that it is to have."
                )
    chosen: Empty = "one" if empty is None else next(policy for policy in EMPTY_POLICIES if policy == empty)
    return chosen


def _list_unknown(table: Table) -> Iterator[str]:
    """Cases without a score of which nobody counted pixels."""
    for case, cells in table.cells.items():
        if any(math.isnan(cell.score) and cell.true is None for cell in cells.values()):
            yield case


def count_both_empty(tables: Sequence[Table]) -> int:
    """Labels of cases, over all trainings, that are known to be empty and were left empty."""
    return sum(cell.both_empty for table in tables for cells in table.cells.values() for cell in cells.values())
