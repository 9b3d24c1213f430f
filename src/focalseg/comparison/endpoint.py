"""Which score a comparison rests on: the metric as it is, or Dice over the cases that have the object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from focalseg.comparison.known_metrics import WITH_OBJECT as NAME
from focalseg.comparison.known_metrics import are_same
from focalseg.comparison.pairing import Paired
from focalseg.comparison.settings import ComparisonSettings
from focalseg.comparison.strata import are_counted, have_object, lack_object, select_stratum
from focalseg.comparison.systems import Counted, System
from focalseg.findings import counted
from focalseg.records.outcome.strata import ALL_CASES_DICE, WITH_OBJECT, WITH_OBJECT_DICE, StratumName

_NO_OBJECT = (
    "No case has the object, so that Dice of all cases is compared, in which a case counts by whether it was left empty."
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The systems with the scores that are compared. settings: with the metric by the name that it is told by. endpoint: as the
    record has it. stratum: the kind of case that these scores are those of, None where they are of all kinds. partial: whether
    some cases or labels take no part. notes: why it is not what was asked for."""

    systems: Sequence[System]
    settings: ComparisonSettings
    endpoint: Literal["dice_with_object", "dice", ""]
    stratum: StratumName | None = None
    partial: bool = False
    notes: tuple[str, ...] = ()

    def keep_told(self, paired: Paired) -> Paired:
        """The same tables without a word on what takes no part in them, which the strata tell of: a note says how many."""
        if not self.partial:
            return paired
        truth = _find_truth(self.systems)
        left = [one for one in paired.left_out if not _lacks(truth.get(one.case, {}), one.label)]
        without = sum(all(one.true == 0 for one in labels.values()) for labels in truth.values())
        note = f"{without} of the {counted(len(truth), 'case')} lack the object: a kind of case of their own, no part of it."
        return replace(paired, left_out=tuple(left), notes=(*paired.notes, *((note,) if without else ())))


def choose_endpoint(systems: Sequence[System], settings: ComparisonSettings) -> Chosen:
    """What is compared. Where every case has every label, Dice over the cases that have it is Dice, and is called so."""
    whole = are_counted(systems) and not lack_object(systems)
    if not settings.with_object:
        dice = are_same(settings.metric, ALL_CASES_DICE)
        endpoint: Literal["dice_with_object", "dice", ""] = ALL_CASES_DICE if dice else ""
        if are_same(settings.metric, NAME):
            endpoint = WITH_OBJECT_DICE
        return Chosen(systems=systems, settings=settings, endpoint=endpoint, stratum=WITH_OBJECT if dice and whole else None)
    if not have_object(systems):
        return Chosen(systems=systems, settings=settings, endpoint=ALL_CASES_DICE, notes=(_NO_OBJECT,))
    if whole:
        return Chosen(systems=systems, settings=settings, endpoint=WITH_OBJECT_DICE, stratum=WITH_OBJECT)
    return Chosen(
        systems=select_stratum(systems, WITH_OBJECT),
        settings=replace(settings, metric=NAME),
        endpoint=WITH_OBJECT_DICE,
        stratum=WITH_OBJECT,
        partial=True,
    )


def _find_truth(systems: Sequence[System]) -> Mapping[str, Mapping[str, Counted]]:
    """What was counted of every case, by the first training that has it."""
    found: dict[str, Mapping[str, Counted]] = {}
    for system in systems:
        for training in system.trainings:
            found = {**training.counted, **found}
    return found


def _lacks(labels: Mapping[str, Counted], label: str) -> bool:
    """Whether a case has no such label, or none at all."""
    chosen = [one for name, one in labels.items() if not label or name == label]
    return bool(chosen) and all(one.true == 0 for one in chosen)
