"""Training one network, resumable to the bit.

Lightning's Fabric gives device and precision. The loop is ours: the Trainer of lightning 2.6.6 resumed to the same bits in
1 of 10 settings, and staged its checkpoint where a kill could destroy the last good one.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from focalseg.errors import MachineError, SettingError
from focalseg.evaluation.scoring import score_batches
from focalseg.evaluation.undertraining import plan_looks
from focalseg.feeding.augmentation import augment
from focalseg.feeding.batches import DROPOUT_STREAM, select_batch, stream_seed
from focalseg.feeding.feed import Batches, Feed
from focalseg.hosts.gammas import read_gammas
from focalseg.hosts.norms import estimate_norms
from focalseg.layers import RunningNorm
from focalseg.losses.schedule import share_at
from focalseg.losses.unified_focal import UnifiedFocalLoss
from focalseg.placement.exponents import REGIMES
from focalseg.records.result import CHECKPOINT
from focalseg.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from focalseg.training.ending import find_best, is_exhausted, read_curve
from focalseg.training.fabric import build_fabric
from focalseg.training.metrics_log import FIRST_COLUMNS, MetricsLog, Row
from focalseg.training.optimisation import build_optimiser
from focalseg.training.run import RunConfig, build_network
from focalseg.training.sanity import advise, check_weights
from focalseg.training.starting import put_start
from focalseg.training.threads import choose_threads
from focalseg.training.training_config import Device, Precision
from focalseg.yaml_files import write_yaml

if TYPE_CHECKING:
    from lightning_fabric import Fabric

METRICS = "metrics.csv"
GAMMA_COLUMN = "gamma/"
NORM_BATCHES = 8
"""The number of batches of training cases that running statistics of norms are estimated on."""
_CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Capabilities of a processor that multiplies in bfloat16, as torch names them on x86 and on ARM."""
_CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
"""The layout in memory that convolutions are fastest in, by spatial axes."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Prepared cases to train on, and others to validate on, of which there may be none. digest: of the cases as they lie on
    disk, where one is kept."""

    train: Feed
    validation: Feed
    digest: str = ""


class StopRequested(Exception):  # noqa: N818 - not an error: the state is saved
    """Raised by the loop, after it saved its state, because `should_stop` said so."""


