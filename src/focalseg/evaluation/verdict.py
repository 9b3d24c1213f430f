"""The answer: does attention help on this data?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from focalseg.evaluation.significance import Comparison, decide_non_inferiority
from focalseg.records.estimate import Estimate

Outcome = Literal["helps", "no_difference_shown", "harms"]
Share = tuple[int, int]
"""How many of how many."""
MEND = "more training.steps or a lower training.learning_rate may mend that"
COLLAPSED = "ended predicting nothing at all"


@dataclass(frozen=True, kw_only=True)
class Collapses:
    """Trainings that ended predicting nothing, without which no verdict should be read.

    arms: of the two arms that the verdict rests on. search: of those that the sites were chosen with, none of none where the
    policy looked at nothing. shared: of the arms' collapsed trainings, those that both have, being the very same runs.
    """

    arms: Mapping[str, Share] = field(default_factory=dict)
    search: Share = (0, 0)
    shared: int = 0

    @property
    def count(self) -> int:
        """Of different trainings."""
        return sum(number for number, _ in (*self.arms.values(), self.search)) - self.shared


@dataclass(frozen=True, kw_only=True)
class Against:
    """How the placed network stands against others. placed_minus: its Dice minus theirs, by arm. candidates: sites where
    attention could stand, so that many modules the arm `all` has. margin: the loss of Dice that would not matter. lost: arms
    that nothing can be said of, since most of their trainings collapsed, with how many."""

    placed_minus: Mapping[str, Estimate]
    candidates: int
    margin: float
    lost: Mapping[str, Share] = field(default_factory=dict)

    @property
    def all_is_better(self) -> bool:
        """Whether attention everywhere is shown to be better than what was placed, by more than would not matter."""
        difference = self.placed_minus.get("all")
        return difference is not None and difference.high < 0 and difference.mean <= -self.margin

    @property
    def as_good_as_all(self) -> bool:
        """Whether what was placed is shown to be at most the margin worse than attention everywhere."""
        return "all" in self.placed_minus and decide_non_inferiority(self.placed_minus["all"], margin=self.margin).shown

    @property
    def everywhere(self) -> str:
        """The arm `all` in words."""
        return f"attention at all {_count(self.candidates, 'site')}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with the difference in Dice, placed network minus plain, that it rests on.

    smallest_difference: the true one that such data would show in 80 % of studies, as in `Comparison`. modules: kept sites;
    by_fold: the same in each of several folds, which may differ from one another. shut: most skips that a fold has shut.
    trainings: of each arm, with folds one seed of every fold.
    """

    outcome: Outcome
    difference: Estimate
    smallest_difference: float
    modules: int
    trainings: int
    by_fold: tuple[int, ...] = ()
    shut: int = 0
    collapses: Collapses = Collapses()
    against: Against | None = None

    def sentence(self) -> str:
        """The verdict in a sentence, before it what keeps it from being one, after it what else the comparisons say."""
        if failures := describe_failures(self.collapses.arms, self.collapses.search):
            return failures
        few = (
            "One training an arm: nobody knows how much the seed changes; give seeds=3 or more." if self.trainings == 1 else ""
        )
        answer = (self._plain_answer(), self._plain_against_all()) if self.plain else (self._answer(), self._against_all())
        parts = (few, *answer, self._against_wider(), self._lost(), self._collapsed())
        return " ".join(part for part in parts if part)

    @property
    def most_modules(self) -> int:
        """Most modules in any fold."""
        return max(self.by_fold, default=self.modules)

    @property
    def plain(self) -> bool:
        """Whether the lean network is the plain one, in every fold."""
        return self.most_modules == 0 and self.shut == 0

    def _plain_answer(self) -> str:
        """What it means that nothing was placed: which depends on whether it was looked for, and on what the rest does."""
        found = "no site was found worth keeping, so the lean network is the plain one"
        if not self.collapses.search[1]:
            return "No site was looked at, since the policy places none: the lean network is the plain one."
        if self.against and self.against.all_is_better:
            everywhere, gain = self.against.everywhere.capitalize(), _swap(self.against.placed_minus["all"])
            return (
                f"{everywhere} helps ({gain.mean:+.3f} Dice, {_interval(gain)}), "
                f"but the search found no part of it that does: {found}."
            )
        if self.against and self.against.as_good_as_all:
            return f"No attention is justified on this data: {found}."
        return f"{found.capitalize()}."

    def _plain_against_all(self) -> str:
        """Whether attention everywhere would have done better than nothing, where the answer does not say so."""
        if not self.against or "all" not in self.against.placed_minus:
            return ""
        everywhere, gain = self.against.everywhere, _swap(self.against.placed_minus["all"])
        if self.against.all_is_better:
            looked = self.collapses.search[1]
            return "" if looked else f"{everywhere.capitalize()} helps: {gain.mean:+.3f} Dice ({_interval(gain)})."
        if self.against.as_good_as_all:
            return f"The plain network is as good as with {everywhere} (at most {self.against.margin} Dice worse)."
        return (
            f"It stays open whether {everywhere} gains more than {self.against.margin} Dice: "
            f"{gain.mean:+.3f} ({_interval(gain)})."
        )

    def _answer(self) -> str:
        change = self.difference
        result = f"{change.mean:+.3f} Dice with {self._placed()} ({_interval(change)})"
        subject = "Attention" if self.most_modules else "Shutting a skip"
        if self.outcome == "helps":
            answer = f"{subject} helps: {result}."
        elif self.outcome == "harms":
            answer = f"{subject} harms: {result}."
        else:
            answer = f"No difference shown: {result}{self._sensitivity()}."
        scattered = self.most_modules and not self.modules
        return answer + (" But the folds kept different sites, none of them in half of the folds." if scattered else "")

    def _sensitivity(self) -> str:
        """How small a difference could have been seen; nothing where the scores do not tell."""
        if math.isinf(self.smallest_difference):
            return "; the test cases are all of one group, which shows no difference however large"
        if math.isnan(self.smallest_difference):
            return ""
        return f"; such data shows a true difference of {self.smallest_difference:.3f} in 80 % of studies"

    def _placed(self) -> str:
        fewest, most = min(self.by_fold, default=self.modules), self.most_modules
        count = str(most) if fewest == most else f"{fewest} to {most}"
        shut = f" and {_count(self.shut, 'skip')} shut" if self.shut else ""
        return f"{count} attention module{'' if most == 1 else 's'}{shut}"

    def _against_all(self) -> str:
        """Whether the rest of the attention is missed."""
        if not self.against or "all" not in self.against.placed_minus:
            return ""
        change, everywhere = self.against.placed_minus["all"], self.against.everywhere
        if self.against.all_is_better:
            return f"But {everywhere} is better still: placed minus all is {change.mean:+.3f} ({_interval(change)})."
        fewer = self.most_modules < self.against.candidates and self.outcome != "harms"
        if fewer and self.against.as_good_as_all:
            return f"With fewer modules it is as good as with {everywhere} (at most {self.against.margin} Dice worse)."
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

    def _lost(self) -> str:
        """The comparisons that cannot be made."""
        lost = self.against.lost if self.against else {}
        return " ".join(f"Not compared with the arm {arm}: {_of(share)} of it {COLLAPSED}." for arm, share in lost.items())

    def _collapsed(self) -> str:
        count = self.collapses.count
        return f"But {_count(count, 'training')} {COLLAPSED}: {MEND}." if count else ""


