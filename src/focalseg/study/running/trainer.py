"""Trains the arms of one job: the same run but for attention and seed, side by side, each in a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.records.splits import Split
from focalseg.study.running.listeners import Watch
from focalseg.study.running.local import choose_workers, run_locally
from focalseg.study.running.runs import TEST, VALIDATION, RunPlan, RunResult, read_result
from focalseg.training.run import Device, RunConfig


class Wanted(Exception):  # noqa: N818 - not an error: what is missing gets trained
    """Runs that have to be there before it can go on. title: what they are for."""

    def __init__(self, title: str, plans: Sequence[RunPlan]) -> None:
        self.title, self.plans = title, tuple(plans)
        super().__init__(f"{title}: {len(self.plans)} training(s)")


def train_here(trainer: "Trainer", title: str, plans: Sequence[RunPlan]) -> None:
    """Executes what of the runs is not there yet, side by side on this machine."""
    with trainer.watch(title, plans):
        run_locally(plans, workers=trainer.workers or choose_workers(len(plans), trainer.device))


def want_missing(_trainer: "Trainer", title: str, plans: Sequence[RunPlan]) -> None:
    """Trains nothing: raises Wanted where a run is not there yet, so that those of several folds can be trained together."""
    if not all(plan.is_finished for plan in plans):
        raise Wanted(title, plans)


def want_all(_trainer: "Trainer", title: str, plans: Sequence[RunPlan]) -> None:
    """Trains nothing and reads nothing: raises Wanted for whatever is asked."""
    raise Wanted(title, plans)


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """The runs of one fold. folder: of the whole job. scored: as in `RunPlan`. execute: sees to it that runs are there before
    their results are read."""

    base: RunConfig
    split: Split
    folder: Path
    device: Device
    workers: int | None
    watch: Watch
    cache_mib: int
    groups: Mapping[str, str]
    scored: tuple[str, ...] = (VALIDATION, TEST)
    execute: Callable[["Trainer", str, Sequence[RunPlan]], None] = train_here

    def plan(
        self, arm: str, layout: Mapping[str, str], seeds: range, *, exponents: str = "free", testifies: bool = False
    ) -> list[RunPlan]:
        """The runs of an arm, one a seed. layout: kind of gate by site. exponents: the regime they train under. testifies: as
        in `RunPlan`."""
        training = replace(self.base.training, exponents=exponents)
        return [
            RunPlan(
                arm=arm,
                config=replace(self.base, attention=layout, seed=seed, training=training),
                split=self.split,
                folder=self.folder / "runs" / arm / f"fold_{self.split.fold}" / f"seed_{seed}",
                device=self.device,
                cache_mib=self.cache_mib,
                groups=self.groups,
                testifies=testifies,
                scored=self.scored,
            )
            for seed in seeds
        ]

    def run(self, title: str, plans: Sequence[RunPlan]) -> list[RunResult]:
        """Executes what of the runs is not there yet; their results in the order of the plans."""
        self.execute(self, title, plans)
        return [read_result(plan.folder) for plan in plans]

    def run_arms(self, title: str, arms: Mapping[str, Sequence[RunPlan]]) -> dict[str, list[RunResult]]:
        """Executes the runs of several arms side by side; the results by arm."""
        results = iter(self.run(title, [plan for plans in arms.values() for plan in plans]))
        return {arm: [next(results) for _ in plans] for arm, plans in arms.items()}
