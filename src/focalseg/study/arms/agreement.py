"""The placements of the folds: how they come about, what they have in common, and which network stands for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

from focalseg.evaluation.verdict import Share
from focalseg.placement.decision import decide_by_search
from focalseg.records.evidence import EVIDENCE, Evidence
from focalseg.records.placement import ALL, Placement, SiteDecision
from focalseg.study.arms.design import Contest
from focalseg.study.arms.search import TrainedSearch
from focalseg.study.running.runs import VALIDATION, RunPlan, RunResult, dice_matrix, read_evidence
from focalseg.study.running.trainer import Trainer, Wanted, want_missing

AVERAGED = ("gamma", "removal_cost", "removal_low", "removal_high", "joint_cost", "spread")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """placements: of each fold. search: how many of how many trainings that they were chosen with collapsed, over all folds;
    of one fold alone where all of its own did.
    witness: the folder of a training with every site, which has their costs."""

    placements: tuple[Placement, ...]
    search: Share
    witness: Path


def decide_folds(contest: Contest, known: Sequence[Mapping[str, Sequence[RunPlan]]]) -> Decided:
    """What the policy places on each fold, each from trainings of its own.

    Every policy is asked from the start until it wants a run that is not there; what all folds want is trained together, and
    all are asked again, until none wants more. known: the finished runs of each fold by arm.
    """
    while True:
        placements: list[Placement] = []
        questions: list[Wanted] = []
        searches: list[TrainedSearch] = []
        for trainer, arms in zip(contest.trainers, known, strict=True):
            searches.append(search := contest.search(replace(trainer, execute=want_missing)))
            try:
                placements.append(
                    decide_by_search(search, contest.policy, testify=partial(gather_from, search.trainer, arms[ALL]))
                )
            except Wanted as question:
                questions.append(question)
        if not questions:
            collapsed = add_up([search.collapsed for search in searches])
            folders = [*searches[0].asked, *(plan.folder for plan in known[0][ALL])]
            witness = next(folder for folder in folders if (folder / EVIDENCE).exists())
            return Decided(placements=tuple(placements), search=collapsed, witness=witness)
        contest.run(questions[0].title, [plan for question in questions for plan in question.plans])


def add_up(shares: Sequence[Share]) -> Share:
    """What is collapsed over all folds; of one fold alone where all of its own did, which others do not make up for."""
    silent = [share for share in shares if 0 < share[0] == share[1]]
    return silent[0] if silent else (sum(number for number, _ in shares), sum(of for _, of in shares))


def gather_from(trainer: Trainer, plans: Sequence[RunPlan]) -> list[Evidence]:
    """Evidence of trainings that are compared anyway, for a policy that looks at none."""
    telling = [replace(plan, testifies=True) for plan in plans]
    trainer.run("gathering evidence on every site", telling)
    return [read_evidence(plan.folder) for plan in telling]


def agree(placements: Sequence[Placement]) -> Placement:
    """The placement of all folds: a site is kept, or shut, where at least half of the folds do so, evidence is averaged.

    Of one fold it is that fold's. The interval of a removal cost is the mean of the folds' intervals, which is wider than one
    from all of them together.
    """
    if len(placements) == 1:
        return placements[0]
    sites = zip(*(placement.sites for placement in placements), strict=True)
    return Placement(policy=placements[0].policy, sites=tuple(agree_on_site(decisions) for decisions in sites))


def agree_on_site(decisions: Sequence[SiteDecision]) -> SiteDecision:
    """What several folds decided on one site, as one decision."""
    folds, keep, shut = len(decisions), [one for one in decisions if one.kept], [one for one in decisions if one.shut]
    kept = 2 * len(keep) >= folds
    closed = not kept and 2 * len(shut) >= folds
    telling = keep if kept else shut if closed else [one for one in decisions if not one.kept and not one.shut] or shut or keep
    count = f"{'shut' if closed else 'kept'} in {len(shut if closed else keep)} of {folds} folds"
    return replace(
        decisions[0],
        kept=kept,
        shut=closed,
        why=f"{count}, for instance: {telling[0].why}",
        **{name: fmean(getattr(one, name) for one in decisions) for name in AVERAGED},  # type: ignore[arg-type]
    )


def choose_lean(
    agreed: Placement,
    placements: Sequence[Placement],
    *,
    placed: Sequence[Sequence[RunResult]],
    none: Sequence[Sequence[RunResult]],
) -> tuple[int, int]:
    """Which fold and which of its trainings gives the network to take away: the one that gains most on validation data.

    Among the folds whose placement is the agreed one or, where there is none, those nearest to it. placed, none: the results of
    these arms by fold. A gain is that over the plain network's mean on the same fold, without which the fold with the easiest
    cases would win; collapsed trainings count for neither, as long as there are others.
    """
    apart = [len(agreed.layout.items() ^ placement.layout.items()) for placement in placements]
    near = [fold for fold, distance in enumerate(apart) if distance == min(apart)]
    telling = [(fold, number) for fold in near for number, result in enumerate(placed[fold]) if not result.collapsed]
    everything = [(fold, number) for fold in near for number in range(len(placed[fold]))]
    plain = {fold: measure_dice([one for one in none[fold] if not one.collapsed] or none[fold]) for fold in near}
    return max(telling or everything, key=lambda one: measure_dice([placed[one[0]][one[1]]]) - plain[one[0]])


def measure_dice(results: Sequence[RunResult]) -> float:
    """Mean validation Dice of some trainings."""
    return float(dice_matrix(results, VALIDATION).mean())
