"""Made-up test scores of several arms, with what the cases hold and what each arm does on them of a test's own choosing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from focalseg.evaluation.metrics import Overlap
from focalseg.records.placement import Collapsed, Placement
from focalseg.records.site_decision import SiteDecision
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.running.runs import RunResult
from focalseg.study.running.scores import CaseScore

Prediction = tuple[int, float]
"""Predicted pixels, and Dice."""


@dataclass(frozen=True)
class Planted:
    """One test case. true: pixels by label. fold: its place among the folds that test."""

    name: str
    true: Mapping[str, int]
    group: str = ""
    fold: int = 0


Answer = Callable[[Planted, str, int], Prediction]
"""What an arm predicts of a label of a case in the training of that number."""


def overlap_of(true: int, prediction: Prediction) -> Overlap:
    """Every other score is the Dice as well."""
    predicted, dice = prediction
    return Overlap(dice=dice, iou=dice, precision=dice, recall=dice, true_pixels=true, predicted_pixels=predicted)


def make_arm(
    cases: Sequence[Planted], answer: Answer, *, seeds: int = 2, modules: int = 0, tuned: Answer | None = None
) -> list[list[RunResult]]:
    """The trainings of an arm, by fold and then by seed. tuned: what it predicts at its tuned threshold."""
    folds = sorted({case.fold for case in cases})
    return [
        [make_run([case for case in cases if case.fold == fold], answer, seed, modules, tuned) for seed in range(seeds)]
        for fold in folds
    ]


def make_run(cases: Sequence[Planted], answer: Answer, seed: int, modules: int, tuned: Answer | None) -> RunResult:
    """One of them; one validation case says that it predicts something."""
    scores = [
        CaseScore(
            case=case.name,
            group=case.group or case.name,
            part="test",
            overlaps={label: overlap_of(true, answer(case, label, seed)) for label, true in case.true.items()},
            tuned={label: overlap_of(true, tuned(case, label, seed)) for label, true in case.true.items()} if tuned else {},
        )
        for case in cases
    ]
    labels = cases[0].true
    validation = CaseScore(
        case="v", group="v", part="validation", overlaps={label: overlap_of(10, (10, 0.5)) for label in labels}
    )
    return RunResult(
        modules=modules,
        parameters=1000 + 25 * modules,
        flops=1000,
        seconds=1.0,
        step_seconds=1.0 + modules / 10,
        threshold=0.3 if tuned else None,
        scores=(*scores, validation),
    )


def make_placement(*kept: str) -> Placement:
    """The placement of a fold that keeps some of three sites."""
    return Placement(
        policy="removal",
        sites=tuple(
            SiteDecision(site=site, gate="se", gamma=1.0, removal_cost=0.0, spread=0.1, kept=site in kept, why="so")
            for site in ("encoder.0", "bottleneck", "decoder.0")
        ),
    )


def make_job(placements: Sequence[Placement], **arms: list[list[RunResult]]) -> JobResult:
    """A finished job with these arms."""
    return JobResult(
        arms=arms,
        folds=tuple(range(len(placements))),
        placements=tuple(placements),
        agreed=placements[0],
        candidates=3,
        search=Collapsed(0, 2),
    )
