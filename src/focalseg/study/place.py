"""The main job: does attention help on this data, which kind, and where?"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from focalseg.data.preparation import plan_preparation
from focalseg.data.splits import Split, split_by_group
from focalseg.errors import DataError
from focalseg.evaluation.statistics import Estimate, estimate_mean
from focalseg.evaluation.verdict import Verdict, decide_verdict
from focalseg.files import write_text
from focalseg.networks.planning import plan_widths
from focalseg.networks.unet import UNetConfig
from focalseg.placement.decision import Placement, decide
from focalseg.placement.instrument import plan_layout
from focalseg.study.examples import write_examples
from focalseg.study.lean import write_lean
from focalseg.study.local import choose_workers, run_locally
from focalseg.study.output import claim_folder
from focalseg.study.presets import Settings
from focalseg.study.runs import RunPlan, RunResult, dice_matrix, read_cases, read_evidence, read_result
from focalseg.training.loop import open_fabric
from focalseg.training.run import Device, RunConfig, build_network
from focalseg.yaml_files import write_yaml

PLACEMENT, SPLITS = "placement.json", "splits.json"
Watch = Callable[[str, Sequence[RunPlan]], AbstractContextManager[object]]
"""(what is being done, the runs it consists of) -> a context that may show their progress."""


@dataclass(frozen=True, kw_only=True)
class PlaceJob:
    """What a folder of the main job was made for."""

    data: str
    seed: int
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class PlaceResult:
    """What the main job found, and where its files are."""

    folder: Path
    verdict: Verdict
    placement: Placement


def place(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    seed: int = 0,
    device: Device = "auto",
    workers: int | None = None,
    watch: Watch = lambda _title, _plans: nullcontext(),
) -> PlaceResult:
    """Trains without attention and with all of it, decides where it stays, retrains the lean network and judges it.

    Sites are chosen on validation data alone, from trainings whose seeds are not used again; the plain and the lean network
    are then compared, seed by seed, on test data that nothing else looks at. Resumes whatever an earlier call left unfinished.
    Everything about the data and the settings is checked before the first file is written.
    """
    base, split = prepare(source, settings, seed, device)
    claim_folder(folder, write_yaml(PlaceJob(data=source, seed=seed, settings=settings)))
    write_text(folder / SPLITS, json.dumps(describe_splits(source, [split]), indent=1) + "\n")
    probe_seeds = range(seed, seed + settings.seeds)
    fresh_seeds = range(seed + settings.seeds, seed + 2 * settings.seeds)

    def plan_arm(arm: str, layout: dict[str, str], seeds: range) -> list[RunPlan]:
        return [
            RunPlan(
                arm=arm,
                config=replace(base, attention=layout, seed=number),
                split=split,
                folder=folder / "runs" / arm / f"fold_{split.fold}" / f"seed_{number}",
                device=device,
            )
            for number in seeds
        ]

    def run_all(title: str, plans: Sequence[RunPlan]) -> list[RunResult]:
        with watch(title, plans):
            run_locally(plans, workers=workers or choose_workers(len(plans), device))
        return [read_result(plan.folder) for plan in plans]

    everywhere = plan_layout(build_network(base), settings.gates)
    probes, plain = plan_arm("all", everywhere, probe_seeds), plan_arm("none", {}, fresh_seeds)
    results = run_all("training without attention and with all of it", [*probes, *plain])
    arms = {"none": results[len(probes) :], "all": results[: len(probes)]}
    placement = decide([read_evidence(plan.folder) for plan in probes], settings.policy)
    lean = plan_arm("placed", placement.layout, fresh_seeds)
    if placement.layout:
        arms["placed"] = run_all("retraining the lean network", lean)
    else:
        # With nothing kept the lean network is the plain one, already trained on these seeds.
        lean, arms["placed"] = plain, arms["none"]
    verdict = judge(arms, modules=len(placement.layout))
    write_text(folder / PLACEMENT, json.dumps(describe(verdict, arms, placement), indent=2, allow_nan=False) + "\n")
    best = int(dice_matrix(arms["placed"], "validation").mean(axis=1).argmax())
    write_lean(folder / "lean", lean[best].folder, verdict, summarise(arms["placed"]))
    write_examples(folder, {"none": plain[best].folder, "placed": lean[best].folder}, arms["placed"][best])
    return PlaceResult(folder=folder, verdict=verdict, placement=placement)


def prepare(source: str, settings: Settings, seed: int, device: Device) -> tuple[RunConfig, Split]:
    """The plain run on the data and its split, everything read and checked, nothing written."""
    open_fabric(device)
    cases = read_cases(source)
    split = split_by_group(
        list(cases), [case.group for case in cases.values()], folds=settings.split.folds, seed=settings.split.seed
    )[0]
    preparation = plan_preparation([cases[name] for name in split.train], longest_side=settings.data.longest_side)
    check_channels(cases.values(), len(preparation.mean))
    network = settings.network
    widths = plan_widths(
        (preparation.height, preparation.width), base_width=network.base_width, most_levels=network.most_levels
    )
    config = RunConfig(
        data=source,
        fold=split.fold,
        seed=seed,
        preparation=preparation,
        network=UNetConfig(in_channels=len(preparation.mean), widths=widths, norm=network.norm, dropout=network.dropout),
        loss=settings.loss,
        training=settings.training,
    )
    return config, split


def judge(arms: dict[str, list[RunResult]], *, modules: int) -> Verdict:
    """The verdict from the paired test scores of the placed and the plain network."""
    groups = [score.group for score in arms["none"][0].scores_of("test")]
    difference = dice_matrix(arms["placed"], "test") - dice_matrix(arms["none"], "test")
    return decide_verdict(estimate_mean(difference, groups), modules=modules)


def summarise(results: Sequence[RunResult]) -> dict[str, Any]:
    """An arm in numbers: test Dice with its interval, what it costs, and what was measured."""
    scores = results[0].scores_of("test")
    estimate = estimate_mean(dice_matrix(results, "test"), [score.group for score in scores])
    overlaps = [score.overlap for result in results for score in result.scores_of("test")]
    return {
        "dice": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "iou": float(np.mean([overlap.iou for overlap in overlaps])),
        "precision": float(np.mean([overlap.precision for overlap in overlaps])),
        "recall": float(np.mean([overlap.recall for overlap in overlaps])),
        "modules": results[0].modules,
        "parameters": results[0].parameters,
        "flops": results[0].flops,
        "seconds": float(np.mean([result.seconds for result in results])),
        "trainings": len(results),
        "cases": len(scores),
        "groups": len({score.group for score in scores}),
        "both_empty": sum(overlap.true_pixels == overlap.predicted_pixels == 0 for overlap in overlaps),
        "one_empty": sum((overlap.true_pixels == 0) != (overlap.predicted_pixels == 0) for overlap in overlaps),
        "dice_per_training": dice_matrix(results, "test").mean(axis=1).tolist(),
    }


def describe(verdict: Verdict, arms: dict[str, list[RunResult]], placement: Placement) -> dict[str, Any]:
    """The content of placement.json."""
    groups = [score.group for score in arms["none"][0].scores_of("test")]
    everything = estimate_mean(dice_matrix(arms["all"], "test") - dice_matrix(arms["none"], "test"), groups)
    return {
        **placement.to_mapping(),
        "verdict": verdict.outcome,
        "sentence": verdict.sentence(),
        "difference": describe_difference(verdict.difference),
        "all_minus_none": describe_difference(everything),
        "arms": {name: summarise(results) for name, results in arms.items()},
    }


def describe_difference(estimate: Estimate) -> dict[str, float]:
    """A difference in Dice with its interval."""
    return {"dice": estimate.mean, "low": estimate.low, "high": estimate.high}


def describe_splits(source: str, splits: Sequence[Split]) -> dict[str, Any]:
    """The content of splits.json: names of cases by part, and the group of each."""
    groups = {case.name: case.group for case in read_cases(source).values()}
    return {"schema": 1, "data": source, "folds": [asdict(split) for split in splits], "groups": groups}


def check_channels(cases: Any, channels: int) -> None:
    """Raises DataError naming every case whose image has another number of channels."""
    faults = [
        f"{case.name}: has {len(case.image)} channel(s) where the training images have {channels}; convert it to the same."
        for case in cases
        if len(case.image) != channels
    ]
    if faults:
        raise DataError(faults)
