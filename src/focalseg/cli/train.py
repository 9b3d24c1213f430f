"""`focalseg train`: one network."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focalseg.cli.options import (
    AsJson,
    Assignments,
    Config,
    Data,
    Device,
    Network,
    Out,
    Preset,
    Seed,
    Verbose,
    name_next,
    print_json,
    read_settings,
    refuse_data,
)
from focalseg.configuration import from_mapping
from focalseg.findings import counted

if TYPE_CHECKING:
    from focalseg.study.running.runs import RunResult

_Attention = Annotated[
    str, typer.Option("--attention", help="none, all, a kind of gate (se, ag, eca, ...), or the path of a placement.json.")
]
_AllData = Annotated[
    bool,
    typer.Option(
        "--all-data",
        help="Train on every case, for use: none is left to validate or test on, so there is no score.",
    ),
]
_StartFrom = Annotated[
    Path | None,
    typer.Option(
        "--start-from",
        metavar="DIR",
        help="Begin with the weights of a finished run, a lean folder or a job; the schedule is new.",
    ),
]


def train(
    data: Data,
    out: Out,
    attention: _Attention = "none",
    all_data: _AllData = False,
    start_from: _StartFrom = None,
    preset: Preset = "quick",
    network: Network = None,
    config: Config = None,
    set_: Assignments = [],  # noqa: B006 - typer copies it
    seed: Seed = 0,
    device: Device = "auto",
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train one network and score it on test data that it never saw; or, with --all-data, one to keep."""
    settings = read_settings(preset, config, set_, network=network)
    refuse_data(data)
    from focalseg.study.beginning import ForKeeps, refuse_train

    keep = ForKeeps(all_data=all_data, start_from=start_from)
    # Before torch is imported, which takes seconds.
    refuse_train(data, out, settings, attention=attention, seed=seed, keep=keep)
    from focalseg.cli.terminal.progress import build_listeners
    from focalseg.report.placement.page import write_report
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP
    from focalseg.study.train import train_one

    STOP.install()
    limit_threads()
    listeners = build_listeners(verbose=verbose, workers=1)
    result = train_one(data, out, settings, attention=attention, seed=seed, device=device, listeners=listeners, keep=keep)
    page = write_report(out)
    scores = result.scores_of("test")
    if as_json:
        dice = sum(score.dice for score in scores) / len(scores) if scores else None
        counts = {"modules": result.modules, "parameters": result.parameters, "flops": result.flops, "seconds": result.seconds}
        print_json({"dice": dice, "cases": len(scores), "tested": bool(scores), **counts, "report": str(page)})
        return
    for line in _summarise(out, settings.training.steps, result):
        print(line)
    print(f"{counted(result.modules, 'attention module')}, {result.parameters:,} parameters; weights and model card in {out}")
    print(f"report: {page}")
    print(name_next(out, settings.network.name))


def _summarise(out: Path, steps: int, result: "RunResult") -> Iterator[str]:
    """What a person should know of a finished training, in lines."""
    from focalseg.records.result import CONFIG
    from focalseg.study.outcome.footing import judge_training
    from focalseg.study.outcome.run_card import describe_steps, describe_untested, read_ending, read_method
    from focalseg.study.outcome.wording import describe_undertraining
    from focalseg.training.run import RunConfig
    from focalseg.yaml_files import read_yaml

    config, scores = from_mapping(RunConfig, read_yaml(out / CONFIG)), result.scores_of("test")
    if config.start_from is not None:
        yield f"began with the weights of {config.start_from.path}"
    if config.training.watches_validation:
        yield describe_steps(config, read_ending(out, config))
    if not scores:
        yield describe_untested(read_method(out))
        return
    yield f"test Dice {sum(score.dice for score in scores) / len(scores):.3f} over {counted(len(scores), 'case')}"
    footing = judge_training(out, steps, result)
    if doubt := describe_undertraining(footing, named=False):
        yield doubt
    if footing.few_groups:
        yield f"Too few groups to tell: the test cases are of {counted(footing.groups, 'group')}."
