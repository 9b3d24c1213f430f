"""What the page of a job says of distances, and its methods paragraph: every number is one of the files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from focalseg.report.placement.page import write_report
from focalseg.study.presets import build_settings
from focalseg.yaml_files import write_yaml
from report.page_reader import Reader

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
MINUS = "\N{MINUS SIGN}"


def make_distances(number: int, unit: str = "mm", tolerance: float = 2.0) -> dict[str, Any]:
    interval = {"mean": number + 0.5, "low": number + 0.25, "high": number + 0.75}
    nsd = {"mean": 0.9 - number / 10, "low": 0.8 - number / 10, "high": 0.95 - number / 10}
    return {"nsd": nsd, "hd95": interval, "assd": interval | {"high": None}, "tolerance": tolerance, "unit": unit}


def add_distances(job: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The same with distances of every arm, and differences in HD95 of those that have some."""
    for number, arm in enumerate(job["arms"].values()):
        arm["distances"] = make_distances(number, **options)
    job["distance_differences"] = [
        {"one": one, "other": "none", "score": score, "mean": -1.125, "low": -2.0, "high": 0.5, "p_value": 0.25}
        for one in ("placed", "all")
        for score in ("nsd", "hd95", "assd")
    ]
    return job


def read(folder: Path) -> str:
    return Reader(write_report(folder).read_text(encoding="utf-8")).text


def test_distances_stand_with_their_intervals_unit_and_tolerance(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**add_distances(made_job)))
    assert "HD95, mm ASSD, mm" in text
    assert "all 0.800 [0.700, 0.850] 1.500 [1.250, 1.750] 1.500 [1.250, unknown]" in text
    difference = f"{MINUS}1.125 [{MINUS}2.000, +0.500]"
    assert f"placed {MINUS} none {difference} {difference} {difference}" in text
    assert text.index(f"placed {MINUS} none {difference}") < text.index(f"all {MINUS} none {difference}")
    assert "the share of both surfaces that lies within 2 mm of the other" in text
    assert "where one is, the NSD is 0 and the distances are the diagonal of the image" in text
    assert "The verdict rests on Dice: differences in these are secondary" in text


def test_the_methods_name_the_endpoint_the_kinds_of_cases_the_looks_and_the_bound_on_failures(
    make_placement: Make, made_job: dict[str, Any], made_strata: dict[str, Any]
) -> None:
    made_job["non_inferiority"] |= {"failing": 0, "groups": 28, "failing_at_most": 0.123}
    text = read(make_placement(**{**made_job, **made_strata}))
    methods = text[text.index("For a paper") :]
    for told in (
        "The endpoint, fixed beforehand, was the Dice of a test case at its own resolution, averaged over the cases that have "
        "the object and over trainings",
        "the share of these cases of which no pixel was found (missed)",
        "Of the 51 test cases without the object the share on which nothing was predicted is given apart",
        "at a threshold that was tuned for each training on its validation cases",
        "that up to 12 % of such groups do (exact, Clopper-Pearson)",
        "two folds share 62 % of their training groups",
        "This is the second look at the test scores.",
    ):
        assert told in methods


def test_pixels_are_said_to_be_since_no_spacing_is_stated(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**add_distances(made_job, unit="pixels", tolerance=1.0)))
    assert "within 1 pixel of the other" in text
    assert "The images state no spacing." in text
    assert "lengths are in pixels, since the images state no spacing." in text


def test_arms_that_collapsed_are_not_compared_by_distances_either(make_placement: Make, made_job: dict[str, Any]) -> None:
    add_distances(made_job)
    for comparison in made_job["comparisons"]:
        comparison["collapsed"] = (comparison["one"], comparison["other"]) == ("all", "none")
    text = read(make_placement(**made_job))
    assert f"all {MINUS} none not compared: most trainings of one of the two ended predicting nothing" in text
    assert f"placed {MINUS} none {MINUS}1.125" in text


def test_a_job_without_distances_says_nothing_of_them(make_placement: Make, made_job: dict[str, Any]) -> None:
    text = read(make_placement(**made_job))
    assert "HD95" not in text
    assert "Distances between surfaces" not in text
    assert "Secondary scores were IoU, precision and recall. Empty masks of a label: two empty masks score 1" in text


def test_the_methods_paragraph_says_what_was_done(make_placement: Make, made_job: dict[str, Any]) -> None:
    folder = make_placement(**add_distances(made_job))
    settings = build_settings("quick", {"training": {"steps": 432}, "loss": {"delta": 0.7}})
    body = re.sub("^", "  ", write_yaml(settings), flags=re.MULTILINE)
    (folder / "config.yaml").write_text(f"settings:\n{body}\n", encoding="utf-8")
    record = json.loads((folder / "placement.json").read_text())
    text = read(folder)
    for said in (
        "for 432 steps of 12 cases by AdamW",
        "Unified Focal loss (Yeung et al. 2022; asymmetric, overlap weight 0.5, delta 0.7, gamma 0.5)",
        f"at all {len(record['sites'])} candidate sites (all)",
        "placed: SE at encoder.0; the skips skip.0 shut",
        "besides wider plain network, no attention, as many sites at random, SE everywhere and of_old",
        "There were 2 trainings per arm and fold that differ in their seed",
        "Sites were chosen by the policy removal of focalseg on validation cases alone",
        "HD95: the larger of the two directed 95th percentiles of the distances between the surfaces, in mm",
        "lengths are in mm, by the spacing that the images state",
        "(the policy `one` of focalseg.metrics)",
        "The p-values of the 9 comparisons of Dice were adjusted (Holm)",
        "with a margin of 0.01 Dice (one-sided, 2.5 %)",
    ):
        assert said in text, said


def test_settings_of_another_version_cost_the_paragraph_no_more_than_what_they_say(
    make_placement: Make, made_job: dict[str, Any]
) -> None:
    folder = make_placement(**made_job)
    (folder / "config.yaml").write_text("settings: {tomorrow: 1}\n", encoding="utf-8")
    text = read(folder)
    assert "steps of" not in text
    assert "The endpoint was the Dice of a test case at its own resolution" in text
