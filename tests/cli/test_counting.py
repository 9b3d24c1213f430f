"""Lines that tell how far counted work is, where there is no terminal."""

from focalseg.cli.terminal.counting import PLAIN_LINE_SECONDS, show_counting


def test_the_time_left_is_never_none_while_something_is_left(monkeypatch, capsys):
    now = {"time": 0.0}
    monkeypatch.setattr("focalseg.cli.terminal.counting.time.monotonic", lambda: now["time"])
    with show_counting("reading the cases") as advance:
        now["time"] = PLAIN_LINE_SECONDS
        advance(50, 100)
        now["time"] = 2 * PLAIN_LINE_SECONDS
        advance(999, 1000)
    # Half is done in 10 s; of 1000 the last takes 0.02 s.
    assert capsys.readouterr().err.splitlines() == [
        "reading the cases: 50 of 100, about 10 s left",
        "reading the cases: 999 of 1000, about 1 s left",
    ]
