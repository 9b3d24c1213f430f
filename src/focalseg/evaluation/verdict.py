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
        change = self.difference
        result = f"{change.mean:+.3f} Dice with {modules} (95 % interval {change.low:+.3f} to {change.high:+.3f})"
        if self.outcome == "helps":
            return f"Attention helps: {result}."
        if self.outcome == "harms":
            return f"Attention harms: {result}."
        half_width = (change.high - change.low) / 2
        return f"No difference shown: {result}; less than about {half_width:.3f} could not be seen on this data."


def decide_verdict(difference: Estimate, *, modules: int) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside."""
    outcome: Outcome = "no_difference_shown"
    if modules and difference.low > 0:
        outcome = "helps"
    elif modules and difference.high < 0:
        outcome = "harms"
    return Verdict(outcome=outcome, difference=difference, modules=modules)
