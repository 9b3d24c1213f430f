"""Short trainings on a phantom that differ in one exponent: that of the loss, or that of every attention site."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from focalseg.configuration import LARGEST_SEED, CheckedConfig, setting
from focalseg.evaluation.metrics import Overlap, measure_overlap
from focalseg.feeding.feed import Feed
from focalseg.feeding.preparation import Preparation, plan_preparation, plan_size
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.gammas import gamma_parameters
from focalseg.hosts.norms import estimate_norms
from focalseg.imagesets.phantoms.dataset import PhantomDataset
from focalseg.imagesets.survey.summary import summarise
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.placement.evidence import kept_as_it_was
from focalseg.study.planning.attention import plan_attention
from focalseg.study.running.local import call_locally
from focalseg.training.loop import Run, TrainingData
from focalseg.training.run import RunConfig
from focalseg.training.training_config import TrainingConfig

ORDINARY = 1.0
"""The network's gamma of plain attention: what the loss is varied at, and what is turned after training."""


@dataclass(frozen=True, kw_only=True)
class TrainingBudget(CheckedConfig):
    """The task, and how long and how often it is trained for. The loss has its defaults but for gamma."""

    phantom: str = "global-cue"
    longest_side: int = setting(64, at_least=16)
    train_cases: int = setting(160, at_least=2)
    held_out_cases: int = setting(60, at_least=2)
    widths: tuple[int, ...] = setting((8, 16, 32), at_least=1)
    steps: int = setting(150, at_least=1)
    batch_size: int = setting(8, at_least=1)
    seeds: int = setting(5, at_least=1)
    first_seed: int = setting(0, at_least=0, at_most=LARGEST_SEED)
    loss_gammas: tuple[float, ...] = setting((0.0, 0.25, 0.5, 0.75), at_least=0, below=1)
    network_gammas: tuple[float, ...] = setting((0.0, 0.5, 1.0, 2.0, 4.0), at_least=0)


@dataclass(frozen=True, kw_only=True)
class MapBudget(CheckedConfig):
    """The image, the network that is trained on its like, and the exponents of the maps. boundary_weight: beta."""

    phantom: str = "ultrasound"
    longest_side: int = setting(96, at_least=16)
    train_cases: int = setting(120, at_least=2)
    held_out_cases: int = setting(40, at_least=2)
    widths: tuple[int, ...] = setting((8, 16, 32), at_least=1)
    steps: int = setting(250, at_least=1)
    batch_size: int = setting(8, at_least=1)
    seed: int = setting(0, at_least=0, at_most=LARGEST_SEED)
    loss_gammas: tuple[float, ...] = setting((0.0, 0.25, 0.5, 0.75), at_least=0, below=1)
    network_gammas: tuple[float, ...] = setting((0.0, 0.5, 1.0, 2.0, 4.0), at_least=0)
    boundary_gammas: tuple[float, ...] = setting((0.5, 1.0, 4.0, 16.0), at_least=0)
    boundary_weight: float = setting(1.0, above=0)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training: its two exponents and its seed. The network's gamma is the same at every site and does not learn."""

    budget: TrainingBudget
    loss_gamma: float
    network_gamma: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Overlap of every held-out case. turned: the same with another gamma put in after the training, on ordinary attention."""

    trial: Trial
    overlaps: tuple[Overlap, ...]
    turned: Mapping[float, tuple[Overlap, ...]]


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """Prepared cases: images (N, C, H, W) float32 and masks (N, H, W) bool, the first `train` of them to train on."""

    preparation: Preparation
    images: Tensor
    masks: Tensor
    train: int

    def for_training(self) -> TrainingData:
        """The training part; the held-out part is where a run looks for its validation score, which decides nothing here."""
        return TrainingData(
            train=Feed.from_tensors(self.images[: self.train], self.masks[: self.train]),
            validation=Feed.from_tensors(self.images[self.train :], self.masks[self.train :]),
        )


def run_trials(budget: TrainingBudget, *, workers: int, tell: Callable[[int, int], None]) -> tuple[Outcome, ...]:
    """Runs every training of both knobs, `workers` at a time. tell(done, of): called whenever one has ended."""
    trials = plan_trials(budget)
    return tuple(call_locally(train_trial, trials, workers=workers, tell=tell))


def plan_trials(budget: TrainingBudget) -> tuple[Trial, ...]:
    """The loss's gammas at ordinary attention, then the network's at the loss's default; where they meet is trained once."""
    pairs = [(gamma, ORDINARY) for gamma in budget.loss_gammas]
    pairs += [(UnifiedFocalConfig.gamma, gamma) for gamma in (ORDINARY, *budget.network_gammas)]
    return tuple(
        Trial(budget=budget, loss_gamma=loss_gamma, network_gamma=network_gamma, seed=budget.first_seed + number)
        for loss_gamma, network_gamma in dict.fromkeys(pairs)
        for number in range(budget.seeds)
    )


