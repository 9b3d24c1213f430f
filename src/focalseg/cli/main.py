"""The entry: commands, and what becomes of an error."""

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from focalseg import __version__
from focalseg.cli.check import check
from focalseg.cli.demo import demo
from focalseg.cli.place import place
from focalseg.cli.report import report
from focalseg.cli.train import train
from focalseg.errors import DataError, FocalsegError, Interrupted, MachineError
from focalseg.study.running.stopping import STOP

app = typer.Typer(
    name="focalseg",
    help="Does attention help on my data, which kind, and where in the network?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, check, place, train, report):
    app.command()(command)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Does attention help on my data, which kind, and where in the network?"""
    if show:
        print(f"focalseg {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Runs the command line and exits with a status: 0 done, 2 the call, 3 the data, 4 the machine, 130 or 143 stopped."""
    STOP.install()
    try:
        sys.exit(app(prog_name="focalseg", standalone_mode=False) or 0)
    except DataError as error:
        _fail(error.faults, error.exit_status)
    except (FocalsegError, Interrupted) as error:
        _fail(str(error).splitlines(), error.exit_status)
    except TyperException as error:
        # Typer has no message where it has just printed the help for a call without a command.
        message = error.format_message().replace("Value error, ", "")
        _fail([f"{message} See `focalseg --help`."] if message else [], 2)
    except OSError as error:
        what = f"{error.filename or 'the machine'}: {error.strerror or error}"
        _fail([f"{what}. Mend that and run the same command again."], MachineError.exit_status)
    except (MemoryError, RuntimeError) as error:
        # Torch reports a full memory as a RuntimeError, on the CPU and on a GPU.
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        mend = "Lower network.base_width, data.longest_side or training.batch_size with --set, or --workers"
        _fail([f"Memory ran out. {mend}, and give a new --out."], MachineError.exit_status)


def _fail(faults: list[str] | tuple[str, ...], status: int) -> NoReturn:
    """Prints one line on stderr per fault, then exits."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    sys.exit(status)
