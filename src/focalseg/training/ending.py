"""When a training ends and whose weights it ends with, read off the rows of its log.

The rows are in every checkpoint, so that a training which goes on decides as if it had never stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from focalseg.training.metrics_log import Row
from focalseg.training.training_config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a training ended. steps: those it took. kept: the step whose weights are kept. dice: the validation Dice of these, in
    [0, 1]; None where nothing was validated."""

    steps: int
    kept: int
    dice: float | None


def read_curve(rows: Sequence[Row]) -> dict[int, float]:
    """Validation Dice by step, of the rows that have one."""
    return {int(row["step"]): float(row["validation_dice"]) for row in rows if row["validation_dice"]}


def find_best(curve: Mapping[int, float]) -> int | None:
    """The step with the highest validation Dice, the first of several, to the five places that the log keeps; None where
    nothing was validated."""
    return max(curve, key=lambda step: (curve[step], -step), default=None)


def is_exhausted(rows: Sequence[Row], patience: int | None) -> bool:
    """Whether so many validations in a row brought no Dice above the best one before. patience: None for no end but the last
    step."""
    curve = read_curve(rows) if patience is not None else {}
    best = find_best(curve)
    return best is not None and patience is not None and sum(step > best for step in curve) >= patience


def describe_ending(rows: Sequence[Row], config: TrainingConfig) -> Ending:
    """How a finished training with these rows ended. Where it left none, it is taken to have ended as its settings say."""
    curve = read_curve(rows)
    steps = int(rows[-1]["step"]) if rows else config.steps
    best = find_best(curve) if config.keep_best else None
    kept = steps if best is None else best
    return Ending(steps=steps, kept=kept, dice=curve.get(kept))
