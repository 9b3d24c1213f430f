"""The answer: does attention help on this data?"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from focalseg.evaluation.significance import decide_non_inferiority
from focalseg.evaluation.statistics import Estimate

Outcome = Literal["helps", "no_difference_shown", "harms"]
MEND = "more training.steps or a lower training.learning_rate may mend that"


@dataclass(frozen=True, kw_only=True)
class Against:
    """How the placed network stands against others. placed_minus: its Dice minus theirs, by arm. candidates: sites where
    attention could stand, so that many modules the arm `all` has. margin: the loss of Dice that would not matter."""

    placed_minus: Mapping[str, Estimate]
    candidates: int
    margin: float

    @property
    def all_is_better(self) -> bool:
        """Whether attention everywhere is shown to be better than what was placed."""
        return "all" in self.placed_minus and self.placed_minus["all"].high < 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with the difference in Dice, placed network minus plain, that it rests on.

    modules: kept sites; by_fold: the same in each of several folds, which may differ from one another. shut: most skips that a
    fold has shut. trainings: of each arm, with folds one seed of every fold. collapsed: by arm, how many of how many trainings
    ended predicting nothing, without which no verdict should be read.
    """

    outcome: Outcome
    difference: Estimate
    modules: int
    trainings: int
    by_fold: tuple[int, ...] = ()
    shut: int = 0
    collapsed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    against: Against | None = None

    def sentence(self) -> str:
        """The verdict in a sentence, before it what keeps it from being one, after it what else the comparisons say."""
        if failures := describe_failures(self.collapsed):
            return failures
        few = (
            "One training an arm: nobody knows how much the seed changes; give seeds=3 or more." if self.trainings == 1 else ""
        )
        parts = (few, self._answer(), self._against_all(), self._against_wider(), self._collapsed())
        return " ".join(part for part in parts if part)

    @property
    def most_modules(self) -> int:
        """Most modules in any fold."""
        return max(self.by_fold, default=self.modules)

    @property
    def plain(self) -> bool:
        """Whether the lean network is the plain one, in every fold."""
        return self.most_modules == 0 and self.shut == 0

    def _answer(self) -> str:
        if self.plain:
            reason = "no site was found worth keeping, so the lean network is the plain one"
            justified = not (self.against and self.against.all_is_better)
            return f"{'No attention is justified on this data' if justified else 'No difference'}: {reason}."
        change = self.difference
        result = f"{change.mean:+.3f} Dice with {self._placed()} ({_interval(change)})"
        subject = "Attention" if self.most_modules else "Shutting a skip"
        if self.outcome == "helps":
            answer = f"{subject} helps: {result}."
        elif self.outcome == "harms":
            answer = f"{subject} harms: {result}."
        else:
            seen = f"it would have to exceed about {change.half_width:.3f} to be shown on this data"
            answer = f"No difference shown: {result}; {seen}."
        scattered = self.most_modules and not self.modules
        return answer + (" But the folds kept different sites, none of them in half of the folds." if scattered else "")

    def _placed(self) -> str:
        fewest, most = min(self.by_fold, default=self.modules), self.most_modules
        count = str(most) if fewest == most else f"{fewest} to {most}"
        shut = f" and {_count(self.shut, 'skip')} shut" if self.shut else ""
        return f"{count} attention module{'' if most == 1 else 's'}{shut}"

    def _against_all(self) -> str:
        """Whether the rest of the attention is missed."""
        if not self.against or "all" not in self.against.placed_minus:
            return ""
        change, everywhere = self.against.placed_minus["all"], f"attention at all {_count(self.against.candidates, 'site')}"
        if self.against.all_is_better:
            return f"But {everywhere} is better still: placed minus all is {change.mean:+.3f} ({_interval(change)})."
        fewer = self.most_modules < self.against.candidates and self.outcome != "harms"
        if fewer and decide_non_inferiority(change, margin=self.against.margin).shown:
            subject = "The plain network" if self.plain else "With fewer modules it"
            return f"{subject} is as good as with {everywhere} (at most {self.against.margin} Dice worse)."
        return ""

    def _against_wider(self) -> str:
        """Whether the gain could be had with more channels."""
        if not self.against or "wider" not in self.against.placed_minus or self.outcome != "helps":
            return ""
        change = self.against.placed_minus["wider"]
        result = f"placed minus wider is {change.mean:+.3f} ({_interval(change)})"
        if change.low > 0:
            return f"A plain network with more channels does not do as well: {result}."
        if change.high < self.against.margin:
            return f"But it is capacity, not attention: a plain network with more channels does as well, {result}."
        return f"But it may be capacity, not attention: a plain network with more channels may do as well, {result}."

    def _collapsed(self) -> str:
        count = sum(number for number, _ in self.collapsed.values())
        return f"But {_count(count, 'training')} ended predicting nothing at all: {MEND}." if count else ""


def decide_verdict(
    difference: Estimate,
    *,
    modules: int,
    trainings: int,
    by_fold: tuple[int, ...] = (),
    shut: int = 0,
    collapsed: Mapping[str, tuple[int, int]] | None = None,
    against: Against | None = None,
) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside.

    Also no_difference_shown where most trainings of an arm ended predicting nothing: their scores tell nothing of attention.
    """
    verdict = Verdict(
        outcome="no_difference_shown",
        difference=difference,
        modules=modules,
        trainings=trainings,
        by_fold=by_fold,
        shut=shut,
        collapsed=collapsed or {},
        against=against,
    )
    if verdict.plain or describe_failures(verdict.collapsed):
        return verdict
    if difference.low > 0:
        return replace(verdict, outcome="helps")
    return replace(verdict, outcome="harms") if difference.high < 0 else verdict


def describe_failures(collapsed: Mapping[str, tuple[int, int]]) -> str:
    """What to say instead of an answer where more than half of an arm's trainings ended predicting nothing; else nothing.

    collapsed: by arm, how many of how many.
    """
    failed = [
        f"{number} of {_count(of, 'training')} of the arm {arm}" for arm, (number, of) in collapsed.items() if 2 * number > of
    ]
    return f"Not answered: {' and '.join(failed)} ended predicting nothing at all; {MEND}." if failed else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _interval(estimate: Estimate) -> str:
    return f"95 % interval {estimate.low:+.3f} to {estimate.high:+.3f}"