def decide_verdict(
    comparison: Comparison,
    *,
    modules: int,
    by_fold: tuple[int, ...] = (),
    shut: int = 0,
    collapses: Collapses = Collapses(),
    against: Against | None = None,
) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside.

    comparison: of the placed network with the plain one. Also no_difference_shown where most trainings of an arm, or half of
    those of the search, ended predicting nothing: they tell nothing of attention.
    """
    difference = comparison.estimate
    verdict = Verdict(
        outcome="no_difference_shown",
        difference=difference,
        smallest_difference=comparison.smallest_difference,
        modules=modules,
        trainings=comparison.trainings,
        by_fold=by_fold,
        shut=shut,
        collapses=collapses,
        against=against,
    )
    if verdict.plain or describe_failures(collapses.arms, collapses.search):
        return verdict
    if difference.low > 0:
        return replace(verdict, outcome="helps")
    return replace(verdict, outcome="harms") if difference.high < 0 else verdict


def is_lost(share: Share) -> bool:
    """Whether more than half of an arm's trainings ended predicting nothing, so that its scores tell nothing of attention."""
    number, of = share
    return 2 * number > of


def describe_failures(arms: Mapping[str, Share], search: Share = (0, 0)) -> str:
    """What to say instead of an answer where too many trainings ended predicting nothing; else nothing.

    arms: of each arm, too many where they are more than half. search: of the trainings that sites were chosen with, too many
    from half on: what is left is at most as much as what is missing.
    """
    failed = [f"{_of(share)} of the arm {arm}" for arm, share in arms.items() if is_lost(share)]
    number, of = search
    if of and 2 * number >= of:
        failed.append(f"{_of(search)} of the search for sites")
    return f"Not answered: {' and '.join(failed)} {COLLAPSED}; {MEND}." if failed else ""


def _of(share: Share) -> str:
    return f"{share[0]} of {_count(share[1], 'training')}"


def _swap(difference: Estimate) -> Estimate:
    """The same difference, the other arm first."""
    return Estimate(mean=0 - difference.mean, low=0 - difference.high, high=0 - difference.low)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _interval(estimate: Estimate) -> str:
    return f"95 % interval {estimate.low:+.3f} to {estimate.high:+.3f}"
