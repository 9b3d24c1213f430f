"""The options that several commands share, declared once."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalseg.configuration import LARGEST_SEED
from focalseg.findings import show_name, show_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    typer.Option(
        "--network",
        help="unet (default), monai:DynUNet and the like, smp:Unet, nnunet:PlainConvUNet, or your package.module:function.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The first seed; arms and repetitions count up from it.")
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option("--device", help="Where to compute.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Trainings at a time; by default as many as cores, one on a GPU.")
]
Groups = Annotated[
    Path | None,
    typer.Option("--groups", help="A CSV file with the columns case and group: what belongs together, as a patient."),
]
GroupPattern = Annotated[
    str | None,
    typer.Option("--group-pattern", metavar="RE", help="Finds the group in a case's name, such as 'patient_([0-9]+)'."),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say on how many cores and threads trainings compute.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]


def read_settings(
    preset: str, config: Path | None, assignments: list[str], *changes: dict[str, Any], network: str | None = None
) -> "Settings":
    """The preset, then the file, then --set, then --network: later ones on top. The file may be the config.yaml of a job.

    Raises SettingError for a wrong setting, and where the file alone asks for code that is no part of focalseg.
    """
    from focalseg.configuration import merge
    from focalseg.errors import SettingError
    from focalseg.yaml_files import parse_assignments, read_yaml

    given = read_yaml(config) if config else {}
    if "preparation" in given:
        raise SettingError(
            f"{config} is of one training, and holds what was planned for it; expected settings, or the config.yaml of "
            "`focalseg place`. Give the settings that you gave then."
        )
    given = given.get("settings", given)
    if not isinstance(given, dict):
        raise SettingError(f"{config}: settings was {show_value(given)}; expected `name: value` lines. Mend the file.")
    typed = merge(parse_assignments(assignments), {} if network is None else {"network": {"name": network}})
    from focalseg.study.presets import build_settings  # imports torch, which a file that is none need not wait for

    settings = build_settings(preset, *changes, given, typed)
    if config:
        _refuse_foreign_code(config, _part(given, "network"), _part(typed, "network"), settings.network.name)
    return settings


def _part(settings: dict[str, Any], name: str) -> dict[str, Any]:
    """Those of one name; none where something else stands there, which later settings replaced."""
    part = settings.get(name)
    return part if isinstance(part, dict) else {}


def _refuse_foreign_code(config: Path, given: dict[str, Any], typed: dict[str, Any], name: str) -> None:
    """Raises SettingError where a file would have us run a function or fetch weights that nobody asked for in the command.

    given, typed: the settings of the network in the file, and in the command. name: of the network that comes of both.
    """
    from focalseg.errors import SettingError
    from focalseg.hosts.libraries.choice import NAMES

    if name not in NAMES and typed.get("name") != name:
        raise SettingError(
            f"{config} names the network {name}, which is no part of focalseg and is run where it is named. Only the command "
            f"may ask for that: if you trust it, add --network {name}; if not, take network.name out of the file."
        )
    repeated = _part(typed, "arguments")
    alone = {key: value for key, value in _part(given, "arguments").items() if repeated.get(key) != value}
    if not alone:
        return
    from focalseg.hosts.building import NetworkConfig  # with torch, whose import takes seconds

    if name in NAMES and not NetworkConfig(name=name, arguments=alone).built_in:
        raise SettingError(
            f"{config} has arguments for {name} that may load a file or fetch weights ({', '.join(map(show_name, alone))}). "
            "Only the command may ask for that: if you trust them, repeat them in it, such as "
            "--set network.arguments.encoder_weights=imagenet; if not, take them out of the file."
        )


def refuse_data(data: str) -> None:
    """Raises SettingError or DataError for data of no known name or layout; nothing is decoded."""
    from focalseg.imagesets.opening import open_dataset

    open_dataset(data)


def name_next(folder: Path, network: str) -> str:
    """What to do with a trained model, as commands that can be copied. network: its name, told again where it is foreign."""
    from focalseg.findings import show_path
    from focalseg.hosts.libraries.choice import NAMES

    model = shlex.quote(show_path(folder))
    trust = "" if network in NAMES else f" --network {shlex.quote(show_path(network))}"
    predict = f"focalseg predict {model} IMAGES --out MASKS{trust}"
    return f"Next: {predict}, or focalseg export {model} --format onnx --out DIR{trust}"


def print_json(content: dict[str, Any]) -> None:
    """Prints one strict JSON object on stdout."""
    print(json.dumps(content, indent=2, allow_nan=False))


def print_found(record: object, content: "Callable[[], dict[str, Any]]", page: Path | None, *, as_json: bool) -> None:
    """Prints what was found, and the path of its page where there is one: as text, or as one JSON object of that content."""
    if as_json:
        print_json({**content(), **({"page": str(page)} if page else {})})
        return
    print(record)
    if page:
        print(f"page: {page}")


def find_groups(names: "Sequence[str]", file: Path | None, pattern: str | None) -> dict[str, str] | None:
    """The group of every case of these names, None where nobody says. Raises SettingError where both options are given."""
    from focalseg.errors import SettingError

    if file is not None and pattern is not None:
        raise SettingError(
            "--groups and --group-pattern both say what belongs together; expected one of the two. Leave one out."
        )
    if file is not None:
        from focalseg.comparison.reading.csv_files import read_groups

        return read_groups(file)
    if pattern is None:
        return None
    from focalseg.comparison.reading.grouping import group_by_pattern

    return group_by_pattern(names, pattern)
