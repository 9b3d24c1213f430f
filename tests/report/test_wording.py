"""Numbers as a person reads them."""

import pytest

from focalseg.attention import GATES
from focalseg.placement.instrument import OWN
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


@pytest.mark.parametrize(
    ("flops", "text"), [(0, "0"), (128, "<0.001"), (1000, "0.001"), (100_000, "0.1"), (12_345_678, "12.3"), (1.5e9, "1 500")]
)
def test_operations_of_a_site_count_in_millions(flops: float, text: str) -> None:
    assert " ".join(wording.megaflops(flops).split()) == text


def test_a_time_of_a_site_has_its_share_where_the_whole_has_a_time() -> None:
    assert " ".join(wording.milliseconds(0.00025, 0.01).split()) == "0.25 (2.5 %)"
    assert wording.milliseconds(0.00025, 0.0) == "0.25"


@pytest.mark.parametrize("gate", [*GATES, OWN])
def test_every_kind_of_gate_has_a_long_name(gate: str) -> None:
    assert wording.describe_gate(gate) == f"{wording.name_gate(gate)} ({wording.GATE_NAMES[gate]})"


def test_gates_are_explained_once_each() -> None:
    assert wording.explain_gates(["se", "ag", "se"]) == "SE: Squeeze-and-Excitation; AG: Attention Gate"
