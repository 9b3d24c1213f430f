"""From evidence to a placement, by a policy."""

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np

from focalseg.errors import SettingError
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.search import Layout, Search
from focalseg.records.estimate import Estimate
from focalseg.records.evidence import Evidence
from focalseg.records.placement import Placement, SiteDecision

ON_DROPOUT, ON_FREE = "removal", "removal_from_all"
"""The policies that are the same but for the trainings that they look at."""


def decide(evidence: Evidence | Sequence[Evidence], policy: str = "removal") -> Placement:
    """The placement that a policy makes of the evidence of one training or of several with the same sites.

    `removal` decides on trainings that learned to do without their sites (training.exponents=dropout). On trainings with free
    exponents, which always had all of them, it is what the placement then says it was: `removal_from_all`.

    Raises SettingError for an unknown policy, for one that decides on other evidence or on trainings of its own, for no
    evidence, and for trainings whose sites, numbers of cases or regimes differ.
    """
    trainings = (evidence,) if isinstance(evidence, Evidence) else tuple(evidence)
    if not trainings or len({tuple((record.site, record.gate) for record in training.sites) for training in trainings}) != 1:
        raise SettingError(
            f"{len(trainings)} trainings were given; expected at least one, all with the same gates at the same sites."
        )
    counts = sorted({len(record.case_costs) for training in trainings for record in training.sites})
    if len(counts) > 1:
        raise SettingError(
            f"The sites were measured on {', '.join(map(str, counts))} validation cases; expected the same cases in every "
            "training, such as those of one fold. Decide on each fold by itself."
        )
    regimes = sorted({training.exponents for training in trainings})
    if len(regimes) > 1:
        raise SettingError(
            f"The exponents trained under {' and '.join(regimes)}; expected the same training.exponents in every training. "
            "Decide on those of one regime."
        )
    if policy == ON_DROPOUT and regimes == ["free"]:
        policy = ON_FREE
    return decide_by_search(EvidenceAtHand(trainings, policy), policy, testify=lambda: trainings)


def decide_by_search(
    search: Search, policy: str, *, testify: Callable[[], Sequence[Evidence]] = tuple[Evidence, ...]
) -> Placement:
    """The placement that a policy makes of the answers to its questions.

    testify: gives the evidence that is written beside each decision; called where the policy looked at none. Raises
    SettingError for an unknown policy and where there is no evidence at all.
    """
    choice = POLICIES[policy](search)
    trainings = choice.evidence or tuple(testify())
    if not trainings:
        raise SettingError(
            f"policy {policy!r} looked at no evidence and none was given; expected testify to give that of at least one "
            "training of all candidates."
        )
    decisions = []
    for number, (name, gate) in enumerate(search.candidates.items()):
        records = [training.sites[number] for training in trainings]
        removal = _estimate_removal(trainings, number)
        decisions.append(
            SiteDecision(
                site=name,
                gate=gate,
                gamma=fmean(record.gamma for record in records),
                removal_cost=removal.mean,
                removal_low=removal.low,
                removal_high=removal.high,
                joint_cost=fmean(record.joint_cost for record in records),
                spread=fmean(record.spread for record in records),
                kept=name in choice.kept,
                shut=name in choice.shut,
                why=choice.reasons[name],
            )
        )
    return Placement(policy=policy, sites=tuple(decisions))


class EvidenceAtHand:
    """A search that has evidence and can train nothing."""

    def __init__(self, trainings: tuple[Evidence, ...], policy: str) -> None:
        self.trainings, self.policy = trainings, policy
        self.candidates = {record.site: record.gate for record in trainings[0].sites}
        self.seed = 0

    def probe(self, exponents: str) -> tuple[Evidence, ...]:
        """The evidence. Raises SettingError where it is of another regime, or lacks what this one alone can show."""
        if not all(training.exponents == exponents and is_complete(training) for training in self.trainings):
            raise SettingError(
                f"policy {self.policy!r} decides on trainings with training.exponents={exponents}; the evidence is of others, "
                f"or not whole. Train so with `focalseg train`, or take another policy."
            )
        return self.trainings

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """Nothing can be trained here."""
        raise SettingError(
            f"policy {self.policy!r} would train {len(layouts)} networks, which needs data; expected one that decides on "
            f"evidence, such as 'removal'. `focalseg place --set policy={self.policy}` does train them."
        )


def is_complete(training: Evidence) -> bool:
    """Whether the evidence has all that trainings of its regime can show: a network alone does not tell how it got there."""
    regime = REGIMES[training.exponents]
    probable = all(site.open_probability is not None for site in training.sites)
    return (bool(training.path) or not regime.witnesses_path) and (probable or not regime.witnesses_probability)


def _estimate_removal(trainings: Sequence[Evidence], number: int) -> Estimate:
    """What removing a site costs, with its interval over trainings and groups of validation cases."""
    costs = np.array([training.sites[number].case_costs for training in trainings])
    groups = trainings[0].groups or tuple(map(str, range(costs.shape[1])))
    return estimate_mean(costs, groups, span=DIFFERENCE_SPAN)