def train_trial(trial: Trial) -> Outcome:
    """Trains and scores; ordinary attention is scored besides with every other gamma of the network turned in afterwards."""
    budget = trial.budget
    data = load_task(budget)
    run = train_in_passing(plan_config(trial, data), data, gamma=trial.network_gamma)
    turn = trial.network_gamma == ORDINARY and trial.loss_gamma == UnifiedFocalConfig.gamma
    turned = {gamma: turn_gammas(run, data, gamma) for gamma in budget.network_gammas} if turn else {}
    return Outcome(trial=trial, overlaps=score_held_out(run, data), turned=turned)


def plan_config(trial: Trial, data: TaskData) -> RunConfig:
    """The configuration of a trial's run, with a gate at every site."""
    config = replace(plan_held(trial.budget, data, trial.seed), loss=UnifiedFocalConfig(gamma=trial.loss_gamma))
    return replace(config, attention=plan_attention(config, ("se", "ag"))[0])


def plan_held(budget: TrainingBudget | MapBudget, data: TaskData, seed: int) -> RunConfig:
    """A run in which weights learn and exponents stay, as yet without attention; nothing is looked at before the end."""
    return RunConfig(
        data=budget.phantom,
        seed=seed,
        preparation=data.preparation,
        network=NetworkConfig(in_channels=data.images.shape[1], arguments={"widths": list(budget.widths)}),
        training=TrainingConfig(
            steps=budget.steps, batch_size=budget.batch_size, gamma_learning_rate_factor=0.0, validate_every=budget.steps
        ),
    )


def train_in_passing(config: RunConfig, data: TaskData, *, gamma: float) -> Run:
    """Trains to the end with every site at gamma, keeping no file."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, data.for_training(), Path(folder), device="cpu")
        _set_gammas(run, gamma)
        while not run.finished:
            run.advance()
    return run


@torch.no_grad()
def _set_gammas(run: Run, gamma: float) -> None:
    """Puts one exponent into every site, in place."""
    for parameter in gamma_parameters(run.network):
        parameter.fill_(gamma)


def turn_gammas(run: Run, data: TaskData, gamma: float) -> tuple[Overlap, ...]:
    """Scores ordinary attention with gamma at every site instead, norms estimated anew; the run is then as it was."""
    images = [batch for batch, _ in run.batches(run.data.train)]
    with kept_as_it_was(run.network), torch.no_grad():
        _set_gammas(run, gamma)
        estimate_norms(run.network, images)
        overlaps = score_held_out(run, data)
        _set_gammas(run, ORDINARY)
    return overlaps


def score_held_out(run: Run, data: TaskData) -> tuple[Overlap, ...]:
    """Overlap of every held-out case at the network's own resolution."""
    predicted = predict_logits(run, data.images[data.train :]) > 0
    masks = data.masks[data.train :].numpy()
    return tuple(measure_overlap(one, mask) for one, mask in zip(predicted, masks, strict=True))


@torch.no_grad()
def predict_logits(run: Run, images: Tensor) -> np.ndarray:
    """images (N, C, H, W) -> logits (N, H, W) float32."""
    run.module.eval()
    logits: np.ndarray = run.module(run.arrange(run.fabric.to_device(images)))[:, 0].float().cpu().numpy()
    return logits


@lru_cache(maxsize=1)
def load_task(budget: TrainingBudget | MapBudget) -> TaskData:
    """Prepares the cases of a phantom, normalised by its training part."""
    dataset = PhantomDataset(budget.phantom, count=budget.train_cases + budget.held_out_cases)
    cases = [dataset.read_case(number) for number in range(len(dataset))]
    training = [summarise(case) for case in cases[: budget.train_cases]]
    preparation = plan_preparation(training, size=plan_size(training, longest_side=budget.longest_side))
    return TaskData(
        preparation=preparation,
        images=torch.stack([preparation.prepare_image(case.image) for case in cases]),
        masks=torch.stack([preparation.prepare_mask(case.mask).bool() for case in cases]),
        train=budget.train_cases,
    )
