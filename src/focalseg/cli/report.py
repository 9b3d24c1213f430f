"""`focalseg report`: the page again, from the files."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `focalseg place`, `demo` or `train` filled.")],
) -> None:
    """Write one self-contained HTML page for a placement or a run."""
    from focalseg.report.page import write_report

    print(f"report: {write_report(folder)}")
