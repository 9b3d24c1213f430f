"""The options that several commands share, declared once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalseg.configuration import LARGEST_SEED

if TYPE_CHECKING:
    from focalseg.study.presets import Settings

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A folder of images and masks in any known layout, a manifest, or phantom:NAME[@SEED]."
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The folder to fill; the same command on it goes on where it stopped.")]
Preset = Annotated[str, typer.Option("--preset", help="The budget: quick, standard or thorough.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A YAML file with settings, laid over the preset, or the config.yaml of a `place` job."),
]
Assignments = Annotated[
    list[str],
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, such as training.steps=500; may be repeated."),
]
Network = Annotated[
    str | None,
    typer.Option("--network", help="unet (default), monai:DynUNet and the like, smp:Unet, or your package.module:function."),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The first seed; arms and repetitions count up from it.")
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", help="Where to compute.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Trainings at a time; by default as many as cores, one on a GPU.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say on how many cores and threads trainings compute.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]


def read_settings(
    preset: str, config: Path | None, assignments: list[str], *changes: dict[str, Any], network: str | None = None
) -> "Settings":
    """The preset, then the file, then --set, then --network: later ones on top. The file may be the config.yaml of a job."""
    from focalseg.errors import SettingError
    from focalseg.study.presets import build_settings
    from focalseg.yaml_files import parse_assignments, read_yaml

    given = read_yaml(config) if config else {}
    if "preparation" in given:
        raise SettingError(
            f"{config} is of one training, and holds what was planned for it; expected settings, or the config.yaml of "
            "`focalseg place`. Give the settings that you gave then."
        )
    named = {} if network is None else {"network": {"name": network}}
    return build_settings(preset, *changes, given.get("settings", given), parse_assignments(assignments), named)


def print_json(content: dict[str, Any]) -> None:
    """Prints one strict JSON object on stdout."""
    print(json.dumps(content, indent=2, allow_nan=False))
