"""`focalseg place`: the main job."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NoReturn

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
    Workers,
    name_next,
    print_json,
    read_settings,
    refuse_data,
)

_DESIGN = "How many trainings"

Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="HOURS",
        help="Fit the job into so many hours, giving up in this order: rivals, folds or trainings per arm (what tells less for "
        "its price), steps, the third training.",
    ),
]

Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="K",
        min=1,
        help="Test so many folds in turn, each with 2 trainings per arm unless --set seeds says otherwise: 10 for a claim on "
        "this data set (--set claim=data_set), 4 or 5 for one on new data.",
        rich_help_panel=_DESIGN,
    ),
]
MoreTrainings = Annotated[
    int,
    typer.Option(
        "--more-trainings",
        metavar="N",
        min=0,
        help="Extend the finished job in --out by so many trainings per arm and fold, and judge it once more.",
        rich_help_panel=_DESIGN,
    ),
]
MoreFolds = Annotated[
    int,
    typer.Option("--more-folds", metavar="N", min=0, help="Likewise by so many folds more.", rich_help_panel=_DESIGN),
]
Until = Annotated[
    Literal["decided"] | None,
    typer.Option(
        "--until",
        help="Go on with more trainings or folds until the verdict is decided, or cannot be within --most.",
        rich_help_panel=_DESIGN,
    ),
]
Most = Annotated[
    float | None,
    typer.Option("--most", metavar="HOURS", help="The hours for --until, earlier calls included.", rich_help_panel=_DESIGN),
]


def place(
    data: Data,
    out: Out,
    preset: Preset = "quick",
    network: Network = None,
    config: Config = None,
    set_: Assignments = [],  # noqa: B006 - typer copies it
    seed: Seed = 0,
    device: Device = "auto",
    workers: Workers = None,
    budget: Budget = None,
    folds: Folds = None,
    more_trainings: MoreTrainings = 0,
    more_folds: MoreFolds = 0,
    until: Until = None,
    most: Most = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Find out whether attention helps on your data, which kind and where; ends with a lean network, a verdict and a report."""
    # Over the file of --config, as every option is, whose number of folds would else be taken without a word.
    tested = [] if folds is None else [f"split.test_folds={folds}"]
    settings = read_settings(preset, config, [*tested, *set_], network=network)
    if folds not in (None, settings.split.test_folds):
        _refuse_two_numbers(folds, settings.split.test_folds)
    going = _read_going(more_trainings, more_folds, until, most)
    run_place(
        *(data, out, settings),
        seed=seed,
        device=device,
        workers=workers,
        budget=budget,
        going=going,
        verbose=verbose,
        as_json=as_json,
    )


def _refuse_two_numbers(folds: int | None, said: int) -> NoReturn:
    from focalseg.errors import SettingError

    raise SettingError(
        f"--folds was {folds} and --set split.test_folds={said} was given too; expected one number of folds to test. "
        "Leave one out."
    )


def _read_going(more_trainings: int, more_folds: int, until: str | None, most: float | None) -> dict[str, Any]:
    """How a job goes on, as keywords: the hours that it may until it is decided, or an extension. Raises SettingError for both,
    and for hours without what they are for."""
    from focalseg.errors import SettingError
    from focalseg.study.looks.history import Extension

    extension = Extension(more_trainings=more_trainings, more_folds=more_folds)
    if until is None and most is not None:
        raise SettingError(f"--most was {most:g}, which is for --until; expected both. Add --until decided, or give --budget.")
    if until and (most is None or not 0 < most < math.inf):
        told = "was not given" if most is None else f"was {most:g}"
        raise SettingError(f"--most {told}; expected hours above 0, such as 8, with --until decided.")
    if until and extension:
        raise SettingError(f"{extension} was given with --until decided; expected one of the two. Leave one out.")
    return {"hours": most} if until else {"extension": extension}


def run_place(
    data: str,
    out: Path,
    settings: Any,
    *,
    seed: int,
    device: Device,
    workers: int | None,
    as_json: bool,
    verbose: bool = False,
    budget: float | None = None,
    going: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """The job, then its report, then the answer on stdout. budget: hours. going: as `_read_going` has it."""
    refuse_data(data)
    from focalseg.study.beginning import refuse_place

    extension = {name: value for name, value in going.items() if name == "extension"}
    # Before torch is imported, which takes seconds.
    refuse_place(data, out, settings, seed=seed, budget_hours=budget, **extension)
    from focalseg.cli.terminal.arms import list_arm_lines
    from focalseg.cli.terminal.progress import build_listeners
    from focalseg.configuration import to_mapping
    from focalseg.report.placement.page import write_report
    from focalseg.study.looks.wording import describe_looks, list_looks
    from focalseg.study.outcome.wording import describe_verdict
    from focalseg.study.place import place as run
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP
    from focalseg.study.until import place_until_decided

    STOP.install()
    limit_threads()
    listeners = build_listeners(verbose=verbose, workers=workers)
    how: dict[str, Any] = {"seed": seed, "device": device, "workers": workers, "listeners": listeners, "budget_hours": budget}
    ended = ""
    if "hours" in going:
        result, ended = place_until_decided(data, out, settings, **how, **going)
    else:
        result = run(data, out, settings, **how, **going)
    page = write_report(out)
    if as_json:
        paths = {"report": str(page), "lean": str(out / "lean")}
        print_json({**to_mapping(result.record), "looks": list_looks(result.looks) | {"ended": ended}, **paths})
        return
    print(result.placement)
    print()
    print("\n".join(list_arm_lines(result.record)))
    print()
    print(f"verdict: {result.verdict.outcome} - {describe_verdict(result.verdict)}")
    print(describe_looks(result.looks))
    if ended:
        print(ended)
    print(f"lean network: {out / 'lean'}")
    print(f"report: {page}")
    print(name_next(out, settings.network.name))
