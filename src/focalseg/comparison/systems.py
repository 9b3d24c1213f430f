"""What is compared: systems, each with the scores of its trainings on cases."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from focalseg.errors import DataError
from focalseg.findings import show_name, show_value
from focalseg.records.outcome.claims import Claim, Looks
from focalseg.records.outcome.strata import WITH_OBJECT, Endpoint

CaseScores = Mapping[str, Mapping[str, float]]
"""By case and then by label; nan where there is none."""
WHOLE = ""
"""The label of a score that is of a whole case."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The Dice of one label of one case, nan where both masks are empty, and the pixels that it comes from."""

    dice: float
    true: float
    predicted: float


@dataclass(frozen=True, kw_only=True)
class Training:
    """Scores of one training on the cases that it was tested on. fold, seed: "" where they are not known.

    silent: whether it predicts nothing at all on cases that do hold something, as far as that is known. counted: what is known
    besides of the same labels of the same cases, of all of them, those without a score too, or of none.
    """

    scores: CaseScores
    counted: Mapping[str, Mapping[str, Counted]] = field(default_factory=dict)
    fold: str = ""
    seed: str = ""
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmOfJob:
    """An arm of a finished job, with what the job's record holds every comparison of its arms to.

    job: where it lies. endpoint: the score that its verdict rests on. claim, looks: as the record has them. p_values: by the
    name of a stratum, "" for the endpoint, and those of two arms, p and adjusted p of the one minus the other, of all that the
    job compares.
    """

    job: str
    arm: str
    endpoint: Endpoint
    claim: Claim
    looks: Looks
    p_values: Mapping[tuple[str, str, str], tuple[float, float]]

    @property
    def family(self) -> int:
        """How many different comparisons have an adjusted p; Dice where the object is, is the endpoint once more."""
        return sum(stratum != WITH_OBJECT for stratum, _, _ in self.p_values)

    def find(self, stratum: str, one: str, other: str) -> tuple[float, float] | None:
        """p and adjusted p of two arms, in whichever order; None where the job did not compare them."""
        return self.p_values.get((stratum, one, other), self.p_values.get((stratum, other, one)))


