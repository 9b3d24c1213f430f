"""Trains the arms of one job: the same run but for attention and seed, side by side, each in a folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from focalseg.placement.policies.questions import Layout
from focalseg.records.names import PLACEMENT
from focalseg.records.splits import Split
from focalseg.study.running.cases import CaseDigests
from focalseg.study.running.listeners import Watch
from focalseg.study.running.local import choose_workers, run_locally
from focalseg.study.running.runs import TEST, VALIDATION, RunPlan, RunResult, read_result
from focalseg.training.run import RunConfig
from focalseg.training.training_config import Device


class Engine(Protocol):
    """Executes runs, `workers` at a time, so that all of them are finished when it returns."""

    def __call__(self, plans: Sequence[RunPlan], *, workers: int) -> None:
        """Those that are finished already are not done again."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """The runs of one fold. folder: of the whole job. scored: as in `RunPlan`. engine: what executes them."""

    base: RunConfig
    split: Split
    folder: Path
    device: Device
    workers: int | None
    watch: Watch
    cache_mib: int
    groups: Mapping[str, str]
    case_digests: CaseDigests = field(default_factory=dict)
    scored: tuple[str, ...] = (VALIDATION, TEST)
    engine: Engine = run_locally

    def plan(
        self, arm: str, layout: Layout, seeds: range, *, exponents: str = "free", testifies: bool = False
    ) -> list[RunPlan]:
        """The runs of an arm, one per seed. exponents: the regime they train under. testifies: as in `RunPlan`."""
        training = self.base.training
        if exponents != training.exponents:  # a regime needs all its steps and the weights that they end with
            training = replace(training, exponents=exponents, early_stopping_patience=None, keep_best=False)
        return [
            RunPlan(
                arm=arm,
                config=replace(self.base, attention=layout, seed=seed, training=training),
                split=self.split,
                folder=self.folder / "runs" / arm / f"fold_{self.split.fold}" / f"seed_{seed}",
                device=self.device,
                cache_mib=self.cache_mib,
                groups=self.groups,
                case_digests=self.case_digests,
                testifies=testifies,
                scored=self.scored,
            )
            for seed in seeds
        ]

    def run(self, title: str, plans: Sequence[RunPlan]) -> list[RunResult]:
        """Executes what of the runs is not there yet, side by side; their results in the order of the plans."""
        if not self._is_settled(plans):
            with self.watch(title, plans):
                self.engine(plans, workers=self.workers or choose_workers(len(plans), self.device))
        return [read_result(plan.folder) for plan in plans]

    def _is_settled(self, plans: Sequence[RunPlan]) -> bool:
        """Whether an earlier version finished the whole job: its runs then stay as they are, scored at 0.5 alone. Where the job
        goes on, with other runs or towards its end, they are scored at a tuned threshold, too."""
        return (self.folder / PLACEMENT).exists() and all(plan.is_finished and not plan.is_tuned for plan in plans)
