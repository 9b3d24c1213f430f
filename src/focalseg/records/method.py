"""method.json: what a job reached with the placement that a training on all data follows, which has no test of its own."""

from dataclasses import dataclass
from pathlib import Path

from focalseg.configuration import setting
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.records.estimate import DiceInterval
from focalseg.records.placement import PLACED, JobRecord
from focalseg.records.record import Record, read_record, was_sealed
from focalseg.records.splits import SPLITS, Splits

METHOD = "method.json"


@dataclass(frozen=True, kw_only=True)
class MethodFigure(DiceInterval, Record):
    """Test Dice of a job's placed networks with its 95 % interval. data: that of the job, empty where nothing tells. cases,
    groups: those that were tested. trainings: how many, over all folds."""

    made_by = "`focalseg train --all-data`"
    indent = 2

    data: str = ""
    cases: int = setting(at_least=0)
    groups: int = setting(at_least=0)
    trainings: int = setting(at_least=0)

    def __str__(self) -> str:
        where = f" of {self.data}" if self.data else ""
        return (
            f"a test Dice of {self.dice:.3f} (95 % interval {self.low:.3f} to {self.high:.3f}) on {counted(self.cases, 'case')}"
            f"{where}, the mean over {counted(self.trainings, 'training')}"
        )


def find_method(placement: Path) -> MethodFigure | None:
    """What the job of a placement.json reached; None for a placement of no job, and for one that was edited by hand since."""
    try:
        record = read_record(JobRecord, placement) if was_sealed(placement) else None
        splits = placement.with_name(SPLITS)
        data = read_record(Splits, splits).data if splits.is_file() else ""
    except SettingError:
        return None
    if record is None:
        return None
    arm = record.arms[PLACED]
    return MethodFigure(
        dice=arm.dice,
        low=arm.low,
        high=arm.high,
        data=data,
        cases=arm.cases,
        groups=arm.groups,
        trainings=arm.trainings * arm.folds,
    )
