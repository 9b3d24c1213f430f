"""Test cases one by one: their Dice with each arm, and those that a reader should look at first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from focalseg.study.running.runs import TEST, RunResult

MOST_NOTABLE = 5
"""Cases of each kind that are named."""


@dataclass(frozen=True, kw_only=True)
class CaseDice:
    """A test case. size: of all labels in its true mask, in pixels or voxels. dice: by arm, one value a training."""

    name: str
    group: str
    fold: int
    size: int
    dice: Mapping[str, tuple[float, ...]]

    def mean(self, arm: str) -> float:
        """Its Dice with an arm, the mean over trainings."""
        return fmean(self.dice[arm])

    def gain(self, arm: str, other: str) -> float:
        """By how much its Dice is higher with an arm than with another."""
        return self.mean(arm) - self.mean(other)


@dataclass(frozen=True, kw_only=True)
class Notable:
    """Cases that have something in common, in a few words, the most so first."""

    title: str
    cases: tuple[CaseDice, ...]


def join_scores(arms: Mapping[str, Mapping[int, Sequence[RunResult]]]) -> tuple[CaseDice, ...]:
    """The test cases of every fold with their Dice in each training. arms: the results by arm and then by fold.

    None where arms, or trainings of one, were not tested on the same cases: some are missing then, and a mean would mislead.
    """
    folds = [set(results) for results in arms.values()]
    if not folds or any(own != folds[0] for own in folds):
        return ()
    cases = []
    for fold in sorted(folds[0]):
        tables = {
            arm: [{score.case: score for score in result.scores_of(TEST)} for result in results[fold]]
            for arm, results in arms.items()
        }
        every = [table for of_arm in tables.values() for table in of_arm]
        if not all(of_arm for of_arm in tables.values()) or any(table.keys() != every[0].keys() for table in every):
            return ()
        cases += [
            CaseDice(
                name=name,
                group=first.group,
                fold=fold,
                size=first.true_pixels,
                dice={arm: tuple(table[name].dice for table in of_arm) for arm, of_arm in tables.items()},
            )
            for name, first in every[0].items()
        ]
    return tuple(cases)


def choose_notable(cases: Sequence[CaseDice], arm: str, pair: tuple[str, str] | None = None) -> tuple[Notable, ...]:
    """The cases that an arm does worst and best on, none in both; and of a pair of arms, those that differ most each way."""
    most = min(MOST_NOTABLE, (len(cases) + 1) // 2)
    ranked = sorted(cases, key=lambda case: (case.mean(arm), case.name, case.fold))
    best = [case for case in ranked[::-1][:most] if case not in ranked[:most]]
    kinds = {"Lowest Dice": ranked[:most], "Highest Dice": best}
    if pair is not None:
        without, attention = pair
        gained = sorted(cases, key=lambda case: (-case.gain(attention, without), case.name, case.fold))
        kinds["Attention gains most"] = [case for case in gained[:MOST_NOTABLE] if case.gain(attention, without) > 0]
        kinds["Attention loses most"] = [case for case in gained[::-1][:MOST_NOTABLE] if case.gain(attention, without) < 0]
    return tuple(Notable(title=title, cases=tuple(chosen)) for title, chosen in kinds.items() if chosen)
