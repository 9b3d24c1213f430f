"""The answer: does attention help on this data? Decided here, put into words in `study.outcome.wording`.

A difference is claimed where its interval lies apart from 0 and its p-value, adjusted by Holm for all that the job may claim,
lies below the level. The interval rules: the p-value can only take a claim away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from focalseg.evaluation.breakdown import NO_BREAKDOWN, Breakdown
from focalseg.evaluation.significance import Comparison, decide_non_inferiority
from focalseg.evaluation.statistics import FEW_GROUPS
from focalseg.evaluation.undertraining import Rise, Silence
from focalseg.records.estimate import Estimate, NonInferiority
from focalseg.records.outcome.claims import ONE_LOOK
from focalseg.records.placement import NOTHING_COLLAPSED, Collapsed, Outcome


@dataclass(frozen=True, kw_only=True)
class Collapses:
    """Trainings that ended predicting nothing, without which no verdict should be read.

    arms: of the two arms that the verdict rests on. search: of those that the sites were chosen with, none of none where the
    policy looked at nothing. shared: of the arms' collapsed trainings, those that both have, being the very same runs.
    """

    arms: Mapping[str, Collapsed] = field(default_factory=dict)
    search: Collapsed = NOTHING_COLLAPSED
    shared: int = 0

    @property
    def count(self) -> int:
        """How many different trainings collapsed."""
        return sum(collapsed.collapsed for collapsed in (*self.arms.values(), self.search)) - self.shared

    @property
    def too_many(self) -> bool:
        """Whether the question is not answered: most of an arm, or half of the search, collapsed."""
        return self.search.half or any(collapsed.most for collapsed in self.arms.values())


LEVEL = ONE_LOOK.level
"""What the adjusted p-value of a claim lies below, of a job that is looked at once."""


@dataclass(frozen=True, kw_only=True)
class Against:
    """How the placed network stands against others. placed_minus: its endpoint minus theirs, by arm. candidates: sites where
    attention could stand, so that many modules the arm `all` has. margin: the loss of Dice that would not matter. lost: arms
    that nothing can be said of, since most of their trainings collapsed, with how many. holm: the adjusted p-values of these
    differences, by arm; level: what they have to lie below. compared: whether placed is at most the margin worse than all;
    None: by the interval alone. wider_bound: what the wider plain network is at least better by than the placed one, negative
    where it may be worse; None: by the interval alone."""

    placed_minus: Mapping[str, Estimate]
    candidates: int
    margin: float
    lost: Mapping[str, Collapsed] = field(default_factory=dict)
    holm: Mapping[str, float] = field(default_factory=dict)
    level: float = LEVEL
    compared: NonInferiority | None = None
    wider_bound: float | None = None

    def sign(self, arm: str) -> int:
        """1 where placed is shown to be better than an arm, -1 where it is shown to be worse, else 0."""
        if arm not in self.placed_minus:
            return 0
        return decide_sign(self.placed_minus[arm], holm_p=self.holm.get(arm), level=self.level)

    @property
    def all_is_better(self) -> bool:
        """Whether attention everywhere is shown to be better than what was placed, by more than would not matter."""
        return self.sign("all") < 0 and self.placed_minus["all"].mean <= -self.margin

    @property
    def non_inferiority(self) -> NonInferiority | None:
        """Whether what was placed is shown to be at most the margin worse than attention everywhere; None without that arm."""
        if "all" not in self.placed_minus:
            return None
        return self.compared or decide_non_inferiority(self.placed_minus["all"], margin=self.margin)

    @property
    def as_good_as_all(self) -> bool:
        """The same in a word."""
        return self.non_inferiority is not None and self.non_inferiority.shown

    @property
    def wider_as_good(self) -> bool:
        """Whether a wider plain network is shown to be at most the margin worse than what was placed."""
        if "wider" not in self.placed_minus:
            return False
        bound = -self.placed_minus["wider"].high if self.wider_bound is None else self.wider_bound
        return bound > -self.margin


def decide_sign(difference: Estimate, *, holm_p: float | None = None, level: float = LEVEL) -> int:
    """1 or -1 where a difference may be claimed, 0 where not. holm_p: None where nothing else is claimed, and the interval
    alone rules."""
    if holm_p is not None and holm_p >= level:
        return 0
    return (difference.low > 0) - (difference.high < 0)


WIDEST_INTERVAL = 0.5
"""Dice. A wider interval leaves open whether the difference is half of the whole scale."""


@dataclass(frozen=True, kw_only=True)
class Footing:
    """What an answer rests on. groups: of test cases, 0 where nobody counted. steps: of a training. rises: arms whose
    validation Dice still rose at the end. silences: what the plain network, and those of the search, do not find at all."""

    groups: int = 0
    steps: int = 0
    rises: tuple[Rise, ...] = ()
    silences: tuple[Silence, ...] = ()

    @property
    def few_groups(self) -> bool:
        """Whether there are too few of them to speak for others."""
        return 0 < self.groups < FEW_GROUPS

    @property
    def undertrained(self) -> bool:
        """Whether networks are compared that had not learned yet what they could."""
        return bool(self.rises) or any(silence.telling for silence in self.silences)


UNKNOWN_FOOTING = Footing()


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """holm_p: the p-value of the difference that a verdict rests on, adjusted for `claims` different claims that the job may
    make; None where nothing else is claimed. level: what it has to lie below, twice the tail of the intervals."""

    holm_p: float | None = None
    claims: int = 1
    level: float = LEVEL


ALONE = Adjusted()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with the difference in Dice, placed network minus plain, that it rests on.

    smallest_difference: the true one that such data would show in 80 % of studies, as in `Comparison`. modules: kept sites;
    by_fold: the same in each of several folds, which may differ from one another. shut: most skips that a fold has shut.
    trainings: per arm, with folds one seed of every fold. footing: what makes the answer doubtful, whatever the outcome.
    adjusted: how its p-value stands among those of all claims. breakdown: what the difference is made of. this_set: the verdict
    for the data set alone, where this one is for data sets like it and folds share training groups.
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
    footing: Footing = UNKNOWN_FOOTING
    adjusted: Adjusted = ALONE
    breakdown: Breakdown = NO_BREAKDOWN
    this_set: "Verdict | None" = None

    @property
    def several_folds(self) -> bool:
        """Whether other folds tell how much trainings differ, where each of them has but one."""
        return len(self.by_fold) > 1

    @property
    def most_modules(self) -> int:
        """Most modules in any fold."""
        return max(self.by_fold, default=self.modules)

    @property
    def plain(self) -> bool:
        """Whether the lean network is the plain one, in every fold."""
        return self.most_modules == 0 and self.shut == 0

    @property
    def asked(self) -> Estimate:
        """The difference that the answer is about: placed minus none or, where these are one network, placed minus all."""
        everywhere = self.against.placed_minus.get("all") if self.against else None
        return everywhere if self.plain and everywhere else self.difference

    @property
    def open(self) -> bool:
        """Whether nothing is shown either way, not even that there is no difference to speak of."""
        as_good = self.plain and self.against is not None and (self.against.as_good_as_all or self.against.all_is_better)
        return self.outcome == "no_difference_shown" and not as_good

    @property
    def width(self) -> float:
        """Of the interval of that difference."""
        return self.asked.high - self.asked.low


def decide_verdict(
    comparison: Comparison,
    *,
    modules: int,
    by_fold: tuple[int, ...] = (),
    shut: int = 0,
    collapses: Collapses = Collapses(),
    against: Against | None = None,
    footing: Footing = UNKNOWN_FOOTING,
    adjusted: Adjusted = ALONE,
) -> Verdict:
    """helps when the whole interval lies above 0, harms when below, no_difference_shown when 0 is inside, or when the p-value,
    adjusted for all that the job may claim, is not below the level.

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
        footing=footing,
        adjusted=adjusted,
    )
    if verdict.plain or collapses.too_many:
        return verdict
    outcomes: dict[int, Outcome] = {1: "helps", 0: "no_difference_shown", -1: "harms"}
    return replace(verdict, outcome=outcomes[decide_sign(difference, holm_p=adjusted.holm_p, level=adjusted.level)])
