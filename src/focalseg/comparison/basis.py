"""What an interval has to hold for besides the scores: for whom it speaks, what folds share, how often they were looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from focalseg.comparison.systems import ArmOfJob, System
from focalseg.evaluation.significance import Difference, correct_holm
from focalseg.findings import counted
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks
from focalseg.records.outcome.strata import Stratum, StratumName

NEW_DATA: Claim = "new_data"
_SAME = 1e-9
"""p-values that differ by less are of the very same comparison."""


@dataclass(frozen=True, kw_only=True)
class Basis:
    """claim: whom the intervals speak for. shared: the mean share of what two folds were trained on that they have in common, 0
    for one fold; told: whether files say so, rather than the number of folds. looks: at these scores. job: what the record of a
    job holds its own arms to, where all systems are of one."""

    claim: Claim = NEW_DATA
    shared: float = 0.0
    told: bool = False
    looks: Looks = ONE_LOOK
    job: ArmOfJob | None = None

    @property
    def overlap(self) -> float:
        """What the intervals are widened for."""
        return self.shared if self.claim == NEW_DATA else 0.0

    @property
    def tail(self) -> float:
        """What they leave out on either side."""
        return self.looks.tail

    @property
    def widened(self) -> bool:
        """Whether they are wider than those of the claim for this set of images."""
        return self.overlap > 0


def find_basis(systems: Sequence[System], folds: int, claim: Claim | None) -> Basis:
    """What a comparison of these systems rests on. folds: how many there are; claim: that which was asked for.

    The arms of one job are compared as the job compares them. Without files that say what folds have in common they are those
    of a cross-validation, two of which have k - 2 of the k - 1 parts in common that each was trained on.
    """
    arms = [system.of_job for system in systems if system.of_job]
    job = arms[0] if len(arms) == len(systems) and len({arm.job for arm in arms}) == 1 else None
    told = [system.shared for system in systems if system.shared is not None]
    return Basis(
        claim=claim or (job.claim if job else NEW_DATA),
        shared=0.0 if folds < 2 else max(told) if told else (folds - 2) / (folds - 1),
        told=bool(told),
        looks=job.looks if job else ONE_LOOK,
        job=job,
    )


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """p-values adjusted for all that could be claimed (Holm). p_values: by system, of its difference from the reference.
    family: how many comparisons there are; of_job: whether these are those of the job that all systems are of."""

    p_values: Mapping[str, float]
    family: int
    of_job: bool = False


def adjust(systems: Sequence[System], differences: Mapping[str, Difference], basis: Basis) -> Adjusted:
    """The adjusted p-values of the differences from the first system, by system.

    A job claims from all comparisons that its record lists: two of its arms that somebody picks out of them are one of those.
    """
    if basis.job is not None:
        arms = {system.name: system.of_job.arm for system in systems if system.of_job}
        reference = arms[systems[0].name]
        listed = {name: basis.job.find(arms[name], reference) for name in differences}
        if all(one and abs(one[0] - differences[name].p_value) < _SAME for name, one in listed.items()):
            known = {name: one[1] for name, one in listed.items() if one}
            return Adjusted(p_values=known, family=len(basis.job.p_values), of_job=True)
    adjusted = correct_holm({name: found.p_value for name, found in differences.items()})
    return Adjusted(p_values=adjusted, family=len(adjusted))


def adjust_strata(
    strata: Mapping[StratumName, Stratum], main: StratumName | None, differences: Mapping[str, Difference], adjusted: Adjusted
) -> dict[StratumName, Stratum]:
    """The same with their p-values adjusted for all of them and for the differences themselves (Holm).

    main: the kind of case that these are of, which is no further comparison and keeps their adjusted p; its pairs are in the
    order of the systems.
    """
    names = list(differences)
    further: dict[tuple[str, str], float] = {
        (name, pair): found.p_value
        for name, stratum in strata.items()
        if name != main
        for pair, found in stratum.differences.items()
        if found.p_value is not None
    }
    holm = correct_holm(further | {("", name): found.p_value for name, found in differences.items()})

    def take(name: StratumName, stratum: Stratum) -> Stratum:
        pairs = stratum.differences.items()
        return replace(
            stratum,
            differences={
                pair: replace(found, holm_p=adjusted.p_values[names[place]] if name == main else holm.get((name, pair)))
                for place, (pair, found) in enumerate(pairs)
            },
        )

    return {name: take(name, stratum) for name, stratum in strata.items()}


def describe_basis(basis: Basis, folds: int) -> str:
    """For whom the intervals speak, as a sentence; nothing where one fold tells nothing of others."""
    looks = (
        f" These scores were looked at {counted(basis.looks.taken, 'time')}, and the intervals are those of the last look."
        if basis.looks.taken > 1
        else ""
    )
    if folds < 2:
        return looks.strip()
    if basis.claim != NEW_DATA:
        return f"The claim is for this data set: what other data to train on would change is not in the intervals.{looks}"
    share = f"{100 * basis.shared:.0f} %"
    source = "" if basis.told else f", as those of {folds} folds without a part to validate on"
    return (
        f"The claim is for new data like these: two folds have {share} of what they were trained on in common{source}, and the "
        f"intervals are widened for that (Nadeau and Bengio 2003).{looks}"
    )
