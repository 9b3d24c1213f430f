"""Processes side by side: what becomes of a stop, wherever in a worker it comes, and of a worker that ends by itself."""

import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from focalseg.errors import Interrupted, MachineError
from focalseg.study.running import local

pytestmark = pytest.mark.slow
PARENT = "__import__('os').getppid()"  # workers know no function of a test, but they know eval


@pytest.mark.parametrize(
    ("function", "items", "number"),
    [
        (signal.raise_signal, [signal.SIGTERM, signal.SIGTERM], signal.SIGTERM),  # received by the worker's own handler
        (signal.raise_signal, [signal.SIGINT, signal.SIGHUP], signal.SIGHUP),  # a worker hears of Ctrl-C from its parent alone
        (sys.exit, [143, 143], signal.SIGTERM),
    ],
)
def test_a_worker_that_was_stopped_stops_the_job(function, items, number):
    with pytest.raises(Interrupted) as stopped:
        local.call_locally(function, items, workers=2)
    assert stopped.value.exit_status == 128 + number


def test_a_worker_that_dies_of_the_signal_before_it_has_a_handler_stops_the_job(monkeypatch):
    monkeypatch.setattr(
        local,
        "ProcessPoolExecutor",
        lambda *given, **named: ProcessPoolExecutor(
            *given, **{**named, "initializer": signal.raise_signal, "initargs": (signal.SIGTERM,)}
        ),
    )
    with pytest.raises(Interrupted) as stopped:
        local.call_locally(abs, [1, 2], workers=2)
    assert stopped.value.exit_status == 143


@pytest.mark.parametrize(
    ("function", "item", "message"),
    [
        (signal.raise_signal, signal.SIGKILL, "A worker process ended without a word, most often for lack of memory; "),
        (sys.exit, 3, "exit ended its worker process, with the status 3."),
    ],
)
def test_a_worker_that_ends_otherwise_is_an_error(function, item, message):
    with pytest.raises(MachineError) as failed:
        local.call_locally(function, [item, item], workers=2)
    assert str(failed.value).startswith(message)


def test_processes_of_whoever_called_are_left_alone():
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    other.start()
    try:
        with pytest.raises(MachineError, match="with the status 3"):
            local.call_locally(sys.exit, [3, 3], workers=2)
        other.join(0.5)
        assert other.is_alive()
    finally:
        other.kill()
        other.join()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker loads torch for itself")
def test_workers_of_all_stages_are_copied_from_one_process_that_has_loaded_torch():
    ask = [PARENT, PARENT]
    (one,) = parents = {*local.call_locally(eval, ask, workers=2), *local.call_locally(eval, ask, workers=2)}
    assert parents != {os.getpid()}
    assert "libtorch" in Path(f"/proc/{one}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not copied")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_of_all_processes_spares_the_one_that_tells_how_workers_end(number):
    """And the next workers, which are copied from it, are stopped by the same signal all the same."""
    ask = [PARENT, PARENT]
    (before,) = {*local.call_locally(eval, ask, workers=2)}
    kill_it = f"__import__('os').kill({PARENT}, {number})"
    with pytest.raises(Interrupted) as stopped:
        local.call_locally(eval, [kill_it, f"exit(128 + {number})"], workers=2)
    assert stopped.value.exit_status == 128 + number
    with pytest.raises(Interrupted):
        local.call_locally(signal.raise_signal, [number, number], workers=2)
    assert {*local.call_locally(eval, ask, workers=2)} == {before}


@pytest.mark.parametrize("value", ["one", "two", None])
def test_workers_have_the_environment_of_the_process_that_asks_them(monkeypatch, value):
    """Also where it changed since the first of them was started."""
    if value is not None:
        monkeypatch.setenv("FOCALSEG_ASKED", value)
    asked = "__import__('os').environ.get('FOCALSEG_ASKED')"
    assert local.call_locally(eval, [asked, asked], workers=2) == [value, value]


@pytest.mark.parametrize(("requested", "error"), [(signal.SIGTERM, Interrupted), (0, MachineError)])
@pytest.mark.parametrize("failure", [EOFError(), ConnectionRefusedError(111, "Connection refused")])
def test_a_stop_while_processes_start_is_a_stop_and_no_fault_of_the_machine(monkeypatch, requested, error, failure):
    """The signal went to all processes, and what starts ours ended first."""

    def end(*_):
        monkeypatch.setattr(local.STOP, "requested", requested)
        raise failure

    monkeypatch.setattr(ProcessPoolExecutor, "submit", end)
    with pytest.raises(error):
        local.call_locally(abs, [1, 2], workers=2)


@pytest.mark.parametrize(
    "failure",
    [OSError(38, "Function not implemented"), ImportError("This platform lacks a functioning sem_open implementation")],
)
def test_where_no_processes_can_be_started_the_mend_is_named(failure, monkeypatch):
    def refuse(*_, **__):
        raise failure

    monkeypatch.setattr(local, "ProcessPoolExecutor", refuse)
    with pytest.raises(MachineError) as failed:
        local.call_locally(abs, [1, 2], workers=2)
    assert str(failed.value) == (
        f"Worker processes cannot be started here ({failure}); run the same command again with --workers 1: "
        "it goes on where it stopped."
    )
    assert local.call_locally(abs, [1, -2], workers=1) == [1, 2]
