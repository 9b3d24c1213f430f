"""Runs on this machine, several at a time, each in a process of its own."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for_sentinels
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

import torch

from focalseg.errors import Interrupted, MachineError
from focalseg.findings import counted
from focalseg.study.running.cores import count_threads, usable_cores
from focalseg.study.running.runs import RunPlan, execute
from focalseg.study.running.stopping import STOP, STOP_SIGNALS, STOP_STATUSES
from focalseg.training.run import build_network
from focalseg.training.threads import choose_threads, kept_threads

POLL_SECONDS = 0.2
Item = TypeVar("Item")
Result = TypeVar("Result")


def run_locally(plans: Sequence[RunPlan], *, workers: int) -> None:
    """Executes every plan, `workers` at a time, sharing the cores evenly. What is already there is not done again.

    Small networks keep one core busy and no more, so runs side by side finish sooner than one run on all cores.
    Where all of them are finished no process is started to say so. Raises what a run raises, and Interrupted once every run
    has saved its state.
    """
    finished = all(plan.is_tuned for plan in plans)
    call_locally(execute, plans, workers=1 if finished else workers)


def call_locally(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> list[Result]:
    """What a function of a module's top level returns for each item, `workers` at a time, in the order of the items.

    tell(done, of): called whenever some have ended. Raises what a call raises, and Interrupted when a stop was asked for.
    """
    if workers == 1 or len(items) == 1:
        results = []
        for item in items:
            results.append(function(item))
            tell(len(results), len(items))
        return results
    workers = min(workers, len(items))
    with STOP.deferring():  # also while processes are started and joined: a second signal changes nothing
        return _call_in_processes(function, items, workers, tell)


def _call_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, tell: Callable[[int, int], None]
) -> list[Result]:
    """As `call_locally`, where a signal only sets `STOP.requested`."""
    context = _RememberingContext(_choose_context())
    pool = _open_pool(workers, context)
    futures: list[Future[Result]] = []
    try:
        with _no_interrupt_for_children(), _naming_the_mend():
            futures += [pool.submit(_call, function, item) for item in items]
        _await(futures, tell)
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        pool.shutdown(cancel_futures=True)  # waits for all workers, so that each has its exit status
        if number := STOP.requested or _find_stop(context.started):
            raise Interrupted(number) from error
        raise MachineError(
            "A worker process ended without a word, most often for lack of memory; "
            "run the same command again with fewer --workers: it goes on where it stopped."
        ) from error
    except BaseException as error:
        for child in context.started:
            child.terminate()
        if STOP.requested and not isinstance(error, Interrupted):  # what starts processes may have died of the same signal
            raise Interrupted(STOP.requested) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _RememberingContext:
    """A way to start processes that remembers those it has made: how they ended is known of those alone that it knows.

    `multiprocessing.active_children` would forget one that ended before it was asked, and names those of whoever called us.
    """

    def __init__(self, context: BaseContext) -> None:
        self._context = context
        self.started: list[BaseProcess] = []

    def Process(self, *given: Any, **named: Any) -> BaseProcess:  # noqa: N802 - the name that pools ask for
        """A process that has not begun, as the pool asks for one."""
        process: BaseProcess = self._context.Process(*given, **named)  # type: ignore[attr-defined]
        self.started.append(process)
        return process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _open_pool(workers: int, context: _RememberingContext) -> ProcessPoolExecutor:
    """Processes that start when there is work for them."""
    with _naming_the_mend():
        return ProcessPoolExecutor(
            workers,
            mp_context=cast(BaseContext, context),
            initializer=_start_worker,
            initargs=(count_threads(workers), dict(os.environ)),
        )


def _choose_context() -> BaseContext:
    """How worker processes are started.

    A job starts some for each of its stages. On Linux all are copied from one process, which loads torch once for the whole job
    and computes nothing itself; elsewhere system libraries may not survive the copy, and each worker loads torch anew.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["focalseg.study.running.worker_source"])
    return context


@contextmanager
def _naming_the_mend() -> Iterator[None]:
    """Raises MachineError where the machine starts no processes: without shared memory, or with too many open files."""
    try:
        yield
    except (OSError, ImportError, EOFError) as error:
        raise MachineError(
            f"Worker processes cannot be started here ({str(error) or type(error).__name__}); "
            "run the same command again with --workers 1: it goes on where it stopped."
        ) from error


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    """In a worker: what the function returns. A worker that was stopped leaves, with the status that says so."""
    # An exception that is no Exception must not reach the pool, which would raise it in the parent as if it were its own. Nor
    # may a stopped worker stay: it would wait for work for ever where the pool is ended because another worker left.
    try:
        return function(item)
    except Interrupted as stopped:
        os._exit(stopped.exit_status)
    except SystemExit as leaving:
        if isinstance(leaving.code, int) and leaving.code in STOP_STATUSES:
            os._exit(leaving.code)
        raise MachineError(f"{function.__name__} ended its worker process, with the status {leaving.code}.") from None


def _find_stop(children: Sequence[BaseProcess]) -> int:
    """The signal that stopped workers: 0 where one of them ended otherwise, as for lack of memory."""
    # The pool sends SIGTERM to those that did not leave by themselves; one that has no handler yet dies of the signal itself.
    codes = [child.exitcode for child in children if child.exitcode]
    numbers = [STOP_STATUSES.get(code, -code if -code in STOP_SIGNALS else 0) for code in codes]
    first = next((number for number in numbers if number != signal.SIGTERM), signal.SIGTERM)
    return first if numbers and all(numbers) else 0


@contextmanager
def _no_interrupt_for_children() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C, which a terminal sends to all: this process alone passes a stop on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def choose_workers(plans: int, device: str) -> int:
    """As many as there are cores and plans on a CPU; one where the runs would share an accelerator."""
    accelerated = device in ("cuda", "mps") or (device == "auto" and torch.accelerator.is_available())
    return 1 if accelerated else max(min(plans, usable_cores()), 1)


def describe_threads(plans: Sequence[RunPlan], workers: int | None) -> str:
    """Says how many of the runs go on at a time, and on how many threads. workers: as the person said, or nothing."""
    config = plans[0].config
    workers = min(workers or choose_workers(len(plans), plans[0].device), len(plans))
    with kept_threads():
        torch.set_num_threads(count_threads(workers))
        threads = choose_threads(config, build_network(config))
    cores, at_a_time = counted(usable_cores(), "core"), counted(workers, "training")
    return f"{cores} to use: {at_a_time} at a time, on {counted(threads, 'thread')} each."


def _await(futures: list[Future[Result]], tell: Callable[[int, int], None]) -> None:
    pending: set[Future[Result]] = set(futures)
    while pending:
        if STOP.is_requested():
            raise Interrupted(STOP.requested)
        done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        if done:
            tell(len(futures) - len(pending), len(futures))


def _start_worker(threads: int, environment: dict[str, str]) -> None:
    os.environ.clear()  # that of the process it was copied from may be of an earlier time
    os.environ.update(environment)
    torch.set_num_threads(threads)
    STOP.install(worker=True)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with_parent, args=(parent.sentinel,), daemon=True).start()


def _end_with_parent(sentinel: int) -> None:
    wait_for_sentinels([sentinel])
    os._exit(1)
