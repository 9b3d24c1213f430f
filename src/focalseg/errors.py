"""Every exception focalseg raises, each also the built-in kind a caller expects.

The command line turns them into `error:` lines and an exit status; from Python they are caught like any other.
"""

from collections.abc import Sequence

from focalseg.findings import Finding


class FocalsegError(Exception):
    """The base of all our errors. A message says what was found, what was expected and the mend, in at most three lines."""

    exit_status = 1


class SettingError(FocalsegError, ValueError):
    """A call or a setting is at fault."""

    exit_status = 2


class SiteError(FocalsegError, LookupError):
    """There is no such site or gate, or a placement does not fit the network."""

    exit_status = 2


class ShapeError(FocalsegError, ValueError):
    """The shapes of tensors do not fit together."""

    exit_status = 2


class GradientError(FocalsegError, RuntimeError):
    """A derivative was asked for that does not exist."""

    exit_status = 2


class DataError(FocalsegError, ValueError):
    """The data is at fault. Holds every fault, so that a person mends them all in one go.

    faults: a sentence each. findings: those of them that are about a file, with their parts.
    """

    exit_status = 3

    def __init__(self, faults: str | Finding | Sequence[str | Finding]) -> None:
        given = (faults,) if isinstance(faults, str | Finding) else tuple(faults)
        self.faults = tuple(map(str, given))
        self.findings = tuple(fault for fault in given if isinstance(fault, Finding))
        super().__init__("\n".join(self.faults))


class MachineError(FocalsegError, OSError):
    """The machine is at fault: disk, memory or device."""

    exit_status = 4


class Interrupted(BaseException):
    """Stopped by a signal after saving; the same call goes on where it stopped, unless there was nothing to keep.

    Like KeyboardInterrupt it is no Exception, so that nothing on the way takes it for a fault.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_status = 128 + signal_number

    def __str__(self) -> str:
        return "Stopped by a signal. What was finished is kept; run the same command again to go on."
