"""What an interval has to hold for besides the scores: for whom it speaks, what folds share, how often they were looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from focalseg.comparison.systems import ArmOfJob, System
from focalseg.evaluation.significance import Difference, correct_holm
from focalseg.findings import counted
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks
from focalseg.records.outcome.strata import Stratum, StratumDifference, StratumName, name_pair

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
    def scope(self) -> str:
        """Whom they speak for, as it follows their name; nothing where folds share nothing, and both claims are one."""
        if self.shared == 0:
            return ""
        return " for new data" if self.claim == NEW_DATA else " for this data set"


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
    strata: with their own. family: how many different claims there are; of_job: whether these are those of the job that all
    systems are of."""

    p_values: Mapping[str, float]
    strata: Mapping[StratumName, Stratum]
    family: int
    of_job: bool = False


def adjust(
    systems: Sequence[System],
    differences: Mapping[str, Difference],
    strata: Mapping[StratumName, Stratum],
    main: StratumName | None,
    basis: Basis,
) -> Adjusted:
    """The differences from the first system and those of the strata, adjusted for one another.

    main: the kind of case that the differences are of, which is no further claim. Nor is a stratum of which the two have the
    same scores, such as misses where nobody missed any. A job adjusts for all that its own sentence may claim: two of its arms
    that somebody picks out of it keep the values of its record.
    """
    reference = systems[0].name
    claims: dict[tuple[str, str], float] = {("", name_pair(name, reference)): one.p_value for name, one in differences.items()}
    for name, stratum in strata.items():
        if name != main:
            claims |= {(name, pair): one.p_value or 0.0 for pair, one in stratum.differences.items() if _is_claim(one)}
    holm = correct_holm(claims)
    told = _recall(systems, differences, strata, basis)
    of_job = all(("", name_pair(name, reference)) in told for name in differences)
    if of_job:
        holm |= {(name, pair): told.get((name, pair), 1.0) for name, pair in holm}

    def take(name: StratumName, stratum: Stratum) -> Stratum:
        found = {
            pair: replace(one, holm_p=holm.get(("" if name == main else name, pair)))
            for pair, one in stratum.differences.items()
        }
        return replace(stratum, differences=found)

    return Adjusted(
        p_values={name: holm["", name_pair(name, reference)] for name in differences},
        strata={name: take(name, stratum) for name, stratum in strata.items()},
        family=basis.job.family if of_job and basis.job else len(claims),
        of_job=of_job,
    )


def _is_claim(found: StratumDifference) -> bool:
    return found.p_value is not None and (found.p_value < 1 or found.value != 0)


def _recall(
    systems: Sequence[System], differences: Mapping[str, Difference], strata: Mapping[StratumName, Stratum], basis: Basis
) -> dict[tuple[str, str], float]:
    """The adjusted p-values that the record of a job has of these very comparisons: p-values that are not its own are of other
    scores."""
    job = basis.job
    if job is None:
        return {}
    arms = {system.name: system.of_job.arm for system in systems if system.of_job}
    reference = systems[0].name
    known: dict[tuple[str, str], float] = {}
    for name, found in differences.items():
        pair = (arms[name], arms[reference])
        listed = [("", found.p_value, job.find("", *pair))]
        for stratum, one in strata.items():
            difference = one.find(name, reference)
            if difference is not None and difference.p_value is not None:
                listed.append((stratum, difference.p_value, job.find(stratum, *pair)))
        known |= {(key, name_pair(name, reference)): told[1] for key, p, told in listed if told and abs(told[0] - p) < _SAME}
    return known


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
        f"intervals are widened for that (docs/statistics.md; wider than by Nadeau and Bengio 2003).{looks}"
    )
