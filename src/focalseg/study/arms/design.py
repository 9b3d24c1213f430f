"""Which arms a job compares over its folds, and the runs that each of them consists of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.hosts.building import NetworkConfig
from focalseg.placement.policies.at_random import draw_sites
from focalseg.placement.policies.questions import Layout
from focalseg.records.placement import ALL, NONE, PLACED, Placement
from focalseg.study.arms.search import TrainedSearch
from focalseg.study.planning.attention import plan_attention, plan_single_kind
from focalseg.study.planning.groundwork import Groundwork
from focalseg.study.planning.wider import plan_wider
from focalseg.study.presets import MOST_TRAININGS, RANDOM, WIDER, Settings
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.local import run_locally
from focalseg.study.running.runs import VALIDATION, RunPlan
from focalseg.study.running.trainer import Engine, Trainer
from focalseg.training.training_config import Device

Plans = Mapping[str, Sequence[RunPlan]]
"""The runs of one fold by arm, one a seed."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The arms of a job, its folds and its seeds, as far as they are settled before anything is trained.

    trainers: one per fold. everywhere: the layout with a gate at every site that is not dead; dead: the reason, by site, for
    those that are. seeds: trainings per arm and fold; first_seed: of the first of them. deciding_seeds: so many of them, and of
    those that score layouts, take part in choosing sites; a job that goes on has more, and keeps to what it chose. rivals: the
    arms besides none, all and placed. layouts: of every arm of the plain network's channels that is known beforehand. wider:
    the network of the arm of that name.
    """

    trainers: tuple[Trainer, ...]
    policy: str
    seeds: int
    deciding_seeds: int
    first_seed: int
    everywhere: Layout
    dead: Mapping[str, str]
    rivals: tuple[str, ...]
    layouts: Mapping[str, Layout]
    wider: NetworkConfig | None

    def list_seeds(self, trainer: Trainer) -> range:
        """Seeds of the arms on a fold. No other fold has them: the same ones would make the folds vary together."""
        first = self.first_seed + 2 * MOST_TRAININGS * trainer.split.fold
        return range(first, first + self.seeds)

    def search(self, trainer: Trainer) -> TrainedSearch:
        """The search of a fold, with seeds that no arm ever has; it does not touch test cases."""
        first = self.list_seeds(trainer).start + MOST_TRAININGS
        seeds = range(first, first + self.deciding_seeds)
        return TrainedSearch(trainer=replace(trainer, scored=(VALIDATION,)), everywhere=self.everywhere, seeds=seeds)

    def as_decided(self, folds: int) -> "Design":
        """The part that the sites of the first folds were chosen with, when so many were tested."""
        return replace(self, trainers=self.trainers[:folds], seeds=self.deciding_seeds)

    def plan_known(self, trainer: Trainer) -> dict[str, list[RunPlan]]:
        """The arms of a fold that are known before anything is trained."""
        arms = {name: trainer.plan(name, layout, self.list_seeds(trainer)) for name, layout in self.layouts.items()}
        if self.wider:
            wide = replace(trainer, base=replace(trainer.base, network=self.wider))
            arms[WIDER] = wide.plan(WIDER, {}, self.list_seeds(trainer))
        return take_known(arms, {ALL: arms[ALL]})  # the one kind of gate that all sites have is no other arm

    def plan_decided(self, trainer: Trainer, placement: Placement) -> dict[str, list[RunPlan]]:
        """The arms of a fold that follow from its placement."""
        arms = {PLACED: trainer.plan(PLACED, placement.layout, self.list_seeds(trainer))}
        if RANDOM in self.rivals:
            arms[RANDOM] = self.plan_random(trainer, placement.modules)
        return arms

    def plan_random(self, trainer: Trainer, count: int) -> list[RunPlan]:
        """Runs with so many sites, others for every seed."""
        return [
            plan
            for seed in self.list_seeds(trainer)
            for plan in trainer.plan(RANDOM, draw_sites(self.everywhere, count, seed=seed), range(seed, seed + 1))
        ]

    def run(self, title: str, plans: Sequence[RunPlan]) -> None:
        """Executes runs of any folds side by side, each once."""
        self.trainers[0].run(title, list({plan.folder: plan for plan in plans}.values()))


def plan_design(
    ground: Groundwork,
    settings: Settings,
    folder: Path,
    *,
    device: Device,
    workers: int | None,
    listeners: Listeners,
    engine: Engine = run_locally,
    deciding_seeds: int | None = None,
) -> Design:
    """The design of a job. engine: what executes its runs. deciding_seeds: as in `Design`, all of them unless said. Raises
    SettingError where no site is left, or a rival cannot be had.

    Dead sites are looked for once: they follow from the network and the size of what it sees, which all folds share.
    """
    everywhere, dead = plan_attention(ground.config, settings.gates, listeners.tell)
    layouts: dict[str, Layout] = {NONE: {}, ALL: everywhere}
    for gate in settings.rivals:
        if gate not in (WIDER, RANDOM):
            layouts[gate] = plan_single_kind(ground.config, gate)
    wider = None
    if WIDER in settings.rivals:
        wider = plan_wider(ground.config, ground.frame.widths, settings.network.arguments, everywhere)
    trainers = [
        Trainer(
            base=fold.config,
            split=fold.split,
            folder=folder,
            device=device,
            workers=workers,
            watch=listeners.watch,
            cache_mib=settings.data.cache_mib,
            groups=ground.groups,
            case_digests=ground.case_digests,
            engine=engine,
        )
        for fold in ground.folds
    ]
    return Design(
        trainers=tuple(trainers),
        policy=settings.policy,
        seeds=settings.seeds,
        deciding_seeds=deciding_seeds or settings.seeds,
        first_seed=ground.config.seed,
        everywhere=everywhere,
        dead=dead,
        rivals=settings.rivals,
        layouts=layouts,
        wider=wider,
    )


def take_known(plans: Plans, known: Plans) -> dict[str, list[RunPlan]]:
    """The same arms; a run of the very same config as one that is known, such as the plain network's where nothing was placed,
    is that one."""
    there = [plan for arm in known.values() for plan in arm]
    return {
        arm: [next((other for other in there if other.config == plan.config), plan) for plan in runs]
        for arm, runs in plans.items()
    }
