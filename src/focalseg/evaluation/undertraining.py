"""Whether trainings ended before they had learned what they could: their Dice still rose, or they find next to nothing.

Both are measured, and both make a comparison one of how fast networks learn. The thresholds are ours, with their reasons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

LOOKS = {0.5: (0.3, 0.7), 0.8: (0.7, 0.9)}
"""Shares of a training at which its Dice is compared with that of its end, and how near a validation must be to count."""
RISES = {0.8: 0.02, 0.5: 0.05}
"""Dice that is much to gain from there to the end. In the last fifth: twice the 0.01 that an arm has to be better by to matter,
so that being a little slower would pass for being worse. In the second half, since the learning rate falls to 0 and flattens
any curve at its very end, however short the training was: five times that margin. `focalseg demo` gains 0.03 there."""
ONE_TRAINING = 0.04
"""Dice that one training alone, whose noise nobody knows, has to gain at the least."""
PARTS = {0.8: "last fifth", 0.5: "second half"}
LOW_DICE, SILENT_SHARE = 0.5, 0.25
"""A network with less Dice that predicts nothing on so many of the cases that hold something has not learned to look."""


@dataclass(frozen=True, kw_only=True)
class Rise:
    """A late gain that is too large. arm: whose. part: of the training. gain: in validation Dice, the mean over trainings."""

    arm: str
    part: str
    gain: float


@dataclass(frozen=True, kw_only=True)
class Silence:
    """How often some networks, `whose`, predict nothing on validation cases that hold something, with their mean Dice."""

    whose: str
    empty: int
    cases: int
    dice: float

    @property
    def telling(self) -> bool:
        """Whether that is much."""
        return self.cases > 0 and self.dice < LOW_DICE and self.empty >= SILENT_SHARE * self.cases


def plan_looks(steps: int, every: int) -> frozenset[int]:
    """The steps after which a training that validates every so many steps has to do so besides, for a late gain to be seen."""
    regular = [*range(every, steps, every)]
    looks = {
        max(round(share * steps), 1)
        for share, (low, high) in LOOKS.items()
        if not any(low * steps <= step <= high * steps for step in regular)
    }
    return frozenset(step for step in looks if step < steps)


def measure_gains(curve: Mapping[int, float]) -> dict[float, float]:
    """What a training gained from each of `LOOKS` to its end; of those that it was validated near. curve: validation Dice by
    step. One from a validation elsewhere is put in proportion: of a gain from 0.75 on, four fifths are of the last fifth."""
    if not curve:
        return {}
    last = max(curve)
    gains = {}
    for share, (low, high) in LOOKS.items():
        near = [step for step in curve if low * last <= step <= high * last and step < last]
        if near:
            step = min(near, key=lambda one: abs(one - share * last))
            gains[share] = (curve[last] - curve[step]) * (1 - share) / (1 - step / last)
    return gains


def find_rises(curves: Mapping[str, Sequence[Mapping[int, float]]]) -> tuple[Rise, ...]:
    """Of each arm, the first of `RISES` that its trainings reach in the mean, and with more than two standard errors or, where
    there is one training, `ONE_TRAINING`. curves: of each training by arm."""
    rises = ((arm, _find_rise([measure_gains(curve) for curve in trainings])) for arm, trainings in curves.items())
    return tuple(Rise(arm=arm, part=PARTS[found[0]], gain=found[1]) for arm, found in rises if found)


def _find_rise(gains: Iterable[Mapping[float, float]]) -> tuple[float, float] | None:
    found = list(gains)
    for share, much in RISES.items():
        values = [each[share] for each in found if share in each]
        if not values:
            continue
        noise = 2 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else ONE_TRAINING
        if fmean(values) >= max(much, noise):
            return share, fmean(values)
    return None
