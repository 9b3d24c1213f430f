"""`focalseg demo`: the main job on built-in images."""

from pathlib import Path
from typing import Annotated

import typer

from focalseg.cli.options import AsJson, Device, Seed, Workers, read_settings
from focalseg.cli.place import run_place

_DATA = "phantom:global-cue"


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder to fill.")] = Path("focalseg-demo"),
    seed: Seed = 0,
    device: Device = "auto",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """The main job on images the project makes itself, on a task that needs attention; under three minutes on two cores."""
    from focalseg.study.presets import DEMO

    run_place(_DATA, out, read_settings("quick", None, [], DEMO), seed=seed, device=device, workers=workers, as_json=as_json)
