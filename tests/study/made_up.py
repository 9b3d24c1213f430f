"""Runs that are not trained: their files are written with scores and evidence of a test's own choosing."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from focalseg.evaluation.metrics import Distances, Overlap
from focalseg.files import write_text
from focalseg.records.evidence import EVIDENCE, Evidence, SiteEvidence
from focalseg.records.result import RESULT
from focalseg.study.running.runs import CASES, RunPlan, RunResult
from focalseg.study.running.scores import CaseScore, format_scores


def make_score(
    case: str,
    dice: float,
    *,
    group: str = "",
    part: str = "test",
    predicted: int = 10,
    hd95: float | None = None,
    tuned: float | None = None,
) -> CaseScore:
    """A case of ten true pixels with that Dice, which is every other score as well. hd95: in mm, of which ASSD is a quarter and
    NSD falls with it; None: no distances were measured. tuned: the same as dice at a tuned threshold, ten pixels predicted;
    None: it was scored at 0.5 alone."""
    overlap = _make_overlap(dice, predicted)
    at_tuned = {} if tuned is None else {"foreground": _make_overlap(tuned, 10)}
    distances: dict[str, Distances] = {}
    if hd95 is not None:
        distances["foreground"] = Distances(nsd=1 / (1 + hd95), hd95=hd95, assd=hd95 / 4, tolerance=2.0, unit="mm")
    scores = {"foreground": overlap}
    return CaseScore(case=case, group=group or case, part=part, overlaps=scores, distances=distances, tuned=at_tuned)


def _make_overlap(dice: float, predicted: int) -> Overlap:
    return Overlap(dice=dice, iou=dice, precision=dice, recall=dice, true_pixels=10, predicted_pixels=predicted)


def make_result(scores: Sequence[CaseScore], *, modules: int = 0, threshold: float | None = None) -> RunResult:
    """A run with these scores; a module has 10 of the 100 parameters and more. threshold: the one that was tuned."""
    return RunResult(
        modules=modules,
        parameters=100 + 10 * modules,
        flops=1000,
        seconds=1.0,
        threshold=threshold,
        scores=tuple(scores),
    )


@dataclass
class MadeUp:
    """An engine in place of `run_locally`. dice: of all cases of a plan. cost: of a site in its evidence. collapses: whether a
    plan ends predicting nothing. batches: what was run."""

    dice: Callable[[RunPlan], float]
    cost: Callable[[RunPlan, str], float]
    collapses: Callable[[RunPlan], bool] = lambda _: False
    batches: list[list[RunPlan]] = field(default_factory=list)

    def __call__(self, plans: Sequence[RunPlan], *, workers: int) -> None:
        """Writes the files of the runs that are not there."""
        assert workers > 0
        assert len({plan.folder for plan in plans}) == len(plans)
        self.batches.append([plan for plan in plans if not plan.is_finished])
        for plan in self.batches[-1]:
            self.write(plan)

    def write(self, plan: RunPlan) -> None:
        """The files of one run."""
        dice, modules = self.dice(plan), len(plan.config.attention)
        predicted = 0 if self.collapses(plan) else 10
        scores = [make_score(name, dice, part=part, predicted=predicted) for part, name in plan.scored_cases]
        write_text(plan.folder / CASES, format_scores(scores))
        records = [
            SiteEvidence(
                site=site,
                gate=gate,
                gamma=1.0 + plan.config.fold,
                spread=0.1,
                case_costs=tuple(self.cost(plan, site) for _ in plan.split.validation),
                joint_case_costs=tuple(self.cost(plan, site) for _ in plan.split.validation),
            )
            for site, gate in plan.config.attention.items()
        ]
        evidence = Evidence(
            sites=tuple(records),
            case_scores=tuple(dice for _ in plan.split.validation),
            exponents=plan.config.training.exponents,
        )
        write_text(plan.folder / EVIDENCE, json.dumps(asdict(evidence)))
        result = {"modules": modules, "parameters": 100 + 10 * modules, "flops": 1000, "seconds": 1.0}
        write_text(plan.folder / RESULT, json.dumps(result))
