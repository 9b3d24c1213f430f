"""The main job: does attention help on this data, which kind, and where?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.data.reading import refuse_inside
from focalseg.data.splits import Split
from focalseg.evaluation.verdict import Verdict
from focalseg.files import write_text
from focalseg.placement.decision import Placement, decide
from focalseg.study.audience import Audience, Watch
from focalseg.study.examples import write_examples
from focalseg.study.lean import write_lean
from focalseg.study.local import choose_workers, run_locally
from focalseg.study.output import hold_folder
from focalseg.study.planning import NOBODY, claim_split, lay_groundwork, plan_attention
from focalseg.study.presets import Settings
from focalseg.study.runs import RunPlan, RunResult, dice_matrix, read_costs, read_evidence, read_result
from focalseg.study.summary import describe_placement, judge
from focalseg.training.run import Device, RunConfig
from focalseg.yaml_files import write_yaml

PLACEMENT = "placement.json"


@dataclass(frozen=True, kw_only=True)
class PlaceJob:
    """What a folder of the main job was made for. seed: the first one."""

    data: str
    seed: int
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class PlaceResult:
    """What the main job found, and where its files are."""

    folder: Path
    verdict: Verdict
    placement: Placement


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Trains the arms of one job: the same run but for attention and seed, side by side, each in a folder of its own."""

    base: RunConfig
    split: Split
    folder: Path
    device: Device
    workers: int | None
    watch: Watch
    cache_mib: int
    groups: Mapping[str, str]

    def plan(self, arm: str, layout: Mapping[str, str], seeds: range) -> list[RunPlan]:
        """The runs of an arm, one a seed. layout: kind of gate by site."""
        return [
            RunPlan(
                arm=arm,
                config=replace(self.base, attention=layout, seed=seed),
                split=self.split,
                folder=self.folder / "runs" / arm / f"fold_{self.split.fold}" / f"seed_{seed}",
                device=self.device,
                cache_mib=self.cache_mib,
                groups=self.groups,
            )
            for seed in seeds
        ]

    def run(self, title: str, plans: Sequence[RunPlan]) -> list[RunResult]:
        """Executes what of the runs is not there yet; their results in the order of the plans."""
        with self.watch(title, plans):
            run_locally(plans, workers=self.workers or choose_workers(len(plans), self.device))
        return [read_result(plan.folder) for plan in plans]


def place(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    seed: int = 0,
    device: Device = "auto",
    workers: int | None = None,
    audience: Audience = NOBODY,
) -> PlaceResult:
    """Trains without attention and with all of it, decides where it stays, retrains the lean network and judges it.

    Sites are chosen on validation data alone, from trainings whose seeds are not used again; the plain and the lean network
    are then compared, seed by seed, on test data that nothing else looks at. Resumes whatever an earlier call left unfinished.
    Everything about the data and the settings is checked before the first file is written.
    """
    refuse_inside(folder, source, "--out")
    ground = lay_groundwork(source, settings, seed, device, audience)
    everywhere, dead = plan_attention(ground.config, settings.gates, audience.tell)
    trainer = Trainer(
        base=ground.config,
        split=ground.split,
        folder=folder,
        device=device,
        workers=workers,
        watch=audience.watch,
        cache_mib=settings.data.cache_mib,
        groups=ground.groups,
    )
    with hold_folder(folder, write_yaml(PlaceJob(data=source, seed=seed, settings=settings))):
        claim_split(folder, ground, audience.tell)
        return train_and_judge(trainer, everywhere, dead, settings)


def train_and_judge(
    trainer: Trainer, everywhere: Mapping[str, str], dead: Mapping[str, str], settings: Settings
) -> PlaceResult:
    """The job itself, in a folder that is held. everywhere: kind of gate by site, for all sites that are not dead."""
    folder, first = trainer.folder, trainer.base.seed
    fresh = range(first + settings.seeds, first + 2 * settings.seeds)
    probes, plain = trainer.plan("all", everywhere, range(first, fresh.start)), trainer.plan("none", {}, fresh)
    results = trainer.run("training without attention and with all of it", [*probes, *plain])
    arms = {"none": results[len(probes) :], "all": results[: len(probes)]}
    # A collapsed training has nothing to lose at any site; it would only water the evidence down.
    telling = [plan for plan, result in zip(probes, arms["all"], strict=True) if not result.collapsed] or probes
    placement = decide([read_evidence(plan.folder) for plan in telling], settings.policy)
    lean = trainer.plan("placed", placement.layout, fresh)
    if placement.layout:
        arms["placed"] = trainer.run("retraining the lean network", lean)
    else:
        # With nothing kept the lean network is the plain one, already trained on these seeds.
        lean, arms["placed"] = plain, arms["none"]
    verdict = judge(arms, modules=len(placement.layout))
    content = describe_placement(verdict, arms, placement)
    content |= {"dead_sites": dict(dead), "costs": read_costs(probes[0].folder)}
    write_text(folder / PLACEMENT, json.dumps(content, indent=2, allow_nan=False) + "\n")
    best = int(dice_matrix(arms["placed"], "validation").mean(axis=1).argmax())
    write_lean(folder / "lean", lean[best].folder, verdict, content["arms"]["placed"])
    shown = {"none": plain[best].folder, "placed": lean[best].folder}
    write_examples(folder, shown, arms["placed"][best], own_network=trainer.base.network.name)
    return PlaceResult(folder=folder, verdict=verdict, placement=placement)
