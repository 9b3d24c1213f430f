"""Runs on this machine, several at a time, each in a process of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for_sentinels
from typing import TypeVar

import torch

from focalseg.errors import Interrupted, MachineError
from focalseg.study.running.runs import RunPlan, execute
from focalseg.study.running.stopping import STOP

POLL_SECONDS = 0.2
Item = TypeVar("Item")
Result = TypeVar("Result")


def run_locally(plans: Sequence[RunPlan], *, workers: int) -> None:
    """Executes every plan, `workers` at a time, sharing the cores evenly. What is already there is not done again.

    Small networks keep one core busy and no more, so runs side by side finish sooner than one run on all cores.
    Where all of them are finished no process is started to say so. Raises what a run raises, and Interrupted once every run
    has saved its state.
    """
    finished = all(plan.is_finished for plan in plans)
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
    threads = count_threads(workers)
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(threads,)
    )
    try:
        with STOP.deferring():
            with _no_interrupt_for_children():
                futures = [pool.submit(function, item) for item in items]
            _await(futures, tell)
        return [future.result() for future in futures]
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


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
    return 1 if accelerated else max(min(plans, _usable_cores()), 1)


def count_threads(workers: int) -> int:
    """Threads that each of so many workers has."""
    return max(_usable_cores() // workers, 1)


def _usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _await(futures: list[Future[Result]], tell: Callable[[int, int], None]) -> None:
    pending: set[Future[Result]] = set(futures)
    while pending:
        if STOP.is_requested():
            raise Interrupted(STOP.requested)
        done, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
        for future in done:
            try:
                future.result()
            except BrokenProcessPool as error:
                if STOP.is_requested():
                    raise Interrupted(STOP.requested) from error
                raise MachineError(
                    "A worker process ended without a word, most often for lack of memory; "
                    "run the same command again with fewer --workers: it goes on where it stopped."
                ) from error
        if done:
            tell(len(futures) - len(pending), len(futures))


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    STOP.install(worker=True)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with_parent, args=(parent.sentinel,), daemon=True).start()


def _end_with_parent(sentinel: int) -> None:
    wait_for_sentinels([sentinel])
    os._exit(1)
