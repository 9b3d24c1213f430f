"""`focalseg report`: the page again, from the files; or the page on the focal parameter."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `focalseg place`, `demo` or `train` filled.")]
_Focal = Annotated[
    bool,
    typer.Option("--focal", help="Measure what the focal parameter does, in about three minutes; DIR may be new."),
]


def report(folder: _Folder, focal: _Focal = False) -> None:
    """Write one self-contained HTML page for a placement or a run, or with --focal on the role of the focal parameter."""
    if focal:
        print(f"report: {_report_focal_role(folder)}")
        return
    from focalseg.report.placement.page import write_report
    from focalseg.study.running.stopping import STOP

    STOP.install()
    print(f"report: {write_report(folder)}")


def _report_focal_role(folder: Path) -> Path:
    """Measures and writes focal/index.html and focal/figures.json, with its progress on stderr."""
    from focalseg.focal_role.investigation import investigate_focal_role
    from focalseg.focal_role.page import write_focal_page
    from focalseg.study.running.cores import limit_threads
    from focalseg.study.running.stopping import STOP

    STOP.install()
    limit_threads()
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:4.0f} s  {line}", file=sys.stderr, flush=True)

    return write_focal_page(folder, investigate_focal_role(tell=tell))
