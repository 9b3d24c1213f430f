"""The switch: where a signal stops at once, where it waits, and where it is but noted."""

import signal
import sys
import time

import pytest

from focalseg.errors import Interrupted
from focalseg.study.running.stopping import STOP_SIGNALS, StopSwitch


@pytest.fixture
def switch():
    """A switch that is installed; handlers are put back afterwards."""
    handlers = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGALRM)}
    hook = sys.unraisablehook
    switch = StopSwitch()
    switch.install()
    yield switch
    switch.retire()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert sys.unraisablehook == hook


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_stops_at_once_with_its_status(switch, number):
    with pytest.raises(Interrupted) as stopped:
        signal.raise_signal(number)
    assert stopped.value.exit_status == 128 + number
    assert switch.is_requested()


def test_a_second_signal_changes_nothing(switch):
    with pytest.raises(Interrupted) as stopped:
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    assert switch.requested == signal.SIGINT
    assert stopped.value.exit_status == 130


def test_what_saves_first_is_asked_to_stop_and_stopped_at_its_end(switch):
    done = []

    def work():
        with switch.deferring():
            with switch.deferring():
                pass
            signal.raise_signal(signal.SIGTERM)
            done.append(switch.is_requested())

    with pytest.raises(Interrupted):
        work()
    assert done == [True]
    signal.raise_signal(signal.SIGTERM)  # the process is ending


def test_an_import_is_not_interrupted_but_what_follows_it(switch, tmp_path, monkeypatch):
    module = "import signal, time\nsignal.raise_signal(signal.SIGTERM)\ntime.sleep(0.2)\nwhole = True\n"
    (tmp_path / "imported_while_stopped.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)

    def work():
        __import__("imported_while_stopped")
        time.sleep(60)

    started = time.monotonic()
    with pytest.raises(Interrupted) as stopped:
        work()
    assert time.monotonic() - started < 30
    assert stopped.value.exit_status == 143
    assert sys.modules.pop("imported_while_stopped").whole


def test_a_stop_that_python_swallows_comes_again(switch, capsys):
    class Doomed:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def work():
        doomed = Doomed()
        del doomed
        time.sleep(60)

    with pytest.raises(Interrupted):
        work()
    assert capsys.readouterr().err == ""


def test_under_nohup_a_hang_up_stays_ignored(switch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    switch.install()
    signal.raise_signal(signal.SIGHUP)
    assert not switch.is_requested()


def test_a_process_that_ends_ignores_signals(switch):
    switch._postpone()  # as during an import
    switch.retire()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    for number in STOP_SIGNALS:
        signal.raise_signal(number)
    assert not switch.is_requested()
