"""The arms of a finished job as lines of a terminal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.cli.terminal.arms import list_arm_lines
from focalseg.records.placement import JobRecord
from focalseg.records.record import read_record
from report.conftest import SITES, describe_placement, describe_strata, make_arm


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[str]]:
    """The lines of a job whose record has these values besides."""

    def lines(**changes: Any) -> list[str]:
        (tmp_path / "placement.json").write_text(json.dumps(describe_placement(SITES) | changes), encoding="utf-8")
        return list_arm_lines(read_record(JobRecord, tmp_path / "placement.json"))

    return lines


def test_the_endpoint_and_what_was_missed_and_left_empty_stand_in_columns(read: Callable[..., list[str]]) -> None:
    assert read(**describe_strata()) == [
        "arm     Dice with the object [95 %]  missed  left empty  modules  parameters",
        "none           0.596 [0.546, 0.646]   9.0 %      49.0 %        0      27,705",
        "all            0.688 [0.638, 0.738]   2.0 %      15.0 %        7      27,712",
        "placed         0.686 [0.636, 0.736]   2.5 %      22.0 %        2      27,707",
        "missed: share of the cases with the object on which nothing of it was found; left empty: share of the cases without "
        "it on which nothing was predicted",
    ]


def test_a_record_of_before_has_its_dice_alone(read: Callable[..., list[str]]) -> None:
    assert read()[:2] == [
        "arm         test Dice [95 %]  modules  parameters",
        "none    0.658 [0.638, 0.678]        0      27,705",
    ]


def test_an_arm_that_no_stratum_names_and_one_group_have_their_line(read: Callable[..., list[str]]) -> None:
    strata = describe_strata()
    strata["strata"]["with_object"]["arms"]["none"] |= {"low": None, "high": None}
    arms = describe_placement(SITES)["arms"] | {"a long name": make_arm(0.5, 3)}
    lines = read(**strata, arms=arms)
    assert lines[1].split()[:3] == ["none", "0.596", "[unknown]"]
    assert lines[4].split() == ["a", "long", "name", "0.500", "[0.480,", "0.520]", "3", "27,708"]
