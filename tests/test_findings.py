"""How values and names that somebody gave stand in messages."""

import pytest

from focalseg.catalogue import Catalogue
from focalseg.errors import SettingError
from focalseg.findings import LONGEST_SHOWN, show_name, show_value


@pytest.mark.parametrize("value", ["x" * 10**6, "\n" * 1000, ["y" * 1000], b"\0" * 999, 7, None])
def test_a_value_in_a_message_is_one_short_line(value):
    shown = show_value(value)
    assert len(shown) <= LONGEST_SHOWN + 3
    assert shown.isprintable()
    assert value in (7, None) or shown.endswith("...")
    assert show_value("short") == "'short'"


def test_a_name_is_quoted_only_where_it_is_not_plain():
    assert show_name("skip.0") == "skip.0"
    assert show_name("a\nb") == "'a\\nb'"
    assert show_name("\x1b[2J") == "'\\x1b[2J'"
    assert len(show_name("x" * 10**6)) <= LONGEST_SHOWN + 3


def test_an_unknown_name_makes_one_short_line_however_long_names_are():
    catalogue = Catalogue("column", {f"a\n{number}{'x' * 1000}": number for number in range(1000)})
    with pytest.raises(SettingError) as caught:
        catalogue["a\n" + "y" * 10**6]
    assert len(str(caught.value)) < 3000
    assert str(caught.value).isprintable()
