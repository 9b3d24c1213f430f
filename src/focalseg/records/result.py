"""result.json: what a finished run cost. It is written last and says that all else is there; the scores are in cases.csv."""

from dataclasses import dataclass

from focalseg.configuration import setting
from focalseg.records.record import Record

RESULT = "result.json"


@dataclass(frozen=True, kw_only=True)
class Result(Record):
    """What a finished run cost. flops: multiply-adds counted as two, one image forward. seconds: training alone, by the clock.

    step_seconds: of one step, the mean over all: processor seconds of all threads, which other programs on the machine do not
    lengthen; on an accelerator by the clock. None in files of before it was measured.
    """

    made_by = "a finished training"
    again = "remove it if it is there, and run the command that made the folder again, which writes it from the checkpoint"
    indent = 2

    modules: int = setting(at_least=0)
    parameters: int = setting(at_least=0)
    flops: int = setting(at_least=0)
    seconds: float = setting(at_least=0)
    step_seconds: float | None = setting(None, at_least=0)