class Run:
    """One training: `advance` until `finished`. Made anew on the same folder, it goes on after the last checkpoint.

    It sets torch's number of threads in this process (`training/threads.py`); `kept_threads` puts that back.
    """

    def __init__(self, config: RunConfig, data: TrainingData, folder: Path, *, device: Device = "auto") -> None:
        self.config, self.folder = config, folder
        self.identity = write_yaml(config)
        self.fabric = open_fabric(device, config.training.precision)
        self.network = build_network(config)
        if (
            config.start_from is not None and not (folder / CHECKPOINT).exists()
        ):  # which has all weights, wherever those are now
            put_start(self.network, config.start_from)
        on_cpu = self.fabric.device.type == "cpu"
        self.threads = choose_threads(config, self.network) if on_cpu else torch.get_num_threads()
        mixed = choose_precision(config.training.precision, device) == "bf16-mixed"
        self.memory_format = _choose_memory_format(self.network, config.network.spatial_dims, mixed=mixed)
        self.network = self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.regime = REGIMES[config.training.exponents](self.network, steps=config.training.steps, seed=config.seed)
        self.optimiser, self.scheduler = build_optimiser(self.network, config.training)
        self.loss = UnifiedFocalLoss.from_config(config.loss)
        self.looks = plan_looks(config.training.steps, config.training.validate_every)
        self.step, self.seconds = 0, 0.0
        self.best: dict[str, Tensor] | None = None
        """The network's state at the best validation so far, where `keep_best` asks for it."""
        self.step_seconds: float | None = 0.0
        """Of all steps without what comes between them, as `Result` measures a step; None after a checkpoint that had none."""
        self.step_clock = time.process_time if self.fabric.device.type == "cpu" else time.perf_counter
        self.module, self.stepper = self.fabric.setup(self.network, self.optimiser)
        self.data = data
        rows = self._restore()  # once the weights are on the device: the optimiser's state goes where they are
        torch.set_num_threads(self.threads)
        # Once for the whole training where cases are but flipped and turned: an exact map moves to that of the moved mask.
        once = not config.training.augmentation.resamples(config.network.spatial_dims) and not config.preparation.patch
        penalised, classes = config.loss.boundary_weight > 0, config.network.classes
        self.closeness = (
            self.loss.measure_closeness(data.train.read_masks().unsqueeze(1), classes) if penalised and once else None
        )
        gammas = [GAMMA_COLUMN + name for name in read_gammas(self.network)]
        self.log = MetricsLog(folder / METRICS, [*FIRST_COLUMNS, *gammas], rows)

    @property
    def finished(self) -> bool:
        """Whether every step is done, or validation has long brought nothing better."""
        training = self.config.training
        return self.step >= training.steps or is_exhausted(self.log.rows, training.early_stopping_patience)

    def advance(self) -> None:
        """Takes one optimiser step, and writes a line in the log and a checkpoint where they are due."""
        started, step_started = time.perf_counter(), self.step_clock()
        loss, telling = self._update()
        if self.step_seconds is not None:
            self.step_seconds += self.step_clock() - step_started
        self.step += 1
        training = self.config.training
        last = self.step >= training.steps
        validate = telling or self.step % training.validate_every == 0 or self.step in self.looks or last
        if validate:
            check_weights(self.network, self.config, f"at step {self.step} of {self.folder}")
        if validate or self.step % training.log_every == 0:
            row: dict[str, float | int | str] = {
                "step": self.step,
                "loss": f"{loss:.6g}",
                "learning_rate": f"{self.optimiser.param_groups[0]['lr']:.4g}",  # that of the weights
                "validation_dice": f"{self.measure_validation_dice():.5f}" if validate and len(self.data.validation) else "",
            }
            row |= {GAMMA_COLUMN + name: f"{gamma:.5f}" for name, gamma in read_gammas(self.network).items()}
            self.log.append(row)
        self.seconds += time.perf_counter() - started
        if validate:
            if training.keep_best and find_best(read_curve(self.log.rows)) == self.step:
                self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
            self.save()

    def take_best(self) -> None:
        """Puts the weights of the best validation into the network, where they were kept; the last of all calls."""
        if self.best is not None:
            self.network.load_state_dict(self.best)

    def save(self) -> None:
        """Writes the checkpoint, from which a run goes on to the same bits."""
        checkpoint = Checkpoint(
            run=self.identity,
            data=self.data.digest,
            step=self.step,
            seconds=self.seconds,
            step_seconds=self.step_seconds,
            threads=self.threads,
            network=self.network.state_dict(),
            optimiser=self.optimiser.state_dict(),
            scheduler=self.scheduler.state_dict(),
            rows=self.log.rows,
            best=self.best,
        )
        save_checkpoint(self.folder / CHECKPOINT, checkpoint)

    def measure_validation_dice(self) -> float:
        """The mean Dice over the validation cases, in [0, 1], at the network's own resolution."""
        self.module.eval()
        self.regime.begin_validation()
        self.settle_norms()
        scores = score_batches(
            self.module,
            self.batches(self.data.validation),
            window=self.config.preparation.window,
            ignore_index=self.config.loss.ignore_index,
        )
        return sum(scores) / len(scores)

    def settle_norms(self) -> None:
        """Estimates the running statistics of norms anew where the regime mixes networks, so that they fit the present one."""
        if self.regime.mixes_networks and self.regime.filled:
            estimate_norms(self.network, [images for images, _ in self.read_norm_batches()])

    def read_norm_batches(self) -> list[tuple[Tensor, Tensor]]:
        """Batches (images, masks) of training cases spread evenly over all groups, to estimate norms on."""
        count = min(NORM_BATCHES * self.config.training.batch_size, len(self.data.train))
        spread = torch.linspace(0, len(self.data.train) - 1, count).round().long()
        parts = torch.tensor_split(spread, math.ceil(count / self.config.training.batch_size))  # none of one case left over
        read = [self.read_batch(part, step=step) for step, part in enumerate(parts)]
        return [(self.arrange(images), masks) for images, masks in read]

    def batches(self, feed: Feed) -> Batches:
        """All cases, uncut, in batches of the run's size, on the device and in the order in memory that the network wants."""
        return feed.batches(self.config.training.batch_size, device=self.fabric.device, arrange=self.arrange)

    def read_batch(self, chosen: Tensor, *, step: int) -> tuple[Tensor, Tensor]:
        """The images and masks of the chosen training cases before augmentation, on the device; patches where they are cut."""
        feed, training = self.data.train, self.config.training
        if self.config.preparation.patch is None:
            return feed.gather(chosen, device=self.fabric.device)
        share, seed = training.foreground_share, self.config.seed
        return feed.draw_patches(chosen, foreground_share=share, seed=seed, step=step, device=self.fabric.device)

    def arrange(self, images: Tensor) -> Tensor:
        """The images (B, C, *spatial) in the order in memory that the network wants."""
        return images.contiguous(memory_format=self.memory_format)

    def _update(self) -> tuple[float, bool]:
        """Takes one step. Returns its loss, and whether something happened to the exponents that the log should show."""
        config, training = self.config, self.config.training
        chosen = select_batch(len(self.data.train), training.batch_size, seed=config.seed, step=self.step)
        images, *maps = self.read_batch(chosen, step=self.step)
        if self.closeness is not None:
            maps.append(self.closeness[chosen].to(self.fabric.device))
        images, *maps = augment(
            images,
            *maps,
            config=training.augmentation,
            seed=config.seed,
            step=self.step,
            spacing_mm=config.preparation.spacing_mm,
        )
        if config.loss.boundary_weight > 0:
            self.loss.boundary_weight = config.loss.boundary_weight * share_at(
                training.boundary_schedule, self.step, training.steps
            )
        self.module.train()
        self.regime.begin_step(self.step)
        # Dropout draws from torch's own generator: seeded by (seed, step), for a resumed run to draw the same, and put back.
        with torch.random.fork_rng(devices=[self.fabric.device] if self.fabric.device.type == "cuda" else []):
            torch.manual_seed(stream_seed(config.seed, self.step, DROPOUT_STREAM))
            logits = self.module(self.arrange(images))
        loss = self.loss(logits, *maps)
        value = float(loss.detach())
        if value - value != 0:  # inf - inf and nan - nan are nan
            raise SettingError(
                f"The loss became {value} at step {self.step + 1} of {self.folder}; expected a finite number. "
                f"{advise(config)} and run again in a new folder."
            )
        self.stepper.zero_grad()
        price = self.regime.penalty(self.step)
        self.fabric.backward(loss if price is None else loss + price)
        self.regime.take_gradients(self.step)
        self.stepper.step()
        self.scheduler.step()
        return value, self.regime.end_step(self.step, self.optimiser)

    def _restore(self) -> list[Row]:
        """Puts the last checkpoint in place, if there is one, and returns the rows of the metrics up to it."""
        state = load_checkpoint(self.folder / CHECKPOINT, run=self.identity, data=self.data.digest)
        if state is None:
            return []
        self.step, self.seconds, self.step_seconds = state.step, state.seconds, state.step_seconds
        self.threads = state.threads
        self.network.load_state_dict(state.network)
        self.optimiser.load_state_dict(dict(state.optimiser))
        self.scheduler.load_state_dict(dict(state.scheduler))
        if state.best is not None:
            self.best = {name: tensor.to(self.fabric.device) for name, tensor in state.best.items()}
        return state.rows


