"""A person's regular expression on the names of cases, in bounded time: some would take ages on a single name."""

import json
import subprocess
import sys
from collections.abc import Sequence

from focalseg.errors import MachineError, SettingError
from focalseg.findings import show_name, show_value

MOST_SECONDS = 3
"""Of computing. An ordinary pattern takes microseconds a name."""
_MOST_WAITING = 120
"""Seconds until we stop waiting, where a machine is busy or counts no seconds of computing."""
_MOST_CHARACTERS = 1000
_MOST_MEMORY = 1 << 30
_EXAMPLE = "expected one such as 'patient_([0-9]+)'"
# Python's matching cannot be stopped from within the process that does it, so another one does it, that knows only the standard
# library and ends by itself.
_SEARCH = """
import json, re, sys
pattern, names, seconds, memory = json.load(sys.stdin)
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
except (ImportError, ValueError, OSError):
    pass
try:
    compiled = re.compile(pattern)
    group = 1 if compiled.groups else 0
    found = [(match[group] or "") if (match := compiled.search(name)) else "" for name in names]
    json.dump({"found": found}, sys.stdout)
except (re.error, RecursionError, OverflowError, MemoryError) as error:
    json.dump({"fault": str(error) or type(error).__name__}, sys.stdout)
"""


def find_in_names(pattern: str, names: Sequence[str]) -> list[str]:
    """What the pattern finds in each name: its first group where it has one, else all that it matches; empty for nothing.

    Raises SettingError for a pattern that is none, or takes longer than MOST_SECONDS.
    """
    if len(pattern) > _MOST_CHARACTERS:
        raise SettingError(f"The pattern {show_value(pattern)} has {len(pattern):,} characters; {_EXAMPLE}.")
    # Isolated (-I) and without site-packages (-S): nothing of the working folder is imported, and it starts at once.
    command = [sys.executable, "-I", "-S", "-c", _SEARCH]
    task = json.dumps([pattern, list(names), MOST_SECONDS, _MOST_MEMORY])
    try:
        done = subprocess.run(command, input=task, capture_output=True, text=True, timeout=_MOST_WAITING, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _too_slow(pattern) from error
    except OSError as error:
        raise MachineError(
            f"No process could be started to look for the groups ({error}); free memory and run again."
        ) from error
    if done.returncode < 0 or done.returncode > 128:  # ended by the system
        raise _too_slow(pattern)
    if done.returncode:
        raise MachineError(f"The search for the groups ended with status {done.returncode}; run the same command again.")
    answer = json.loads(done.stdout)
    if "fault" in answer:
        raise SettingError(f"{show_value(pattern)} is no regular expression ({show_name(answer['fault'])}); {_EXAMPLE}.")
    found: list[str] = answer["found"]
    return found


def _too_slow(pattern: str) -> SettingError:
    return SettingError(
        f"The pattern {show_value(pattern)} was not done with the names of the cases after {MOST_SECONDS} s; expected one that "
        "does not try every way to divide a name, as repeats within one another, (a+)+, or side by side, .*.*, do. Write "
        "'patient_([0-9]+)' or the like."
    )
