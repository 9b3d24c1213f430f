"""The answer: does attention help on this data?"""

from dataclasses import dataclass
from typing import Literal

from focalseg.evaluation.statistics import Estimate

Outcome = Literal["helps", "no_difference_shown", "harms"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with the difference in Dice, placed network minus plain, that it rests on.

    modules: kept sites. trainings: of each arm. collapsed: trainings that ended predicting nothing, without whose number no
    verdict should be read.
    """

    outcome: Outcome
    difference: Estimate
    modules: int
    trainings: int
    collapsed: int = 0

    def sentence(self) -> str:
        """The verdict in one sentence, and another for each reason to doubt it."""
        doubts = [self._answer()]
        if self.modules and self.trainings == 1:
            doubts.append("But with one training an arm nobody knows how much the seed changes: give seeds=3 or more.")
        if self.collapsed:
            plural = "s" if self.collapsed > 1 else ""
            mend = "more training.steps or a lower training.learning_rate may mend that"
            doubts.append(f"But {self.collapsed} training{plural} ended predicting nothing at all: {mend}.")
        return " ".join(doubts)

    def _answer(self) -> str:
        if self.modules == 0:
            return (
                "No attention is justified on this data: no site was found worth keeping, so the lean network is the plain one."
            )
        modules = f"{self.modules} attention module{'s' if self.modules > 1 else ''}"
        change = self.difference
        result = f"{change.mean:+.3f} Dice with {modules} (95 % interval {change.low:+.3f} to {change.high:+.3f})"
        if self.outcome == "helps":
            return f"Attention helps: {result}."
        if self.outcome == "harms":
            return f"Attention harms: {result}."
        return f"No difference shown: {result}; it would have to exceed about {change.half_width:.3f} to be shown on this data."


def decide_verdict(difference: Estimate, *, modules: int, trainings: int, collapsed: int = 0) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside."""
    outcome: Outcome = "no_difference_shown"
    if modules and difference.low > 0:
        outcome = "helps"
    elif modules and difference.high < 0:
        outcome = "harms"
    return Verdict(outcome=outcome, difference=difference, modules=modules, trainings=trainings, collapsed=collapsed)