@dataclass(frozen=True, kw_only=True)
class System:
    """A method, by its trainings. groups: what a case belongs to, of those cases of which that is known. shared: the mean share
    of what two folds were trained on that they have in common, None where no file says. of_job: the arm that it is."""

    name: str
    trainings: tuple[Training, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    shared: float | None = None
    of_job: ArmOfJob | None = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels that any case has a score of, in the order they come in."""
        found = (label for training in self.trainings for scores in training.scores.values() for label in scores)
        return tuple(dict.fromkeys(found))

    @property
    def mostly_silent(self) -> bool:
        """Whether more than half of its trainings predict nothing at all."""
        return 2 * sum(training.silent for training in self.trainings) > len(self.trainings)

    def list_scores(self) -> Iterator[tuple[str, float]]:
        """Every case with a score that is one."""
        for training in self.trainings:
            for case, scores in training.scores.items():
                yield from ((case, score) for score in scores.values() if not math.isnan(score))


def list_cases(systems: Sequence[System]) -> list[str]:
    """The names of all cases that any of the systems has a score of, in the order they come in."""
    return list(dict.fromkeys(case for system in systems for training in system.trainings for case in training.scores))


def split_folds(system: System) -> dict[str, list[Training]]:
    """Its trainings by fold, folds in the order of their names as numbers and each fold's trainings in the given order.

    Where no training names its fold, those that share cases are of one: the folds of a cross-validation share none.
    Raises DataError where some name their fold and others do not, or trainings of one fold share no case.
    """
    named = [training for training in system.trainings if training.fold]
    if named and len(named) < len(system.trainings):
        raise DataError(
            f"{show_name(system.name)}: {len(named)} of its {len(system.trainings)} trainings name their fold; expected all or "
            "none of them to. Add the fold to the others."
        )
    folds: dict[str, list[Training]] = {}
    if named:
        for training in sorted(named, key=lambda one: order_naturally(one.fold)):
            folds.setdefault(training.fold, []).append(training)
        return folds
    shared: list[tuple[set[str], list[Training]]] = []
    for training in system.trainings:
        touched = [part for part in shared if not part[0].isdisjoint(training.scores)]
        cases = set(training.scores).union(*(part[0] for part in touched))
        members = [one for part in touched for one in part[1]]
        place = shared.index(touched[0]) if touched else len(shared)
        shared = [part for part in shared if part not in touched]
        shared.insert(place, (cases, [*members, training]))
    return {str(number) if len(shared) > 1 else "": members for number, (_, members) in enumerate(shared)}


def order_naturally(text: str) -> tuple[int, int, str]:
    """A key by which numbers come in their order, and before other texts."""
    return (0, int(text), "") if text.isascii() and text.isdigit() and len(text) < 10 else (1, 0, text)


def check_systems(systems: Sequence[System], *, better: str) -> None:
    """Raises DataError, with every fault, for scores that are infinite or in different units, none at all, and for labels that
    differ."""
    faults = []
    for system in systems:
        if not any(True for _ in system.list_scores()):
            faults.append(f"{show_name(system.name)} has no score; expected one per case. Give another table.")
        faults += [
            f"{show_name(system.name)}: case {show_name(case)} has the score {score}; expected a number up to {LARGEST:g}, or "
            "nan where there is none. Mend that score."
            for case, score in system.list_scores()
            if abs(score) > LARGEST
        ][:_MOST_FAULTS]
    if not faults:
        faults = [*_find_other_labels(systems), *_find_other_units(systems, better)]
    if faults:
        raise DataError(faults)


LARGEST = 1e100
"""A score beyond it is no measurement, and its square no number."""
_MOST_FAULTS = 5
"""Of a kind and a system, how many are told."""


def align_labels(systems: Sequence[System]) -> tuple[tuple[System, ...], list[str]]:
    """The systems with the same names of labels, as far as that can be had, and what was done for it.

    An only label is the same whatever its name; where a system has scores of whole cases alone, those of the others become
    that, the mean over labels. Labels that differ otherwise are left as they are.
    """
    first, *others = systems
    if all(len(system.labels) == 1 for system in systems):
        names = [system.labels[0] for system in systems]
        notes = [
            f"The only label is {show_name(names[0])} in {show_name(first.name)} and {show_name(label)} in "
            f"{show_name(other.name)}: it is taken to be the same."
            for other, label in zip(others, names[1:], strict=True)
            if WHOLE not in (label, names[0]) and label != names[0]
        ]
        return tuple(map(_average_labels, systems)) if len(set(names)) > 1 else tuple(systems), notes
    whole = [system.name for system in systems if system.labels == (WHOLE,)]
    if not whole or len(whole) == len(systems):
        return tuple(systems), []
    note = (
        f"{show_name(whole[0])} has scores of whole cases: of the others it is the mean over the labels of a case that is "
        "compared."
    )
    return tuple(map(_average_labels, systems)), [note]


def _average_labels(system: System) -> System:
    """The same with one score per case, the mean over the labels that have one."""

    def average(scores: Mapping[str, float]) -> dict[str, float]:
        known = [score for score in scores.values() if not math.isnan(score)]
        return {WHOLE: float(sum(known) / len(known)) if known else math.nan}

    def rename(training: Training) -> Mapping[str, Mapping[str, Counted]]:
        """What was counted of the only label; of several labels nobody counted the whole."""
        if len(system.labels) > 1:
            return {}
        return {case: dict.fromkeys([WHOLE], one) for case, of in training.counted.items() for one in of.values()}

    trainings = (
        replace(
            training,
            scores={case: average(scores) for case, scores in training.scores.items()},
            counted=rename(training),
        )
        for training in system.trainings
    )
    return replace(system, trainings=tuple(trainings))


def _find_other_labels(systems: Sequence[System]) -> Iterator[str]:
    first, *others = systems
    for system in others:
        if set(system.labels) != set(first.labels):
            found, expected = (show_value(", ".join(filter(None, one.labels))) for one in (system, first))
            common = [label for label in first.labels if label in system.labels]
            mend = (
                f"Compare what both have, with --label {show_name(common[0])}." if common else "Give the same labels one name."
            )
            yield (
                f"{show_name(system.name)} has scores of the labels {found}; expected those of {show_name(first.name)}, "
                f"{expected}. {mend}"
            )


def _find_other_units(systems: Sequence[System], better: str) -> Iterator[str]:
    """Shares beside percent: of a distance, where lower is better, nothing tells its unit."""
    if better != "higher":
        return
    largest = {system.name: max(score for _, score in system.list_scores()) for system in systems}
    shares = [name for name, score in largest.items() if 0 < score <= 1]
    percent = [name for name, score in largest.items() if 2 < score <= 100]
    if shares and percent:
        yield (
            f"{show_name(percent[0])} has scores up to {largest[percent[0]]:g}, and {show_name(shares[0])} up to "
            f"{largest[shares[0]]:g}; expected one unit, which percent beside shares are not. Divide those in percent by 100."
        )
