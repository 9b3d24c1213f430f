"""`focalseg train`: one network."""

from typing import Annotated

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
    print_json,
    read_settings,
    refuse_data,
)
from focalseg.findings import counted

_Attention = Annotated[
    str, typer.Option("--attention", help="none, all, a kind of gate (se, ag, eca, ...), or the path of a placement.json.")
]


def train(
    data: Data,
    out: Out,
    attention: _Attention = "none",
    preset: Preset = "quick",
    network: Network = None,
    config: Config = None,
    set_: Assignments = [],  # noqa: B006 - typer copies it
    seed: Seed = 0,
    device: Device = "auto",
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train one network and score it on test data that it never saw."""
    settings = read_settings(preset, config, set_, network=network)
    refuse_data(data)
    from focalseg.study.beginning import refuse_train

    refuse_train(data, out, settings, attention=attention, seed=seed)  # before torch is imported, which takes seconds
    from focalseg.cli.progress import build_listeners
    from focalseg.report.placement.page import write_report
    from focalseg.study.outcome.footing import judge_training
    from focalseg.study.outcome.wording import describe_undertraining
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP
    from focalseg.study.train import train_one

    STOP.install()
    limit_threads()
    listeners = build_listeners(verbose=verbose, workers=1)
    result = train_one(data, out, settings, attention=attention, seed=seed, device=device, listeners=listeners)
    page = write_report(out)
    scores = result.scores_of("test")
    dice = sum(score.dice for score in scores) / len(scores)
    if as_json:
        counts = {"modules": result.modules, "parameters": result.parameters, "flops": result.flops, "seconds": result.seconds}
        print_json({"dice": dice, "cases": len(scores), **counts, "report": str(page)})
        return
    footing = judge_training(out, settings.training.steps, result)
    print(f"test Dice {dice:.3f} over {counted(len(scores), 'case')}")
    if doubt := describe_undertraining(footing, named=False):
        print(doubt)
    if footing.few_groups:
        print(f"Too few groups to tell: the test cases are of {counted(footing.groups, 'group')}.")
    print(f"{counted(result.modules, 'attention module')}, {result.parameters:,} parameters; weights in {out}")
    print(f"report: {page}")
