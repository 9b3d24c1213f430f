"""The model card of one training: what it reached where it was tested, and that it was not where it trained on every case."""

from pathlib import Path

import numpy as np

from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean
from focalseg.findings import counted
from focalseg.records.escapes import show_markdown
from focalseg.records.estimate import Estimate
from focalseg.records.method import METHOD, MethodFigure
from focalseg.records.record import read_record
from focalseg.study.outcome.card import Card, write_card
from focalseg.study.outcome.distances import summarise_distances
from focalseg.study.outcome.footing import judge_training
from focalseg.study.outcome.wording import describe_undertraining
from focalseg.study.running.runs import TEST, RunResult
from focalseg.study.running.scores import CaseScore
from focalseg.training.ending import Ending, describe_ending
from focalseg.training.loop import METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig


def write_run_card(folder: Path, config: RunConfig, result: RunResult, *, cases: int) -> None:
    """Writes README.md into the folder of a finished training. cases: how many it trained on."""
    scores = result.scores_of(TEST)
    rows = [
        ("trained on", f"{counted(cases, 'case')} of {config.data}"),
        ("training", describe_steps(config, read_ending(folder, config))),
    ]
    if config.start_from is not None:
        rows.append(("began with the weights of", f"{config.start_from.path} (SHA-256 {config.start_from.sha256})"))
    lead, dice = describe_untested(read_method(folder)), {}
    if scores:
        found = _estimate_dice(scores)
        groups = counted(len({score.group for score in scores}), "group")
        told = (
            f"{found.mean:.3f} (95 % interval {found.low:.3f} to {found.high:.3f}), {counted(len(scores), 'case')} in {groups}"
        )
        rows.append(("test Dice", f"{told}, one training"))
        labels = {
            label: [score.of_label(label) for score in scores] for label in (config.labels if len(config.labels) > 1 else ())
        }
        dice = {"test Dice": found.mean} | {f"test Dice of {label}": _estimate_dice(of).mean for label, of in labels.items()}
        rows += [(name, f"{value:.3f}") for name, value in list(dice.items())[1:]]
        if (measured := summarise_distances([[result]])) is not None:
            rows.append(("test surfaces", str(measured)))
        doubt = describe_undertraining(judge_training(folder, config.training.steps, result), named=False)
        lead = " ".join(filter(None, ("One training, which does not show how much the seed changes.", doubt)))
    rows.append(("parameters", f"{result.parameters:,}"))
    write_card(folder, config, Card(title=f"One network for {config.data}", lead=show_markdown(lead), rows=rows, dice=dice))


def read_ending(folder: Path, config: RunConfig) -> Ending:
    """How the training in a folder ended."""
    path = folder / METRICS
    return describe_ending(read_metrics(path) if path.exists() else [], config.training)


def describe_steps(config: RunConfig, ending: Ending) -> str:
    """How many steps a training took, and whose weights it left where these are not the last."""
    training = config.training
    stopped = f", stopped early of {training.steps}" if ending.steps < training.steps else ""
    kept = (
        f"; the weights are those of step {ending.kept}, the best validation Dice ({ending.dice:.3f})"
        if ending.dice is not None
        else ""
    )
    return f"{counted(ending.steps, 'step')}{stopped}{kept if training.keep_best else ''}"


def read_method(folder: Path) -> MethodFigure | None:
    """What the job of the placement reached that the training in a folder follows; None where it follows none."""
    return read_record(MethodFigure, folder / METHOD) if (folder / METHOD).is_file() else None


def describe_untested(method: MethodFigure | None) -> str:
    """That a network was not tested, and what is known of the way that led to it."""
    if method is None:
        return "Not tested: it was trained on every case, and none is left to test it on."
    return (
        "Not tested: it was trained on every case, and none is left to test it on. The job that its attention comes from "
        f"reached {method}; that is what the method reached there, not a score of this network."
    )


def _estimate_dice(scores: tuple[CaseScore, ...] | list[CaseScore]) -> Estimate:
    """The mean Dice with its interval over groups."""
    return estimate_mean(np.array([score.dice for score in scores]), [score.group for score in scores], span=SCORE_SPAN)
