"""The entry, `python -m focalseg` and the command `focalseg`: what must be settled before anything else is loaded."""

import os
import signal
import sys
from typing import NoReturn


def _leave(number: int, _frame: object) -> NoReturn:
    """Ends the process at once. An exception could come up inside a module that is being imported, and nothing can be lost."""
    os._exit(128 + number)


def _leave_on_signals() -> None:
    """Until a verb has loaded all that it needs, and takes signals itself (`study/running/stopping.py`)."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # not every system has all of them
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
            signal.signal(number, _leave)


def _open_closed_streams() -> None:
    """Puts the null device where a standard stream is closed: the next file that is opened would get its number."""
    # A library that writes to standard error by its number would then write into that file.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _wait_passively() -> None:
    """Lets threads sleep while they wait for one another, unless the person has said how they wait."""
    # By default they spin. Beside other processes that keeps busy the very core that the thread waited for needs.
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & set(os.environ):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    # NumPy's and SciPy's linear algebra, of which we need next to nothing, would start a thread per core.
    if not {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ):
        os.environ["OPENBLAS_NUM_THREADS"] = "1"


def _show_warnings_only() -> None:
    """Where the person wants warnings as errors: those of the libraries below us would end the job, and are shown instead."""
    import warnings

    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")
        sys.warnoptions[:] = ["default"]  # also of worker processes
        os.environ["PYTHONWARNINGS"] = "default"


def _forget_display() -> None:
    """Forgets which window Matplotlib would draw in: pages need none, and it refuses to load where the name is unknown."""
    os.environ.pop("MPLBACKEND", None)


# A worker process comes here too where its parent was started by a script; it has the parent's environment and its own signals.
if "multiprocessing.spawn" not in sys.modules:
    _leave_on_signals()
    _open_closed_streams()
    _wait_passively()
    _show_warnings_only()
    _forget_display()


def main() -> NoReturn:
    """Runs the command line, and exits with its status."""
    try:
        from focalseg.cli.main import main as run
        from focalseg.cli.terminal.streams import settle_streams

        settle_streams()
    except (ImportError, OSError) as error:
        sys.exit(f"error: A part of focalseg could not be loaded ({error}). Raise the limit on open files, or install it anew.")
    run()


if __name__ == "__main__":
    main()
