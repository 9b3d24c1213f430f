"""`focalseg train`: one network."""

from pathlib import Path
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
    print_json,
    read_settings,
)
from focalseg.findings import counted
from focalseg.records.placement import read_placement

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
    as_json: AsJson = False,
) -> None:
    """Train one network and score it on test data that it never saw."""
    if not attention.isidentifier() and Path(attention).exists():
        read_placement(Path(attention))  # a file that is none is refused before torch is imported
    settings = read_settings(preset, config, set_, network=network)
    from focalseg.cli.progress import build_listeners
    from focalseg.report.placement.page import write_report
    from focalseg.study.train import train_one

    result = train_one(data, out, settings, attention=attention, seed=seed, device=device, listeners=build_listeners())
    page = write_report(out)
    scores = result.scores_of("test")
    dice = sum(score.dice for score in scores) / len(scores)
    if as_json:
        counts = {"modules": result.modules, "parameters": result.parameters, "flops": result.flops, "seconds": result.seconds}
        print_json({"dice": dice, "cases": len(scores), **counts, "report": str(page)})
        return
    print(f"test Dice {dice:.3f} over {len(scores)} cases")
    print(f"{counted(result.modules, 'attention module')}, {result.parameters:,} parameters; weights in {out}")
    print(f"report: {page}")
