"""Settings that make no sense are refused by a declared error, or are settings; benchmarks/results has the full count."""

import pytest

from focalseg.configuration import list_settings
from focalseg.study.presets import Settings
from hostile_text.absurd_settings import VALUES, list_names, try_settings
from hostile_text.reading import MOST_SECONDS


@pytest.mark.slow
def test_absurd_settings_raise_nothing_but_the_declared_error():
    tally = try_settings(300, seed=1)
    assert dict(tally.strangers) == {}
    assert tally.slowest < MOST_SECONDS
    assert tally.refused > 200
    assert tally.read > 10


def test_every_setting_is_among_them():
    assert set(list_settings(Settings)) < set(list_names())
    assert len(list_names()) * len(VALUES) > 1624