def train(
    config: RunConfig,
    data: TrainingData,
    folder: Path,
    *,
    device: Device = "auto",
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Trains to the end, from the last checkpoint if there is one. Saves and raises StopRequested once told to stop."""
    run = Run(config, data, folder, device=device)
    while not run.finished:
        if should_stop():
            run.save()
            raise StopRequested
        run.advance()
    run.take_best()
    return run


def choose_precision(precision: Precision, device: Device) -> Literal["32-true", "bf16-mixed"]:
    """The precision that is used: `auto` becomes bf16-mixed where the processor has instructions for it, else 32-true."""
    if precision != "auto":
        return precision
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "mps" or (device == "auto" and torch.backends.mps.is_available()):
        able = False
    else:
        able = any(torch.cpu.get_capabilities().get(name, False) for name in _CPU_BFLOAT16)
    return "bf16-mixed" if able else "32-true"


def _choose_memory_format(network: nn.Module, spatial_dims: int, *, mixed: bool) -> torch.memory_format:
    """Channels last where that is faster, which is in bfloat16 and with batch norms; else contiguous."""
    # In float32, instance norms lose more in channels last than convolutions gain: MONAI's BasicUNet takes a quarter longer
    # (benchmarks/attention.py).
    faster = mixed or any(isinstance(module, RunningNorm) for module in network.modules())
    return _CHANNELS_LAST.get(spatial_dims, torch.contiguous_format) if faster else torch.contiguous_format


def open_fabric(device: Device, precision: Precision = "32-true") -> "Fabric":
    """Fabric on one device at one precision. Raises MachineError where this machine has no such device."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # else a line a process on what precision it was given
    absent = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if absent.get(device, False):
        raise MachineError(f"--device {device} is not to be had on this machine; use --device cpu or auto.")
    try:
        return build_fabric(device, choose_precision(precision, device))
    except Exception as error:
        raise MachineError(f"--device {device} could not be opened: {type(error).__name__}: {error}") from error
