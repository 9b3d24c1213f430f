"""How fast this machine is at the runs of a job, from a few timed steps of each of its networks."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import torch
from torch import nn

from focalseg.counting import Advance, ignore
from focalseg.evaluation.undertraining import plan_looks
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.layers import RunningNorm
from focalseg.placement.evidence import count_passes
from focalseg.study.running.cores import count_threads
from focalseg.study.running.local import call_locally
from focalseg.study.running.runs import VALIDATION, RunPlan, load_training_data, score_at_full_size
from focalseg.training.loop import NORM_BATCHES, Run
from focalseg.training.threads import kept_threads
from focalseg.training.training_config import TrainingConfig

WARM_UP_STEPS = 2
FEWEST_TIMED_STEPS, MOST_TIMED_STEPS = 3, 40
TIMED_SECONDS = 0.4
SCORED_CASES = 2
ENDLESS = 2**20
"""Steps, for a training that ends before it validates, logs or saves anything."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds by the clock of the parts of a run: reading its cases, a step, a validation, scoring a case, gathering evidence.

    load: how many times as long all of it took as it would on an idle machine, since others were at work as well.
    """

    reading: float
    step: float
    validation: float
    scoring: float
    evidence: float
    load: float = 1.0

    def run_seconds(self, training: TrainingConfig, *, scored: int, testifies: bool, work: float = 1.0) -> float:
        """Seconds of a whole run; its last step is always followed by a validation.

        scored: how many cases are scored at the end. work: of the run's network, in shares of that of the network measured.
        """
        computing = self.training_seconds(training) + self.scoring * scored
        return self.reading + work * (computing + (self.evidence if testifies else 0.0))

    def training_seconds(self, training: TrainingConfig) -> float:
        """Seconds of the steps and the validations between them."""
        validations = math.ceil(training.steps / training.validate_every)
        validations += len(plan_looks(training.steps, training.validate_every))
        return self.step * training.steps + self.validation * validations


Paces = Mapping[bool, Pace]
"""By whether a network has attention."""


def measure_paces(
    plain: RunPlan, attended: RunPlan, *, workers: int, affords: Callable[[Paces, float], bool], tell: Advance = ignore
) -> Paces:
    """The paces of a network without and with attention, where `workers` runs go on side by side.

    At first in this process, by itself, on the threads that a worker has. affords(paces, seconds): asked whether
    measuring may go on for so many seconds once more, and those that processes need to start. Then it is done in as many
    processes at a time as there will be: they slow one another down. tell: hears how many networks, or processes, are done.
    """
    plans, started = [plain, attended], time.perf_counter()
    with kept_threads():
        torch.set_num_threads(count_threads(workers))
        paces = dict(zip((False, True), _measure_each(plans, tell), strict=True))
    if workers == 1 or not affords(paces, time.perf_counter() - started):
        return paces
    with TemporaryDirectory() as scratch:
        witnesses = call_locally(_measure_in_worker, [(scratch, plans)] * workers, workers=workers, tell=tell)
    means = [average(paces) for paces in zip(*witnesses, strict=True)]
    # More workers than there are cores keep one another waiting, on an idle machine too.
    own = workers * count_threads(workers) / count_threads(1)
    return dict(zip((False, True), (replace(one, load=max(one.load / max(own, 1.0), 1.0)) for one in means), strict=True))


def _measure_each(plans: Sequence[RunPlan], tell: Advance = ignore) -> list[Pace]:
    """The pace of each run."""
    paces = []
    for plan in plans:
        paces.append(measure_pace(plan))
        tell(len(paces), len(plans))
    return paces


def _measure_in_worker(work: tuple[str, Sequence[RunPlan]]) -> list[Pace]:
    """The pace of each run, measured in a folder that the parent removes: a worker that is stopped leaves at once."""
    tempfile.tempdir, plans = work
    return _measure_each(plans)


def average(paces: Sequence[Pace]) -> Pace:
    """The mean of each part."""
    return Pace(**{name: fmean(getattr(pace, name) for pace in paces) for name in Pace.__dataclass_fields__})


def measure_pace(plan: RunPlan) -> Pace:
    """Times a few steps of the run itself on a few of its cases, in a folder that is gone afterwards."""
    split, training = plan.split, plan.config.training
    few = replace(split, train=split.train[: training.batch_size], validation=split.validation[: training.batch_size])
    endless = replace(training, steps=ENDLESS, validate_every=ENDLESS, log_every=ENDLESS)
    with TemporaryDirectory() as name, kept_threads():
        # Any weights take as long, and those that a training began with may be gone by the time it goes on.
        config = replace(plan.config, training=endless, start_from=None)
        scratch = replace(plan, split=few, folder=Path(name), config=config)
        started = time.perf_counter()
        with load_training_data(scratch) as data:
            read = (time.perf_counter() - started) / (len(data.train) + len(data.validation))
            run = Run(scratch.config, data, scratch.folder, device=plan.device)
            step = time_steps(run.advance)
            alone = run.fabric.device.type == "cpu"  # what an accelerator does takes no processor time
            validations = len(data.validation)
            validated = _time_once(run.measure_validation_dice) / validations if validations else 0.0
        scored = replace(scratch, split=replace(few, validation=few.validation[:SCORED_CASES]), scored=(VALIDATION,))
        cases = len(scored.scored_cases)
        score = _time_once(lambda: score_at_full_size(scored, run.network)) / cases if cases else 0.0
    return Pace(
        reading=read * (len(split.train) + len(split.validation)),
        step=step.clock,
        validation=validated * len(split.validation),
        scoring=score,
        evidence=validated * count_evidence_cases(plan, run.network),
        load=step.load if alone else 1.0,
    )


def count_evidence_cases(plan: RunPlan, network: nn.Module) -> int:
    """How many cases go through a network with attention while evidence on its sites is gathered: about so many.

    Each pass goes over the validation cases, and over those that norms are estimated on.
    """
    if not attention_sites(network):
        return 0
    skips = sum(site.kind == "skip" for site, _ in filled_sites(network).values())
    passes = count_passes(len(attention_sites(network)), skips=skips)
    normed = any(isinstance(module, RunningNorm) for module in network.modules())
    norm_cases = min(NORM_BATCHES * plan.config.training.batch_size, len(plan.split.train)) if normed else 0
    return passes * (len(plan.split.validation) + norm_cases)


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Seconds of a step: by the clock, and of processor time over all threads."""

    clock: float
    processor: float

    @property
    def load(self) -> float:
        """How many times as long it took as it kept a processor busy: on an idle machine it never waits for one. At least 1;
        with several threads it may have been more, since how well they share a step is not known."""
        return max(self.clock / self.processor, 1.0) if self.processor > 0 else 1.0


def time_steps(step: Callable[[], object]) -> StepTime:
    """The time of a call, the median of a few after those that only warm up."""
    for _ in range(WARM_UP_STEPS):
        step()
    seconds: list[float] = []
    processor: list[float] = []
    while len(seconds) < FEWEST_TIMED_STEPS or (sum(seconds) < TIMED_SECONDS and len(seconds) < MOST_TIMED_STEPS):
        started = time.process_time()
        seconds.append(_time_once(step))
        processor.append(time.process_time() - started)
    return StepTime(clock=median(seconds), processor=median(processor))


def _time_once(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
