"""Numbers as a person reads them."""

import pytest

from focalseg.attention import GATES
from focalseg.hosts.instrument import OWN
from focalseg.placement.exponents import REGIMES
from focalseg.records.placement import SHUT
from focalseg.report import wording
from focalseg.report.placement import naming
from focalseg.study.presets import RIVALS


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


@pytest.mark.parametrize("gate", [*GATES, OWN, SHUT])
def test_every_kind_of_gate_has_a_long_name(gate: str) -> None:
    assert naming.describe_gate(gate) == f"{naming.name_gate(gate)} ({naming.GATE_NAMES[gate]})"


def test_gates_are_explained_once_each() -> None:
    assert naming.explain_gates(["se", "ag", "se"]) == "SE: Squeeze-and-Excitation; AG: Attention Gate"


def test_every_regime_is_told_with_what_a_removal_cost_is_after_it() -> None:
    assert set(naming.TRAINED_WITH) == set(REGIMES)
    assert set(naming.REMOVAL_COSTS) == {*REGIMES, ""}


@pytest.mark.parametrize("regime", REGIMES)
def test_a_removal_cost_names_what_stands_in_for_the_site(regime: str) -> None:
    by_mean = "replaced by their mean" in naming.REMOVAL_COSTS[regime]
    assert by_mean == (REGIMES[regime].replacement == "mean")
    assert by_mean != ("when the site is left out" in naming.REMOVAL_COSTS[regime])


@pytest.mark.parametrize(
    ("arm", "text"),
    [
        ("none", "none"),
        ("wider", "wider plain network, no attention"),
        ("random", "as many sites at random"),
        ("se", "SE everywhere"),
        ("spatial", "spatial everywhere"),
        ("of_old", "of_old"),
    ],
)
def test_a_rival_is_named_by_what_it_is_and_another_arm_by_its_name(arm: str, text: str) -> None:
    assert naming.name_arm(arm) == text


def test_every_rival_has_plain_words() -> None:
    assert all(naming.name_arm(rival) != rival for rival in RIVALS)


def test_a_verdict_falls_into_its_sentences_and_numbers_stay_whole() -> None:
    text = "One training an arm: give seeds=3 or more. Attention helps: +0.324 Dice (95 % interval +0.302 to +0.346). But 1."
    assert wording.split_sentences(text) == [
        "One training an arm: give seeds=3 or more.",
        "Attention helps: +0.324 Dice (95 % interval +0.302 to +0.346).",
        "But 1.",
    ]


@pytest.mark.parametrize(("value", "text"), [(1.0, "1.000"), (0.0123, "0.012"), (0.001, "0.001"), (0.0004, "<0.001")])
def test_a_small_p_value_says_so(value: float, text: str) -> None:
    assert wording.probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0004, "0"), (0.004, "0.4"), (0.039, "3.9"), (0.09, "9"), (0.0996, "10"), (0.487, "49"), (1.0, "100")],
)
def test_a_share_is_told_in_percent_with_a_decimal_below_a_tenth(value: float, text: str) -> None:
    assert wording.share(value) == f"{text}\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.27, "\N{MINUS SIGN}27 points"), (0.042, "+4.2 points"), (0.01, "+1 point"), (0.0, "0 points"), (-0.0001, "0 points")],
)
def test_a_difference_of_shares_is_told_in_points(value: float, text: str) -> None:
    assert wording.points(value) == text.replace(" ", "\N{NO-BREAK SPACE}")
