"""Test cases one by one: which are named, how their Dice goes with the size of the object, and what the page says of it."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from focalseg.errors import SettingError
from focalseg.evaluation.metrics import Overlap
from focalseg.evaluation.statistics import estimate_mean
from focalseg.report.placement.cases import CaseDice, choose_notable, join_scores
from focalseg.report.placement.page import write_report
from focalseg.report.placement.reading import read_placement_contents
from focalseg.report.placement.sizes import MOST_DOTS, split_by_size
from focalseg.study.running.runs import RunResult
from focalseg.study.running.scores import CaseScore
from report.conftest import CASE_SIZES, dice_of_case
from report.page_reader import Reader

Make = Callable[..., Path]
MINUS = "\N{MINUS SIGN}"
PAIR = ("none", "placed")


def make_result(dice: dict[str, float], *, size: int = 10) -> RunResult:
    """A training with these Dice on its test cases, and others on a validation case that nobody asks for."""

    def score(case: str, value: float, part: str) -> CaseScore:
        overlap = Overlap(dice=value, iou=value, precision=value, recall=value, true_pixels=size, predicted_pixels=9)
        return CaseScore(case=case, group=case[0], part=part, overlaps={"vein": overlap})

    scores = (score("z", 0.0, "validation"), *(score(case, value, "test") for case, value in dice.items()))
    return RunResult(modules=0, parameters=1, flops=1, seconds=1.0, scores=scores)


def make_case(name: str, none: float, placed: float, size: int = 10, fold: int = 0) -> CaseDice:
    dice = {"none": (none, none), "placed": (placed - 0.01, placed + 0.01)}
    return CaseDice(name=name, group=name[0], fold=fold, size=size, dice=dice)


def test_scores_are_joined_case_by_case_over_trainings_folds_and_arms() -> None:
    plain = {0: [make_result({"a": 0.1, "b": 0.2}), make_result({"b": 0.4, "a": 0.3})], 1: [make_result({"c": 0.5}, size=0)]}
    placed = {0: [make_result({"a": 0.9, "b": 0.8})], 1: [make_result({"c": 0.7}, size=0)]}
    cases = join_scores({"none": plain, "placed": placed})
    assert [(case.name, case.group, case.fold, case.size) for case in cases] == [
        ("a", "a", 0, 10),
        ("b", "b", 0, 10),
        ("c", "c", 1, 0),
    ]
    assert cases[1].dice == {"none": (0.2, 0.4), "placed": (0.8,)}
    assert cases[1].mean("none") == pytest.approx(0.3)
    assert cases[1].gain("placed", "none") == pytest.approx(0.5)


@pytest.mark.parametrize(
    "placed",
    [{}, {0: []}, {1: [make_result({"a": 0.1})]}, {0: [make_result({"a": 0.1, "b": 0.2})]}, {0: [make_result({"b": 0.1})]}],
)
def test_arms_that_were_not_tested_on_the_same_cases_are_not_put_beside_each_other(placed: dict[int, list[RunResult]]) -> None:
    assert join_scores({"none": {0: [make_result({"a": 0.1})]}, "placed": placed}) == ()


def test_the_worst_the_best_and_those_that_attention_changes_most_are_named_in_their_order() -> None:
    cases = [make_case(f"c{number}", 0.05 * number, 0.05 * number + (0.1 if number % 2 else -0.1)) for number in range(3, 16)]
    kinds = {kind.title: [case.name for case in kind.cases] for kind in choose_notable(cases, "placed", PAIR)}
    assert list(kinds) == ["Lowest Dice", "Highest Dice", "Attention gains most", "Attention loses most"]
    by_dice = sorted(cases, key=lambda case: case.mean("placed"))
    assert kinds["Lowest Dice"] == [case.name for case in by_dice[:5]]
    assert kinds["Highest Dice"] == [case.name for case in by_dice[::-1][:5]]
    assert {int(name[1:]) % 2 for name in kinds["Attention gains most"]} == {1}
    assert {int(name[1:]) % 2 for name in kinds["Attention loses most"]} == {0}


@pytest.mark.parametrize("count", range(1, 12))
def test_no_case_is_among_the_worst_and_the_best(count: int) -> None:
    kinds = choose_notable([make_case(f"c{number}", 0.5, 0.5) for number in range(count)], "placed", PAIR)
    named = [case.name for kind in kinds for case in kind.cases]
    assert len(named) == len(set(named)) == min(count, 10)
    assert [kind.title for kind in kinds] == ["Lowest Dice", "Highest Dice"][: min(count, 2)]  # nothing gained, nothing lost


@pytest.mark.parametrize("sizes", [(5,), (5, 5, 5, 5, 5, 5), (1, 2, 3, 4, 5, 6, 7), (1, 1, 1, 1, 1, 9), tuple(range(1, 500))])
def test_every_case_with_an_object_is_in_one_part_and_equal_sizes_are_in_the_same(sizes: tuple[int, ...]) -> None:
    cases = [make_case(f"{number}", 0.5, 0.6, size) for number, size in enumerate(sizes)]
    found = split_by_size(cases, PAIR, "pixel")
    assert found is not None
    assert sum(own.cases for own in found.bins) == len(sizes)
    assert len(found.bins) <= 3
    for one, other in itertools.pairwise(found.bins):
        assert one.low <= one.high < other.low <= other.high
    assert found.absent is None
    assert found.chart.count("<use") <= 2 * MOST_DOTS + 40


def test_the_means_and_intervals_of_a_part_are_those_of_the_statistics_of_the_job() -> None:
    generator = np.random.default_rng(0)
    cases = [
        CaseDice(
            name=f"c{number}", group=f"g{number // 2}", fold=0, size=number,
            dice={"none": tuple(generator.random(3)), "placed": tuple(generator.random(3))},
        )
        for number in range(13)
    ]  # fmt: skip
    found = split_by_size(cases, PAIR, "pixel")
    assert found is not None
    assert found.absent is not None
    assert (found.absent.cases, found.absent.low, found.absent.high) == (1, 0, 0)
    first = cases[1:5]
    assert (found.bins[0].low, found.bins[0].high, found.bins[0].cases) == (1, 4, 4)
    tables = {arm: np.array([case.dice[arm] for case in first]).T for arm in PAIR}
    groups = [case.group for case in first]
    for arm in PAIR:
        assert found.bins[0].dice[arm] == estimate_mean(tables[arm], groups, span=(0.0, 1.0))
    assert found.bins[0].gain == estimate_mean(tables["placed"] - tables["none"], groups, span=(-1.0, 1.0))


def test_folds_with_other_numbers_of_trainings_are_averaged_over_them() -> None:
    one = make_case("a", 0.2, 0.4)
    other = CaseDice(name="b", group="b", fold=1, size=10, dice={"none": (0.4,), "placed": (0.6,)})
    found = split_by_size([one, other], PAIR, "voxel")
    assert found is not None
    assert found.bins[0].dice["none"].mean == pytest.approx(0.3)
    assert found.bins[0].gain is not None
    assert found.bins[0].gain.mean == pytest.approx(0.2)


@pytest.mark.parametrize("named", ["placed_runs", "runs"])
def test_arms_are_paired_by_seed_whichever_training_the_lean_network_is_of(
    make_placement: Make, add_scores: Callable[..., None], named: str
) -> None:
    folder = make_placement()
    add_scores(folder)
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    runs = {arm: [f"runs/{arm}/fold_0/seed_{seed}" for seed in (2, 3)] for arm in ("none", "all", "placed")}
    content |= {"runs": runs} if named == "runs" else {"placed_runs": runs["placed"][::-1]}  # the lean one first
    path.write_text(json.dumps(content), encoding="utf-8")
    cases = read_placement_contents(folder).cases
    assert len(cases) == len(CASE_SIZES)
    for number, case in enumerate(cases):
        assert case.dice == {arm: tuple(dice_of_case(arm, number, seed) for seed in (2, 3)) for arm in PAIR}


def test_without_an_object_anywhere_nothing_is_said_of_sizes() -> None:
    assert split_by_size([make_case("a", 1.0, 1.0, 0)], PAIR, "pixel") is None


@pytest.mark.slow
def test_the_page_of_a_job_shows_its_cases(make_placement: Make, add_scores: Callable[..., None]) -> None:
    folder = make_placement()
    add_scores(folder)
    reader = Reader(write_report(folder).read_text(encoding="utf-8"))
    assert min(range(10), key=lambda number: dice_of_case("placed", number, 2)) == 0
    assert "case 0 case group 0 no object 0.005 (0.000 to 0.010) 0.055 (0.050 to 0.060) +0.050" in reader.text
    assert f"case 3 case group 1 90 0.305 (0.300 to 0.310) 0.105 (0.100 to 0.110) {MINUS}0.200" in reader.text
    for title in ("Lowest Dice with placed", "Highest Dice with placed", "Attention gains most", "Attention loses most"):
        assert title in reader.text
    assert "40 to 90 3 0.205 [" in reader.text
    assert "no object 1 0.005 0.055 +0.050" in reader.text  # one group, and so no interval
    chart = [attributes["aria-label"] for _, attributes in reader.elements if "by the size of the object" in str(attributes)]
    assert chart == ["Dice of test cases by the size of the object in pixels"]


@pytest.mark.slow
def test_beside_a_plain_network_stands_attention_everywhere(make_placement: Make, add_scores: Callable[..., None]) -> None:
    folder = make_placement()
    add_scores(folder)
    path = folder / "placement.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["sites"] = [site | {"kept": False} for site in content["sites"]]
    path.write_text(json.dumps(content), encoding="utf-8")
    text = Reader(write_report(folder).read_text(encoding="utf-8")).text
    assert f"Size (pixels) none all all {MINUS} none" in text
    assert "Lowest Dice with none" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "gone", ["runs", "runs/placed", "runs/none/fold_0/seed_2/cases.csv", "runs/placed/fold_0/seed_3/result.json"]
)
def test_where_a_training_left_no_scores_the_page_does_without(
    make_placement: Make, add_scores: Callable[..., None], gone: str
) -> None:
    folder = make_placement()
    add_scores(folder)
    (folder / gone).rename(folder / "elsewhere")
    text = Reader(write_report(folder).read_text(encoding="utf-8")).text
    assert "Lowest Dice" not in text
    assert "by size of the object" not in text
    assert "Attention helps" in text


@pytest.mark.slow
def test_damaged_scores_are_named(make_placement: Make, add_scores: Callable[..., None]) -> None:
    folder = make_placement()
    add_scores(folder)
    path = folder / "runs" / "placed" / "fold_0" / "seed_2" / "cases.csv"
    path.write_text("case,group\n", encoding="utf-8")
    (path.parent / "cases.csv").write_bytes(b"case,group,part,label,dice\nx,y,test,z,much\n")
    with pytest.raises(SettingError, match=re.escape(str(path))):
        write_report(folder)


@pytest.mark.slow
def test_hostile_names_of_cases_are_text_and_nothing_else(make_placement: Make, add_scores: Callable[..., None]) -> None:
    name = "<img src=x onerror=alert(1)></script>\"'&{{ 7*7 }}\N{RIGHT-TO-LEFT OVERRIDE}"
    folder = make_placement()
    add_scores(folder, name)
    page = write_report(folder).read_text(encoding="utf-8")
    reader = Reader(page)
    assert not {tag for tag, _ in reader.elements} & {"script", "img", "iframe", "object"}
    assert name.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "\N{REPLACEMENT CHARACTER}") + " 3" in reader.text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


@pytest.mark.slow
def test_the_page_of_a_run_has_its_best_cases_beside_its_worst(make_run: Make) -> None:
    text = Reader(write_report(make_run()).read_text(encoding="utf-8")).text
    lowest, highest = text.split("Highest Dice")
    assert lowest.rstrip().split("Lowest Dice")[1].split()[:3] == ["case_7", "5", "0.300"]
    assert highest.split()[:3] == ["case_7", "0", "0.800"]
    assert "100 to 102 3 0.700" in text
    assert "Size (pixels) Cases Dice" in text


def test_the_made_sizes_have_one_case_without_an_object() -> None:
    assert CASE_SIZES.count(0) == 1
