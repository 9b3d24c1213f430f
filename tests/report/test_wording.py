"""Numbers as a person reads them."""

import pytest

from focalseg.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "+0.250"), (-0.25, "\N{MINUS SIGN}0.250"), (0.0, "0.000"), (-0.0001, "0.000"), (0.0001, "0.000")],
)
def test_a_difference_shows_its_sign_unless_it_rounds_to_nothing(value: float, text: str) -> None:
    assert wording.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (49545216, "49.5 M"), (2.5e9, "2.5 G"), (1200, "1.2 k"), (7e12, "7 T")]
)
def test_a_large_count_has_a_prefix(value: float, text: str) -> None:
    assert " ".join(wording.magnitude(value).split()) == text


@pytest.mark.parametrize(("seconds", "text"), [(12.78, "12.8 s"), (150, "2.5 min"), (9000, "2.5 h")])
def test_a_time_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert " ".join(wording.duration(seconds).split()) == text


def test_more_in_percent() -> None:
    assert " ".join(wording.percent_more(110, 100).split()) == "+10.0 %"
    assert wording.percent_more(1, 0) == ""


@pytest.mark.parametrize(("items", "text"), [([], ""), (["0"], "0"), (["0", "1"], "0 and 1"), (["0", "1", "2"], "0, 1 and 2")])
def test_a_list_reads_as_a_sentence(items: list[str], text: str) -> None:
    assert wording.listed(items) == text
