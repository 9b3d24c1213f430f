"""What an answer rests on, from finished runs: how their validation Dice went, and what they did not find."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from focalseg.evaluation.undertraining import Rise, Silence, find_rises
from focalseg.evaluation.verdict import Footing
from focalseg.study.running.runs import TEST, VALIDATION, RunPlan, RunResult
from focalseg.training.ending import read_curve
from focalseg.training.loop import METRICS
from focalseg.training.metrics_log import read_metrics

SEARCHED = "the networks that sites were searched with"


def _read_curve(folder: Path) -> dict[int, float]:
    """Validation Dice by step of a run; nothing where it left no metrics."""
    path = folder / METRICS
    return read_curve(read_metrics(path)) if path.exists() else {}


def read_rises(arms: Mapping[str, Sequence[RunPlan]]) -> tuple[Rise, ...]:
    """The arms whose validation Dice still rose at the end of their trainings. arms: their finished runs over all folds."""
    return read_rises_of({arm: [plan.folder for plan in plans] for arm, plans in arms.items()})


def read_rises_of(arms: Mapping[str, Sequence[Path]]) -> tuple[Rise, ...]:
    """The same, from the folders of the runs."""
    return find_rises({arm: [_read_curve(folder) for folder in folders] for arm, folders in arms.items()})


def judge_training(folder: Path, steps: int, result: RunResult) -> Footing:
    """What the score of one training rests on. steps: those it was to take, of which it may have left some out."""
    groups = len({score.group for score in result.scores_of(TEST)})
    curve = _read_curve(folder)
    rises = find_rises({"run": [curve]})
    return Footing(
        groups=groups, steps=max(curve, default=steps), rises=rises, silences=(count_silence("the network", [result]),)
    )


def count_silence(whose: str, results: Sequence[RunResult]) -> Silence:
    """How often these networks predict nothing on validation cases that hold something."""
    scores = [score for result in results for score in result.scores_of(VALIDATION)]
    holding = [score for score in scores if score.true_pixels]
    dice = sum(score.dice for score in scores) / len(scores) if scores else 0.0
    return Silence(whose=whose, empty=sum(not score.predicted_pixels for score in holding), cases=len(holding), dice=dice)
