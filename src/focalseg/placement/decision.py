"""From evidence to a placement, by a policy."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from focalseg.errors import SettingError
from focalseg.evaluation.statistics import DIFFERENCE_SPAN, estimate_mean
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import Choice, Layout, Search, follow
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.placement import Placement
from focalseg.records.site_decision import SiteDecision


def decide(evidence: Evidence | Sequence[Evidence], policy: str = "removal") -> Placement:
    """The placement that a policy makes of the evidence of one training or of several with the same sites.

    `removal` decides on trainings that learned to do without their sites (training.exponents=dropout, or `SiteDropout`). On
    trainings with free exponents, which always had all of them, it is what the placement then says it was: `removal_from_all`.

    Raises SettingError for an unknown policy, for one that decides on other evidence or on trainings of its own, for no
    evidence, and for trainings whose sites, numbers of cases or regimes differ.

    >>> import focalseg
    >>> from focalseg.records.evidence import Evidence, SiteEvidence
    >>> useful = SiteEvidence(site="bottleneck", gate="se", gamma=1.8, spread=0.3, case_costs=(0.05, 0.07, 0.06))
    >>> idle = SiteEvidence(site="skip.0", gate="ag", gamma=0.1, spread=0.0, case_costs=(0.0, 0.001, -0.001))
    >>> placement = focalseg.decide(Evidence(sites=(useful, idle)), policy="gamma_threshold")
    >>> placement.layout
    {'bottleneck': 'se'}
    """
    trainings = (evidence,) if isinstance(evidence, Evidence) else tuple(evidence)
    _refuse_uneven(trainings)
    if policy == "removal" and trainings[0].exponents == "free":
        policy = "removal_from_all"

    def probe(exponents: str) -> tuple[Evidence, ...]:
        own_loop = ", in a loop of your own with focalseg.SiteDropout" if exponents == "dropout" else ""
        if not all(training.exponents == exponents and _is_complete(training) for training in trainings):
            raise SettingError(
                f"policy {policy!r} decides on trainings with training.exponents={exponents}; the evidence is of others, or "
                f"not whole. Train so with `focalseg train`{own_loop}, or take another policy."
            )
        return trainings

    def score(layouts: Sequence[Layout]) -> Sequence[np.ndarray]:
        raise SettingError(
            f"policy {policy!r} would train {len(layouts)} networks, which needs data; expected one that decides on evidence, "
            f"such as 'removal'. `focalseg place --set policy={policy}` does train them."
        )

    everywhere = {record.site: record.gate for record in trainings[0].sites}
    choice = follow(POLICIES[policy](Search(everywhere=everywhere)), probe=probe, score=score)
    return record_choice(choice, policy, everywhere, choice.evidence or trainings)


def record_choice(choice: Choice, policy: str, everywhere: Layout, trainings: Sequence[Evidence]) -> Placement:
    """The placement that a policy's choice among these sites makes. trainings: their evidence, of the cases that count, is
    written beside each decision; at least one."""
    decisions, trainings = [], [training.take_counted() for training in trainings]
    for number, (name, gate) in enumerate(everywhere.items()):
        records = [training.sites[number] for training in trainings]
        decisions.append(
            SiteDecision(
                site=name,
                gate=gate,
                gamma=fmean(record.gamma for record in records),
                **measure_removal(records, trainings[0].groups),
                joint_cost=fmean(record.joint_cost for record in records),
                spread=fmean(record.spread for record in records),
                kept=name in choice.kept,
                shut=name in choice.shut,
                why=choice.reasons[name],
            )
        )
    return Placement(policy=policy, sites=tuple(decisions))


def measure_removal(records: Sequence[SiteEvidence], groups: Sequence[str]) -> dict[str, Any]:
    """What removal costs, as `SiteDecision` holds it. records: of one site, one a training. groups: of the validation cases.

    Every interval is over groups of cases and says nothing of other trainings: two cannot tell how trainings differ, and an
    interval over both spans the scale. What is known of that is the cost in each.
    """
    costs = np.array([record.case_costs for record in records])
    named = groups or tuple(map(str, range(costs.shape[1])))
    removal = estimate_mean(costs.mean(axis=0), named, span=DIFFERENCE_SPAN)
    each = [estimate_mean(row, named, span=DIFFERENCE_SPAN) for row in costs]
    return {
        "removal_cost": removal.mean,
        "removal_low": removal.low,
        "removal_high": removal.high,
        "removal_costs": tuple(one.mean for one in each),
        "removal_lows": tuple(one.low for one in each),
        "removal_highs": tuple(one.high for one in each),
        "removal_cases": (costs.shape[1],) * len(records),
    }


def _is_complete(training: Evidence) -> bool:
    """Whether the evidence has all that trainings of its regime can show: a network alone does not tell how it got there."""
    regime = REGIMES[training.exponents]
    probable = all(site.open_probability is not None for site in training.sites)
    return (bool(training.path) or not regime.witnesses_path) and (probable or not regime.witnesses_probability)


def _refuse_uneven(trainings: Sequence[Evidence]) -> None:
    """Raises SettingError for no evidence, and for trainings whose sites, numbers of cases or regimes differ."""
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
