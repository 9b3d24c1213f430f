"""The answer: does attention help on this data?"""

from dataclasses import dataclass
from typing import Literal

from focalseg.evaluation.statistics import Estimate

Outcome = Literal["helps", "no_difference_shown", "harms"]
MARGIN = 0.01


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with the difference in Dice, placed network minus plain, that it rests on."""

    outcome: Outcome
    difference: Estimate
    modules: int

    def sentence(self) -> str:
        """The verdict in one sentence."""
        if self.modules == 0:
            return (
                "No attention is justified on this data: every site could be removed without cost, "
                "so the lean network is the plain one."
            )
        modules = f"{self.modules} attention module{'s' if self.modules > 1 else ''}"
        change = f"{self.difference.mean:+.3f} Dice, 95 % interval {self.difference.low:+.3f} to {self.difference.high:+.3f}"
        if self.outcome == "helps":
            return f"Attention helps: {modules} change the test score by {change}."
        if self.outcome == "harms":
            return f"Attention harms: {modules} change the test score by {change}."
        width = (self.difference.high - self.difference.low) / 2
        return (
            f"No difference shown: {modules} change the test score by {change}; less than {width:.3f} could not be told here."
        )


def decide_verdict(difference: Estimate, *, modules: int) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside."""
    outcome: Outcome = "no_difference_shown"
    if modules and difference.low > 0:
        outcome = "helps"
    elif modules and difference.high < 0:
        outcome = "harms"
    return Verdict(outcome=outcome, difference=difference, modules=modules)
