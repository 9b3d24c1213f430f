"""The verdict on another set in sentences: what is found there, and whether the job found the same on its own test cases."""

from focalseg import __version__
from focalseg.comparison.basis import Basis, describe_basis
from focalseg.evaluation.verdict import Verdict
from focalseg.evaluation.wording import describe_intervals
from focalseg.findings import counted
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import LEFT_EMPTY
from focalseg.records.placement import ALL, NONE, JobRecord
from focalseg.records.scores.emptiness import describe_empty, name_endpoint
from focalseg.study.external.beginning import FinishedJob
from focalseg.study.external.scoring import ScoredSet
from focalseg.study.outcome.breakdown_wording import describe_interval
from focalseg.study.outcome.wording import describe_verdict

_FINDINGS = {"helps": "{} helps", "harms": "{} harms", "no_difference_shown": "no difference is shown"}
_MORE_GROUPS = "evaluate on a set with more of them"
_MORE_TRAININGS = "place again in a new folder, with seeds=3 or more"
_SAME_TRAINING = "With the training images of the job taken as they are"
SAME_NETWORKS = "Nothing was placed: placed and none are the same networks, and there is nothing to compare between them."


def describe_there(verdict: Verdict, *, same: bool) -> str:
    """The verdict on a set. same: whether placed and none are the same networks, so that all against none is what is left."""
    sentence = describe_verdict(verdict, more_groups=_MORE_GROUPS, more_trainings=_MORE_TRAININGS, alone_for=_SAME_TRAINING)
    return f"{SAME_NETWORKS} {sentence}" if same else sentence


def describe_agreement(own: JobRecord, verdict: Verdict, *, data: str, same: bool) -> str:
    """Whether a set says what the job's own test cases say. own: what the job said."""
    if verdict.collapses.too_many:
        return "Nothing is compared with the job's own test cases, of which the same is true."
    if same:
        there = verdict.against.placed_minus.get(ALL) if verdict.against else None
        beside = f", and here {_show(_swap(there), verdict.adjusted.level)}" if there else ""
        return f"On the job's own test cases all minus none was {_show(own.all_minus_none.estimate, own.looks.level)}{beside}."
    subject = "attention" if verdict.most_modules else "shutting a skip"
    before, now = (_FINDINGS[outcome].format(subject) for outcome in (own.verdict, verdict.outcome))
    figure = _show(own.difference.estimate, own.looks.level)
    if own.verdict == verdict.outcome:
        again = "either" if verdict.outcome == "no_difference_shown" else "as well"
        return f"On the job's own test cases {before} {again}: {figure}."
    untested = "Whether the two differences differ from one another is not tested."
    return f"On the job's own test cases {before}: {figure}; on {data} {now}. {untested}"


def describe_methods(job: FinishedJob, on: ScoredSet, found: JobRecord) -> str:
    """A paragraph for a paper."""
    arm = found.arms[NONE]
    folds = f" of each of {arm.folds} folds" if arm.folds > 1 else ""
    labels = f", the mean over {', '.join(on.fit.labels)}" if len(on.fit.labels) > 1 else ""
    clustered = " The networks of every fold scored all cases." * (arm.folds > 1)
    basis = describe_basis(Basis(claim=found.claim, shared=found.overlap, told=True), arm.folds)
    lacking = LEFT_EMPTY in found.strata
    apart = (
        f" {counted(found.strata[LEFT_EMPTY].cases, 'case')} without it were judged by whether they were left empty; over all "
        f"cases {describe_empty(distances=False)} ({arm.both_empty} and {arm.one_empty} times in the plain networks' "
        "predictions)."
        if lacking
        else ""
    )
    return (
        f"Networks that were trained on {job.splits.data} ({counted(arm.trainings, 'training')} per arm{folds}) predicted the "
        f"{counted(arm.cases, 'case')} ({counted(arm.groups, 'group')}) of {on.source} as they were: nothing was trained, "
        f"chosen or tuned on them. The score is {name_endpoint(found.endpoint, lacking=lacking)}, per case at the image's own "
        f"size{labels}.{apart} Arms are paired by case and fold.{clustered} "
        f"{describe_intervals(grouped=arm.groups < arm.cases, folds=arm.folds)} {basis + ' ' if basis else ''}"
        "A difference is claimed where its interval lies clear of 0 and p, adjusted for all that could be claimed (Holm), is "
        f"below {found.looks.level:.3g}. Computed with focalseg {__version__}."
    )


def _show(estimate: Estimate, level: float) -> str:
    """level: of the look that the interval is of."""
    return f"{estimate.mean:+z.3f} Dice ({describe_interval(estimate, level)})"


def _swap(difference: Estimate) -> Estimate:
    """The same difference, the other arm first."""
    return Estimate(mean=0 - difference.mean, low=0 - difference.high, high=0 - difference.low)
