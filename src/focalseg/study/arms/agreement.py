"""The placements of the folds: how they come about, what they have in common, and which network stands for them."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from focalseg.placement.decision import record_choice
from focalseg.placement.policies.questions import Choice, ask
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import ALL, Collapsed, Placement
from focalseg.records.site_decision import SiteDecision
from focalseg.study.arms.design import Design
from focalseg.study.arms.search import Round, TrainedSearch, find_allies
from focalseg.study.arms.total import JUDGED_BY_TOTAL, TotalEffects, agree_on_total
from focalseg.study.running.runs import VALIDATION, RunPlan, RunResult, dice_matrix, read_evidence

AVERAGED = ("gamma", "removal_cost", "removal_low", "removal_high", "joint_cost", "spread")
LISTED = ("removal_costs", "removal_lows", "removal_highs", "removal_cases")
"""Of each training, fold after fold."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """placements: of each fold. search: how many of how many trainings that they were chosen with collapsed, over all folds;
    of one fold alone where all of its own did.
    asked: the folders of these trainings.
    witness: the folder of a training with every site, which has their costs."""

    placements: tuple[Placement, ...]
    search: Collapsed
    asked: tuple[Path, ...]
    witness: Path


def decide_folds(design: Design, known: Sequence[Mapping[str, Sequence[RunPlan]]]) -> Decided:
    """What the policy places on each fold, from trainings of its own and those of other folds that may testify there. What all
    folds wait for is trained together, and all go on, until none waits for more. known: the finished runs of each fold by
    arm."""
    alone = [design.search(trainer) for trainer in design.trainers]
    searches = [replace(search, others=find_allies(alone, number)) for number, search in enumerate(alone)]
    totals = TotalEffects(design, known)
    folds = [_decide_fold(search, design.policy, arms[ALL], totals) for search, arms in zip(searches, known, strict=True)]
    steps = [_go_on(fold) for fold in folds]
    while rounds := [step for step in steps if isinstance(step, Round)]:
        design.run(rounds[0].title, [plan for each in rounds for plan in each.plans])
        steps = [_go_on(fold) if isinstance(step, Round) else step for fold, step in zip(folds, steps, strict=True)]
    folders = [*searches[0].asked, *(plan.folder for plan in known[0][ALL])]
    return Decided(
        placements=tuple(step for step in steps if isinstance(step, Placement)),
        search=_add_up([search.collapsed for search in searches]),
        asked=tuple(folder for search in searches for folder in search.asked),
        witness=next(folder for folder in folders if (folder / EVIDENCE).exists()),
    )


def _go_on(fold: Generator[Round, None, Placement]) -> Round | Placement:
    """The next runs that a fold waits for, or its placement. Runs that an earlier call left finished are not waited for."""
    step = ask(fold)
    while isinstance(step, Round) and all(plan.is_finished for plan in step.plans):
        step = ask(fold)
    return step


def _decide_fold(
    search: TrainedSearch, policy: str, everywhere: Sequence[RunPlan], totals: TotalEffects
) -> Generator[Round, None, Placement]:
    """Gives what has to be trained before the policy can go on, and returns the placement of the fold.

    everywhere: the finished runs of all sites, which are compared anyway; their evidence is written beside the decisions of a
    policy that looked at none. What stands beside a decision is of the fold's own trainings: the others stand beside theirs.
    """
    course = search.start(policy)
    step = ask(course)
    while not isinstance(step, Choice):
        step = ask(course, (yield from search.answer(step)))
    if step.evidence:
        own = [one for one in step.evidence if one.fold == search.trainer.split.fold]
        placement = record_choice(step, policy, search.everywhere, own or step.evidence)
        return totals.reconsider(placement, step, search) if policy in JUDGED_BY_TOTAL else placement
    telling = [replace(plan, testifies=True) for plan in everywhere]
    yield Round("gathering evidence on every site", telling)
    return record_choice(step, policy, search.everywhere, [read_evidence(plan.folder) for plan in telling])


def _add_up(shares: Sequence[Collapsed]) -> Collapsed:
    """What is collapsed over all folds; of one fold alone where all of its own did, which others do not make up for."""
    silent = [share for share in shares if 0 < share.collapsed == share.trainings]
    everything = Collapsed(sum(share.collapsed for share in shares), sum(share.trainings for share in shares))
    return silent[0] if silent else everything


def agree(placements: Sequence[Placement]) -> Placement:
    """The placement of all folds: a site is kept, or shut, where at least half of the folds do so, evidence is averaged.

    Of one fold it is that fold's. The interval of a removal cost is the mean of the folds' intervals, which is wider than one
    from all of them together.
    """
    if len(placements) == 1:
        return placements[0]
    sites = zip(*(placement.sites for placement in placements), strict=True)
    return Placement(
        policy=placements[0].policy,
        sites=tuple(_agree_on_site(decisions) for decisions in sites),
        total_effect=agree_on_total([placement.total_effect for placement in placements]),
    )


def _agree_on_site(decisions: Sequence[SiteDecision]) -> SiteDecision:
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
        **{name: tuple(value for one in decisions for value in getattr(one, name)) for name in LISTED},  # type: ignore[arg-type]
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
    plain = {fold: _measure_dice([one for one in none[fold] if not one.collapsed] or none[fold]) for fold in near}
    return max(telling or everything, key=lambda one: _measure_dice([placed[one[0]][one[1]]]) - plain[one[0]])


def _measure_dice(results: Sequence[RunResult]) -> float:
    """Mean validation Dice of some trainings."""
    return float(dice_matrix(results, VALIDATION).mean())
