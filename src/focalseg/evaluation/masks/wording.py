"""An evaluation in sentences: the answer, what is to be known of it, and a paragraph for a paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from focalseg import __version__
from focalseg.evaluation.masks.pairing import Pairing
from focalseg.evaluation.masks.settings import EvaluationSettings
from focalseg.evaluation.statistics import FEW_GROUPS
from focalseg.evaluation.wording import describe_intervals
from focalseg.findings import counted, show_name
from focalseg.imagesets.kinds import list_names
from focalseg.metrics.case import CaseMeasures
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, WITH_OBJECT, ArmStratum
from focalseg.records.scores.emptiness import describe_empty, show_stratum
from focalseg.records.scores.evaluation import ScoreSummary, show_length, show_score

_SURFACES = {
    "surfels": "surfaces of area elements between voxels, as in DeepMind's surface-distance",
    "voxels": "surfaces of border voxels, as in MONAI",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What sentences are made of. groups: of every case, known: whether somebody said them. unit: of distances."""

    pairing: Pairing
    settings: EvaluationSettings
    labels: Sequence[str]
    groups: Mapping[str, str]
    known: bool
    unit: str
    views: int
    measures: Sequence[Mapping[str, CaseMeasures]]


def describe_answer(dice: ScoreSummary, facts: Facts, strata: Mapping[str, ArmStratum]) -> str:
    """The mean Dice with its interval, what it rests on, and, where some cases lack the object, what it is made of."""
    number = len(facts.pairing.pairs)
    groups = len(set(facts.groups.values()))
    of = f" of {counted(groups, 'group')}" if facts.known else ""
    over = f", the mean over {len(facts.labels)} labels" if len(facts.labels) > 1 else ""
    counts = f"both masks empty in {dice.both_empty}, one of them in {dice.one_empty}"
    if len(facts.labels) > 1:
        counts = f"of their {number * len(facts.labels)} labels, {counts}"
    empty = f"; {counts} (--empty {facts.settings.empty})"
    if not (dice.both_empty or dice.one_empty):
        empty = ""
    left = f", {dice.left_out} of them left out" if dice.left_out else ""
    return f"{_tell_mean(dice)} on {counted(number, 'case')}{of}{left}{over}{empty}.{_tell_strata(strata)}"


def _tell_strata(strata: Mapping[str, ArmStratum]) -> str:
    if LEFT_EMPTY not in strata:
        return ""
    without = strata[LEFT_EMPTY]
    alone = f" {without.value:.0%} of the {counted(without.cases, 'case')} without the object are left empty"
    if WITH_OBJECT not in strata:
        return f"{alone}.".replace("%", " %")
    held, missed = strata[WITH_OBJECT], strata[MISSED]
    return (
        f" Where the object is, in {counted(held.cases, 'case')}, Dice is {show_stratum(held)}, and {missed.value:.0%} of the "
        f"objects are missed altogether;{alone}."
    ).replace("%", " %")


def _tell_mean(dice: ScoreSummary) -> str:
    if dice.mean is None:
        return "No case has a Dice"
    if dice.low is None or dice.high is None:
        return f"Mean Dice {show_score(dice.mean)}, without an interval,"
    return f"Mean Dice {show_score(dice.mean)} (95 % interval {show_score(dice.low)} to {show_score(dice.high)})"


def list_notes(facts: Facts) -> Iterator[str]:
    """What the scores cannot tell, and what was left out or taken for granted."""
    pairing, groups = facts.pairing, len(set(facts.groups.values()))
    yield (
        f"Intervals speak of new {'groups' if facts.known else 'cases'} for these predictions; what another training would "
        "change is not in them."
    )
    if groups == 1 and len(pairing.pairs) > 1:
        yield "All cases are of one group, which tells nothing of others, so that there is no interval."
    elif not facts.known and len(pairing.pairs) > 1:
        yield (
            "No groups are known, so every case counts as independent: where several are of one patient or video, name them "
            "with groups (--groups or --group-pattern), or the interval is too narrow."
        )
    if 1 < groups < FEW_GROUPS:
        what = "group" if facts.known else "case"
        yield f"There are {counted(groups, what)}: others may differ more than these do."
    if missing := pairing.missing:
        yield (
            f"Left out (--partial): {len(missing)} of {len(missing) + len(pairing.pairs)} cases, which have no prediction: "
            f"{list_names(missing)}. If those are the hard ones, the scores flatter."
        )
    if unused := pairing.unused:
        yield f"{counted(len(unused), 'prediction')} without a reference, not scored: {list_names(unused)}."
    if facts.views:
        yield f"Scores of {counted(facts.views, 'case')} count inside the field of view alone, as the masks of it say."
    if all(one.dice == 1.0 or one.both_empty for of_case in facts.measures for one in of_case.values()):
        yield "Every prediction equals its reference to the pixel; look whether the predictions are a copy of the true masks."
    for label in facts.labels:
        ones = [of_case[label] for of_case in facts.measures]
        if not any(one.true_pixels for one in ones):
            yield f"No reference holds {show_name(label)}: its scores tell of false alarms alone."
        elif not any(one.predicted_pixels for one in ones):
            yield f"No prediction holds {show_name(label)}, where {sum(one.true_pixels > 0 for one in ones)} references do."


def describe_methods(facts: Facts) -> str:
    """What was done, as a paper says it."""
    settings, groups = facts.settings, len(set(facts.groups.values()))
    number = len(facts.pairing.pairs)
    of = f" in {counted(groups, 'group')}" if facts.known else ""
    over = f" for {len(facts.labels)} labels, and averaged over the labels of a case and then over cases" * (
        len(facts.labels) > 1
    )
    parts = [
        f"Predicted masks were scored against the reference on {counted(number, 'case')}{of}{over}.",
        (
            f"Distances are in {facts.unit}, between {_SURFACES[settings.surface]}; NSD is the surface Dice at a tolerance of "
            f"{show_length(settings.tolerance_mm, facts.unit)}, and HD95 the larger of the two directed 95th percentiles."
        ),
        f"Empty masks: {describe_empty(settings.empty)}.",
    ]
    if settings.lesions:
        parts.append("Lesions are connected components; a predicted and a true one match where they share a pixel.")
    parts.append(describe_intervals(grouped=facts.known, trainings=False))
    if facts.pairing.missing:
        left = len(facts.pairing.missing)
        parts.append(f"{left} of {left + number} cases have no prediction and were left out.")
    parts.append(f"Computed with focalseg {__version__}.")
    return " ".join(parts)
