"""Finished jobs in a moment: their networks are those that the seeds draw, and everything else is as `place` leaves it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from focalseg.files import write_text
from focalseg.inference.folders import LEAN
from focalseg.networks.state import read_state
from focalseg.placement.policies.questions import Layout
from focalseg.records.placement import ALL, NONE, PLACED, PLACEMENT, Collapsed, Placement
from focalseg.records.record import write_record
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, Result
from focalseg.records.seals import hash_file, sign_text
from focalseg.records.site_decision import SiteDecision
from focalseg.records.splits import SPLITS
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.summary import judge, record_results
from focalseg.study.planning.groundwork import Groundwork, lay_groundwork
from focalseg.study.planning.splits_file import record_splits
from focalseg.study.presets import build_settings
from focalseg.study.running.cases import read_same_case
from focalseg.study.running.runs import CASES, RunPlan, read_result, score_at_full_size
from focalseg.study.running.scores import format_scores
from focalseg.training.run import build_network
from focalseg.yaml_files import write_yaml

EVERYWHERE = {"encoder.0": "se", "bottleneck": "se", "skip.0": "ag"}
SETTINGS = {
    "data": {"longest_side": 32},
    "network": {"base_width": 4, "most_levels": 3},
    "training": {"steps": 12, "batch_size": 4, "validate_every": 6, "log_every": 3},
}


def write_untrained_job(
    folder: Path,
    source: str,
    *,
    placed: Sequence[Layout] = ({"encoder.0": "se"},),
    seeds: int = 2,
    settings: Mapping = SETTINGS,
) -> Path:
    """A job on that set. placed: what each of its folds placed; a fold that placed nothing has the plain network's runs."""
    chosen = build_settings("quick", {**settings, "seeds": seeds, "split": {"test_folds": len(placed)}})
    ground = lay_groundwork(source, chosen, 0, "cpu")
    arms: dict[str, list[list[RunPlan]]] = {NONE: [], ALL: [], PLACED: []}
    for number, layout in enumerate(placed):
        runs = {arm: [_plan(folder, ground, number, arm, what, seed) for seed in range(5, 5 + seeds)]
                for arm, what in ((NONE, {}), (ALL, EVERYWHERE), (PLACED, layout))}  # fmt: skip
        for arm, plans in runs.items():
            arms[arm].append(runs[NONE] if arm == PLACED and not layout else plans)
    for plan in {plan.folder: plan for folds in arms.values() for plans in folds for plan in plans}.values():
        _write_run(plan)
    placements = tuple(Placement(policy="removal", sites=_decide(layout)) for layout in placed)
    results = JobResult(
        arms={arm: [[read_result(plan.folder) for plan in plans] for plans in folds] for arm, folds in arms.items()},
        folds=tuple(fold.split.fold for fold in ground.folds),
        placements=placements,
        agreed=placements[0],
        candidates=len(EVERYWHERE),
        search=Collapsed(0, 2),
    )
    runs = {arm: tuple(plan.folder.relative_to(folder).as_posix() for fold in of for plan in fold) for arm, of in arms.items()}
    write_record(folder / PLACEMENT, record_results(judge(results), results, runs=runs))
    write_record(folder / SPLITS, record_splits(ground))
    (folder / LEAN).mkdir()
    return folder


def _plan(folder: Path, ground: Groundwork, number: int, arm: str, layout: Layout, seed: int) -> RunPlan:
    fold = ground.folds[number]
    return RunPlan(
        arm=arm,
        config=replace(fold.config, attention=layout, seed=seed),
        split=fold.split,
        folder=folder / "runs" / arm / f"fold_{fold.split.fold}" / f"seed_{seed}",
        device="cpu",
        groups=ground.groups,
        case_digests=ground.case_digests,
    )


def balance(network: nn.Module, image: Tensor) -> nn.Module:
    """The network with its last bias moved, so that its classes share an image (1, C, *spatial): else one may have it all."""
    with torch.no_grad():
        logits = network(image)
        network.head.bias -= logits.flatten(2).quantile(0.8 if logits.shape[1] == 1 else 0.5, dim=2)[0]
    return network


def _write_run(plan: RunPlan) -> None:
    case = read_same_case(plan.config.data, plan.split.test[0], {})
    network = balance(build_network(plan.config).eval(), plan.config.preparation.prepare_image(case.image)[None])
    plan.folder.mkdir(parents=True)
    save_file(read_state(network), plan.folder / WEIGHTS)
    write_text(plan.folder / CONFIG, sign_text(write_yaml(plan.config)))
    write_text(plan.folder / CASES, format_scores(score_at_full_size(plan, network)))
    digests = {name: hash_file(plan.folder / name) for name in (CONFIG, WEIGHTS, CASES)}
    modules = len(plan.config.attention)
    result = Result(modules=modules, parameters=100, flops=1000, seconds=1.0, data=plan.data_digest, files=digests)
    write_record(plan.folder / RESULT, result)


def _decide(layout: Layout) -> tuple[SiteDecision, ...]:
    return tuple(
        SiteDecision(site=site, gate=gate, gamma=1.0, removal_cost=0.1, spread=0.1, kept=site in layout, why="so")
        for site, gate in EVERYWHERE.items()
    )
