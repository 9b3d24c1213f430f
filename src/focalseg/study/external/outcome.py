"""What the scores on another set add up to: the verdict there, by the very functions that give that of a job."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from focalseg.evaluation.verdict import Footing, Verdict
from focalseg.records.estimate import DiceInterval
from focalseg.records.outcome.claims import Claim
from focalseg.records.outcome.strata import LEFT_EMPTY, WITH_OBJECT_DICE
from focalseg.records.placement import ALL, NONE, PLACED, JobRecord, Placement
from focalseg.records.scores.comparison import CaseDifference
from focalseg.records.scores.emptiness import name_endpoint
from focalseg.records.scores.external import ExternalRecord, OwnCases
from focalseg.records.splits import measure_overlap_of
from focalseg.study.external.beginning import FinishedJob, Training
from focalseg.study.external.scoring import ScoredSet, locate, read_external
from focalseg.study.external.wording import describe_agreement, describe_methods, describe_there
from focalseg.study.outcome.footing import read_rises_of
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.stacking import Arms, stack_folds
from focalseg.study.outcome.summary import judge, record_results
from focalseg.study.running.runs import TEST, VALIDATION, RunResult, read_result
from focalseg.training.run import RunConfig

EXTREMES = 8


@dataclass(frozen=True, kw_only=True)
class External:
    """The scores of a job's trainings on another set, and what they say. arms: of every fold its trainings, by arm."""

    verdict: Verdict
    record: ExternalRecord
    arms: Arms


def judge_external(
    job: FinishedJob,
    on: ScoredSet,
    kept: Path,
    config: RunConfig,
    *,
    notes: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
) -> External:
    """The verdict on a set, from the scores that are kept in a folder. config: of any training of the job."""
    results = read_results(job, kept, steps=config.training.steps)
    verdict = judge(results)
    found = record_results(verdict, results)
    same = results.arms[PLACED] == results.arms[NONE]
    record = ExternalRecord(
        job=str(job.folder),
        data=on.source,
        verdict=verdict.outcome,
        sentence=describe_there(verdict, same=same),
        agreement=describe_agreement(job.record, verdict, data=on.source, same=same),
        difference=found.difference,
        same_networks=same,
        own=_recall_own(job),
        labels=on.fit.labels,
        cases=found.arms[NONE].cases,
        groups=found.arms[NONE].groups,
        arms=found.arms,
        comparisons=found.comparisons,
        non_inferiority=found.non_inferiority,
        seed_noise=found.seed_noise,
        folds=found.folds,
        extremes=_find_extremes(results.arms, ALL if same else PLACED),
        notes=(*notes, *_tell_endpoints(job.record, found)),
        left_out=dict(left_out or {}),
        methods=describe_methods(job, on, found),
        endpoint=found.endpoint,
        difference_all_cases=found.difference_all_cases,
        strata=found.strata,
        by_label=found.by_label,
        by_size=found.by_size,
        rescue=found.rescue,
        tuned=found.tuned,
        overlap=found.overlap,
        claim=found.claim,
    )
    return External(verdict=verdict, record=record, arms=results.arms)


def read_results(job: FinishedJob, kept: Path, *, steps: int) -> JobResult:
    """The trainings of a job as its verdict takes them, with the scores on another set in place of those of its test cases.

    Every fold's networks score all cases of the set, as those of a job do where an official test part is the same in every
    fold; what is validated, and with it which trainings collapsed, stays what it was. Folds have training groups in common:
    what these do is common to them, too, and the intervals heed it.
    """
    known: dict[Path, RunResult] = {}

    def read(arm: str, one: Training) -> RunResult:
        run = one.files.folder
        if run not in known:
            own, scores = read_result(run), read_external(locate(kept, arm, one))
            known[run] = replace(own, scores=(*own.scores_of(VALIDATION), *scores))
        return known[run]

    record, trainings = job.record, job.trainings
    rests_on = {arm: [one.files.folder for fold in trainings[arm] for one in fold] for arm in (NONE, PLACED)}
    if rests_on[PLACED] == rests_on[NONE]:
        del rests_on[PLACED]
    return JobResult(
        arms={arm: [[read(arm, one) for one in fold] for fold in folds] for arm, folds in trainings.items()},
        folds=job.folds,
        placements=_recall_placements(record, job.folds),
        agreed=record,
        candidates=len(record.sites),
        search=record.search,
        footing=Footing(steps=steps, rises=read_rises_of(rests_on)),
        overlap=measure_overlap_of([split for split in job.splits.folds if split.fold in job.folds], job.splits.groups),
        claim=_recall_claim(record),
    )


def _tell_endpoints(own: JobRecord, there: JobRecord) -> Iterator[str]:
    """That the two verdicts rest on different scores, as that of an earlier version and one of now."""
    if own.endpoint != there.endpoint and LEFT_EMPTY in there.strata:
        before, now = (name_endpoint(endpoint, lacking=True) for endpoint in (own.endpoint, there.endpoint))
        where = before if own.endpoint == WITH_OBJECT_DICE else f"{before} of all cases"
        yield f"The job's own verdict rests on {where}, and the one there on {now}."


def _recall_claim(record: JobRecord) -> Claim:
    """Whom the intervals speak for: that which was asked for when the job was made. Versions that knew no overlap of folds did
    not ask, and spoke for the data set."""
    several = len(record.folds) > 1
    return "new_data" if several and not record.overlap else record.claim


def _recall_placements(record: JobRecord, folds: Sequence[int]) -> tuple[Placement, ...]:
    """What each fold placed, as far as the record tells: what was kept and what was shut."""
    kept = {fold.fold: fold for fold in record.folds}
    if not kept.keys() >= set(folds):
        return (record,) * len(folds)
    placements = []
    for fold in (kept[number] for number in folds):
        sites = (replace(one, kept=one.site in fold.kept, shut=one.site in fold.shut) for one in record.sites)
        placements.append(Placement(policy=record.policy, sites=tuple(sites)))
    return tuple(placements)


def _recall_own(job: FinishedJob) -> OwnCases:
    """What the job said of its own test cases."""
    record = job.record
    arm = record.arms[NONE]
    return OwnCases(
        data=job.splits.data,
        verdict=record.verdict,
        sentence=record.sentence,
        difference=record.difference,
        arms={
            name: DiceInterval(dice=one.dice, low=one.low, high=one.high)
            for name, one in record.arms.items()
            if name in job.trainings
        },
        comparisons=tuple(one for one in record.comparisons if {one.one, one.other} <= job.trainings.keys()),
        cases=arm.cases,
        groups=arm.groups,
        endpoint=record.endpoint,
    )


def average_cases(arms: Arms) -> tuple[tuple[tuple[str, str], ...], dict[str, np.ndarray]]:
    """Name and group of every case, in order, and by arm its Dice (N,), the mean over all trainings."""
    first = arms[NONE][0][0].scores_of(TEST)
    means = {arm: stack_folds(folds, TEST).reshape(-1, len(folds), len(first)).mean(axis=(0, 1)) for arm, folds in arms.items()}
    return tuple((score.case, score.group) for score in first), means


def _find_extremes(arms: Arms, other: str) -> tuple[CaseDifference, ...]:
    """The cases on which another arm and the plain network differ most, each a mean over the trainings; the largest first."""
    cases, means = average_cases(arms)
    order = np.argsort(-np.abs(means[other] - means[NONE]), kind="stable")[:EXTREMES]
    return tuple(
        CaseDifference(
            case=cases[number][0],
            group=cases[number][1],
            fold="",
            one=float(means[NONE][number]),
            other=float(means[other][number]),
        )
        for number in order.tolist()
    )
