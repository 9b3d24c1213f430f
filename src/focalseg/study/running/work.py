"""How much of a run is done and how much there is of it in all, read from its folder while another process goes on with it."""

from dataclasses import dataclass

from focalseg.placement.evidence import count_passes
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import SHUT
from focalseg.records.result import RESULT
from focalseg.study.running.progress_file import EVIDENCE_PASSES, SCORING, read_parts
from focalseg.study.running.runs import RunPlan
from focalseg.training.loop import METRICS, NORM_BATCHES
from focalseg.training.metrics_log import read_metrics

_STEP = 3.0
"""Of a case in a step, forward and backward, against one that is only predicted."""
_FULL_SIZE = 3.0
"""Of a case that is read again, predicted and scored at its own size, against one that is only predicted."""
_ENDING = 1.0
"""Steps, in place of what is not counted: a run whose files are not all there has something left to do."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A run's work, or that of several, in steps of a training. steps: those done; of_steps: of all. after, of_after: what
    follows the last step, scores and evidence, as so many steps as take about as long."""

    steps: int = 0
    of_steps: int = 0
    after: float = 0.0
    of_after: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in Work.__dataclass_fields__})

    @property
    def done(self) -> float:
        """Everything that is done."""
        return self.steps + self.after

    @property
    def total(self) -> float:
        """Everything there is."""
        return self.of_steps + self.of_after


def measure_work(plan: RunPlan) -> Work:
    """The work of one run and how much of it is done."""
    of_steps, of_parts = plan.config.training.steps, _weigh_parts(plan)
    of_after = sum(of_parts.values()) + _ENDING
    ended = (plan.folder / RESULT).exists()
    if ended and (not plan.leaves_evidence or (plan.folder / EVIDENCE).exists()):
        left = 1 - read_parts(plan.folder).get(SCORING, 1.0)  # of one of an earlier version, while it is scored again
        return Work(steps=of_steps, of_steps=of_steps, after=of_after - left * of_parts[SCORING], of_after=of_after)
    steps = of_steps if ended else _count_steps(plan)
    shares = read_parts(plan.folder) if steps == of_steps else {}  # else it is a file of an earlier try
    after = sum(weight * shares.get(part, 0.0) for part, weight in of_parts.items())
    return Work(steps=steps, of_steps=of_steps, after=after, of_after=of_after)


def _count_steps(plan: RunPlan) -> int:
    """The number of steps that a run has done so far, read from its metrics file."""
    try:
        rows = read_metrics(plan.folder / METRICS)
        return min(int(rows[-1]["step"]), plan.config.training.steps) if rows else 0
    except (OSError, ValueError, KeyError):  # not there yet, or half a line of a process that writes it just now
        return 0


def _weigh_parts(plan: RunPlan) -> dict[str, float]:
    """What follows the last step, part by part, in steps."""
    training, cases = plan.config.training, len(plan.split.validation)
    # A step carries its share of the validations, so that a step of large validations is not taken for a quick one.
    step = _STEP * training.batch_size + cases / min(training.validate_every, training.steps)
    parts = {SCORING: _FULL_SIZE * len(plan.scored_cases) / step}
    if plan.leaves_evidence:
        sites = [site for site, gate in plan.config.attention.items() if gate != SHUT]
        norm_cases = min(NORM_BATCHES * training.batch_size, len(plan.split.train))
        passes = count_passes(len(sites), skips=sum(site.startswith("skip") for site in sites))
        parts[EVIDENCE_PASSES] = passes * (cases + norm_cases) / step
    return parts
