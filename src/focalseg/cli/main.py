"""The entry: commands, and what becomes of an error."""

import errno
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from focalseg import __version__
from focalseg.cli.plain import SwiftCommand, SwiftGroup
from focalseg.cli.terminal.streams import find_lost_output
from focalseg.errors import DataError, FocalsegError, Interrupted, MachineError
from focalseg.study.running.stopping import STOP

VERBS = ("demo", "check", "place", "train", "predict", "evaluate", "export", "compare", "report")
"""In the order of the help; each is the function of that name in the module of that name."""


def _build_app(words: Sequence[str]) -> typer.Typer:
    """The commands: of those words, which a person typed, the verb alone where they begin with one. The others take time."""
    app = typer.Typer(
        name="focalseg",
        cls=SwiftGroup,
        help="Does attention help on my data, which kind, and where in the network?",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for verb in VERBS if not {*words[:1]} & {*VERBS} else words[:1]:
        app.command(cls=SwiftCommand)(getattr(import_module(f"focalseg.cli.{verb}"), verb))
    app.callback(invoke_without_command=True)(_show_version)
    return app


def _show_version(show: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Does attention help on my data, which kind, and where in the network?"""
    if show:
        print(f"focalseg {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Runs the command line and exits with a status: 0 done, 2 the call, 3 the data, 4 the machine, 129, 130 or 143 stopped."""
    try:
        status, faults = _run()
    except Interrupted as stopped:
        anew = "Stopped by a signal. Run the same command again; it begins anew."
        status, faults = stopped.exit_status, (str(stopped) if STOP.keeps else anew,)
    STOP.retire()
    if lost := find_lost_output():
        status, faults = MachineError.exit_status, (*faults, f"standard output: {lost.strerror}. Mend that and run again.")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    sys.exit(status)


def _run() -> tuple[int, tuple[str, ...]]:
    """The status of the command line, and what is at fault, a line each."""
    try:
        return _build_app(sys.argv[1:])(prog_name="focalseg", standalone_mode=False) or 0, ()
    except DataError as error:
        return error.exit_status, error.faults
    except FocalsegError as error:
        return error.exit_status, tuple(str(error).splitlines())
    except TyperException as error:
        # Typer has no message where it has just printed the help for a call without a command.
        message = error.format_message().replace("Value error, ", "")
        return 2, (f"{message} See `focalseg --help`.",) if message else ()
    except ImportError as error:
        mend = "Install focalseg anew, or where it says that too many files are open, raise that limit with `ulimit -n 1024`"
        return MachineError.exit_status, (f"A library could not be loaded: {error}. {mend}.",)
    except OSError as error:
        what = f"{error.filename or 'the machine'}: {error.strerror or error}"
        mend = "Raise that limit with `ulimit -n 1024`" if error.errno == errno.EMFILE else "Mend that"
        return MachineError.exit_status, (f"{what}. {mend} and run the same command again.",)
    except (MemoryError, RuntimeError) as error:
        # Torch reports a full memory as a RuntimeError, on the CPU and on a GPU.
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        mend = "Lower network.base_width, data.longest_side or training.batch_size with --set, or --workers"
        return MachineError.exit_status, (f"Memory ran out. {mend}, and give a new --out.",)
