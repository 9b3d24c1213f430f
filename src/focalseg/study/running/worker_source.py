"""What workers are copied from on Linux: a process that has loaded all they need, and that a signal to the whole job spares.

Python's fork server imports this module, which `local` names to it, before it makes the first copy.
"""

import os
import signal
import sys


def _get_ready() -> None:
    """From now on this process takes no signal that stops a job; its copies do."""
    # It alone hears how workers end. Without it whoever started them would not wait until they have saved their state.
    # The signals are held back and not ignored: what reaches a copy before it has begun stops it when it begins. That is said
    # before anything is loaded, since libraries start threads, which would take the signals instead.
    held = {signal.SIGTERM, signal.SIGHUP}  # Ctrl-C is ignored by the fork server itself
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    os.register_at_fork(after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, held))
    import focalseg.study.running.local  # noqa: F401 - what workers need, and takes seconds to load


if "multiprocessing.forkserver" in sys.orig_argv[-1]:  # imported anywhere else it changes nothing
    _get_ready()
