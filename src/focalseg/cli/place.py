"""`focalseg place`: the main job."""

from pathlib import Path
from typing import Annotated, Any

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

Budget = Annotated[
    float | None,
    typer.Option(
        "--budget",
        metavar="HOURS",
        help="Fit the job into so many hours, giving up in this order: rivals, folds, trainings beyond three per arm, steps, "
        "the third training.",
    ),
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
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Find out whether attention helps on your data, which kind and where; ends with a lean network, a verdict and a report."""
    settings = read_settings(preset, config, set_, network=network)
    run_place(
        *(data, out, settings), seed=seed, device=device, workers=workers, budget=budget, verbose=verbose, as_json=as_json
    )


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
) -> None:
    """The job, then its report, then the answer on stdout. budget: hours."""
    refuse_data(data)
    from focalseg.study.beginning import refuse_place

    refuse_place(data, out, settings, seed=seed, budget_hours=budget)  # before torch is imported, which takes seconds
    from focalseg.cli.terminal.arms import list_arm_lines
    from focalseg.cli.terminal.progress import build_listeners
    from focalseg.configuration import to_mapping
    from focalseg.report.placement.page import write_report
    from focalseg.study.outcome.wording import describe_verdict
    from focalseg.study.place import place as run
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP

    STOP.install()
    limit_threads()
    listeners = build_listeners(verbose=verbose, workers=workers)
    result = run(data, out, settings, seed=seed, device=device, workers=workers, listeners=listeners, budget_hours=budget)
    page = write_report(out)
    if as_json:
        print_json({**to_mapping(result.record), "report": str(page), "lean": str(out / "lean")})
        return
    print(result.placement)
    print()
    print("\n".join(list_arm_lines(result.record)))
    print()
    print(f"verdict: {result.verdict.outcome} - {describe_verdict(result.verdict)}")
    print(f"lean network: {out / 'lean'}")
    print(f"report: {page}")
    print(name_next(out, settings.network.name))
