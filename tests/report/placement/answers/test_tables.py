"""What the arms reach on each kind of case, at each threshold, and how much of a difference is rescue: tables and sentences."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.report.figures import make_standalone
from focalseg.report.placement.answers.claims import explain_claim, explain_failures, explain_looks, explain_total
from focalseg.report.placement.answers.kinds import lay_kinds
from focalseg.report.placement.answers.strata import draw_strata
from focalseg.report.placement.answers.tables import (
    describe_calibration,
    describe_rescue,
    tabulate_labels,
    tabulate_rescue,
    tabulate_sizes,
    tabulate_strata,
    tabulate_thresholds,
)
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.reading import read_placement_contents

Make = Callable[..., Path]
MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


@pytest.fixture
def contents(make_placement: Make, made_strata: dict[str, Any]) -> PlacementContents:
    return read_placement_contents(make_placement(**made_strata))


def rows(table: Any) -> dict[str, tuple[str, ...]]:
    return {line.name: line.cells for line in table.lines}


def test_every_arm_and_every_difference_stands_in_the_table_of_strata(contents: PlacementContents) -> None:
    table = tabulate_strata(contents)
    assert table.columns[1:] == (
        "Dice on cases with the object (259 in 210 groups)",
        "Missed altogether (259 in 210 groups)",
        "Left empty (51 in 39 groups)",
    )
    found = rows(table)
    assert list(found) == ["none", "all", "placed", f"all {MINUS} none", f"placed {MINUS} none"]
    assert found["none"] == (
        "0.596 [0.546, 0.646]",
        f"9{SPACE}% [7{SPACE}%, 11{SPACE}%]",
        f"49{SPACE}% [43{SPACE}%, 55{SPACE}%]",
    )
    assert found[f"placed {MINUS} none"] == (
        "+0.090 [+0.065, +0.115], p 0.012",
        f"{MINUS}6.5{SPACE}points [{MINUS}7.5, {MINUS}5.5], p 0.012",
        f"{MINUS}27{SPACE}points [{MINUS}30, {MINUS}24], p 0.012",
    )


def test_one_group_has_no_interval(make_placement: Make, made_strata: dict[str, Any]) -> None:
    made_strata["strata"]["missed"]["arms"]["none"] |= {"low": None, "high": None}
    contents = read_placement_contents(make_placement(**made_strata))
    assert rows(tabulate_strata(contents))["none"][1] == f"9{SPACE}% (no interval)"
    bar = draw_strata(contents)[1].rows[0].bar
    assert bar.low == bar.mean == bar.high


def test_an_arm_that_collapsed_is_compared_with_nothing(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    made_job["arms"]["all"]["collapsed"] = 4
    contents = read_placement_contents(make_placement(**{**made_job, **made_strata}))
    assert rows(tabulate_strata(contents))[f"all {MINUS} none"] == ("not compared",) * 3
    assert [row.name.partition(":")[0] for row in draw_strata(contents)[0].differences] == [f"placed {MINUS} none"]


def test_a_drawing_holds_the_arms_and_their_differences_in_the_unit_of_the_kind(contents: PlacementContents) -> None:
    dice, missed, empty = draw_strata(contents)
    assert [row.name for row in dice.rows] == ["none 0.596", "all 0.688", "placed 0.686"]
    assert [row.name for row in missed.differences] == [
        f"all {MINUS} none: {MINUS}7{SPACE}points", f"placed {MINUS} none: {MINUS}6.5{SPACE}points",
    ]  # fmt: skip
    assert {tick.text[-1] for tick in empty.ticks} == {"%"}
    assert missed.rows[0].bar.mean > missed.rows[1].bar.mean  # 9 % are farther right than 2 %
    assert "Less is better" in missed.meaning
    assert [panel.file for panel in (dice, missed, empty)] == ["with-object.svg", "missed.svg", "left-empty.svg"]


def test_sizes_stand_beside_one_another_with_their_bounds(contents: PlacementContents) -> None:
    table = tabulate_sizes(contents)
    assert table.columns[1] == "Small, 40 to 900 pixels (87 in 70 groups)"
    assert rows(table)["placed"][0] == "0.540 [0.490, 0.590]"


def test_labels_have_their_own_rows(make_placement: Make, made_strata: dict[str, Any]) -> None:
    strata = made_strata["strata"]
    made_strata["by_label"] = [
        {"label": "vein", "strata": {"with_object": strata["with_object"]}},
        {"label": "<b>", "strata": strata},
    ]
    table = tabulate_labels(read_placement_contents(make_placement(**made_strata)))
    headings = [line.name for line in table.lines if not line.cells]
    assert headings == ["vein: 259 cases with it, 0 without", "<b>: 259 cases with it, 51 without"]
    assert table.lines[1].cells == ("0.596 [0.546, 0.646]", "none there", "none there")


def test_rescue_is_taken_apart_and_told_in_a_sentence(contents: PlacementContents) -> None:
    assert rows(tabulate_rescue(contents)) == {
        f"placed {MINUS} none": ("+0.090", "+0.060 (60)", f"{MINUS}0.015 (9)", "+0.045", f"50{SPACE}%")
    }
    assert describe_rescue(contents) == (
        f"Of the +0.090 Dice of placed {MINUS} none, +0.045 is rescue from misses, 50{SPACE}% of it: placed found 60 that none "
        "missed altogether, and missed 9 that none found (of 777 objects in all trainings)."
    )


def test_a_difference_that_a_threshold_makes_is_called_calibration(contents: PlacementContents) -> None:
    assert rows(tabulate_thresholds(contents))["none"] == ("0.596 [0.546, 0.646]", "0.670 [0.620, 0.720]", "0.15 to 0.20")
    assert describe_calibration(contents).startswith(f"Calibration: placed {MINUS} none is shown at 0.5")


def test_the_opening_says_what_the_verdict_is_about_and_what_the_mean_over_all_says(contents: PlacementContents) -> None:
    opening = lay_kinds(contents).opening
    assert opening.startswith("The verdict is about the Dice on cases with the object, which was fixed beforehand.")
    assert opening.endswith(f"In the mean over all cases placed {MINUS} none is +0.024 Dice [{MINUS}0.016, +0.064].")


def test_a_record_of_before_has_none_of_it(make_placement: Make) -> None:
    kinds = lay_kinds(read_placement_contents(make_placement()))
    assert (kinds.panels, kinds.strata, kinds.sizes, kinds.rescue, kinds.thresholds, kinds.opening) == ((), *[None] * 4, "")
    assert kinds.list_figures() == []


def test_what_a_claim_rests_on_is_said_in_sentences(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    made_job["non_inferiority"] |= {"failing": 0, "groups": 28, "failing_at_most": 0.123}
    record = read_placement_contents(make_placement(**{**made_job, **made_strata})).record
    assert f"two folds share 62{SPACE}% of their training groups" in explain_claim(record)
    assert f"that of this one is 1.25{SPACE}% on either side instead of 2.5{SPACE}%" in explain_looks(record.looks)
    assert f"up to 12{SPACE}% of such groups do (exact, Clopper-Pearson)" in explain_failures(record.non_inferiority)
    assert explain_total(record.total_effect) == (
        f"On validation cases, before any site was chosen, all {MINUS} none was +0.080 Dice [+0.020, +0.140]; the sites that "
        "are kept do not account for it."
    )


def test_where_every_case_has_the_object_nothing_is_said_of_cases_without(
    make_placement: Make, made_strata: dict[str, Any]
) -> None:
    del made_strata["strata"]["left_empty"]
    made_strata["difference_all_cases"] = made_strata["difference"]
    made_strata["rescue"][0] |= {"rescued": 0.0, "lost": 0.0, "rest": 0.09, "rescued_objects": 0, "lost_objects": 0}
    contents = read_placement_contents(make_placement(**made_strata))
    kinds = lay_kinds(contents)
    assert contents.of_object == ""
    assert kinds.title == "What is found, and what is missed"
    assert "without" not in kinds.opening
    assert kinds.rescue is None
    assert "no object was missed altogether by one network and found by the other" in kinds.rescue_sentence


def test_labels_that_some_cases_lack_make_another_mean(make_placement: Make, made_strata: dict[str, Any]) -> None:
    del made_strata["strata"]["left_empty"]
    assert read_placement_contents(make_placement(**made_strata)).of_object == " of the labels that a case has"


def test_every_kind_of_case_is_a_drawing_of_its_own_that_keeps_the_colours_of_its_arms(contents: PlacementContents) -> None:
    figures = lay_kinds(contents).list_figures()
    assert [figure.name for figure in figures] == ["with-object.svg", "missed.svg", "left-empty.svg"]
    for figure in figures:
        text = make_standalone(figure)
        assert re.search(r'<g class="arm-none">.*<g class="arm-all">.*<g class="arm-placed">', text, re.DOTALL)
        assert re.search(r"\.arm-none \{ color: #[0-9a-f]{6}; \}", text)
