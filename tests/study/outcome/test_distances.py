"""Distances among the scores of a job: means and differences against the statistics themselves, and what cannot be said."""

import re

import numpy as np
import pytest

from focalseg.evaluation.significance import measure_difference
from focalseg.evaluation.statistics import estimate_mean
from focalseg.records.placement import JobRecord
from focalseg.records.record import read_record, write_record
from focalseg.study.outcome.distances import compare_distances, summarise_distances
from focalseg.study.outcome.summary import judge, record_results
from study.made_up import make_result, make_score
from study.outcome.test_summary import CASES, FOLD_OF_CASE, NONE, findings

GROUPS = ["a", "a", "b", "c", "d", "d", "e"]
GROUP_OF = dict(zip("abcdefg", GROUPS, strict=True))
HD95 = {
    arm: [np.random.default_rng((number, fold)).exponential(5, (3, len(cases))) for fold, cases in enumerate(CASES)]
    for number, arm in enumerate(("none", "all", "placed"))
}


def arm(name, *, measured=True, dice=NONE, group=GROUP_OF.get):
    """Results by fold and seed with the Dice and the HD95 of an arm."""
    return [
        [
            make_result(
                [
                    *(
                        make_score(case, float(value), group=group(case), hd95=float(far) if measured else None)
                        for case, value, far in zip(cases, values, distances, strict=True)
                    ),
                    make_score("v", 0.5, part="validation"),
                ]
            )
            for values, distances in zip(dice[fold], HD95[name][fold], strict=True)
        ]
        for fold, cases in enumerate(CASES)
    ]


FORMULAS = {"nsd": lambda far: 1 / (1 + far), "hd95": lambda far: far, "assd": lambda far: far / 4}


@pytest.mark.parametrize("score", list(FORMULAS))
def test_means_and_differences_are_those_of_the_statistics(score):
    arms = {name: arm(name) for name in HD95}
    tables = {name: FORMULAS[score](np.hstack(folds)) for name, folds in HD95.items()}
    for name, table in tables.items():
        summary = summarise_distances(arms[name])
        expected = estimate_mean(table, GROUPS, folds=FOLD_OF_CASE, span=(0, 1) if score == "nsd" else (0, np.inf))
        found = getattr(summary, score)
        assert (found.mean, found.low, found.high) == (expected.mean, expected.low, expected.high)
        assert (summary.tolerance, summary.unit) == (2.0, "mm")
    differences = [one for one in compare_distances(arms) if one.score == score]
    assert [(one.one, one.other) for one in differences] == [("placed", "none"), ("all", "none")]
    for one in differences:
        expected = measure_difference(tables[one.one], tables["none"], GROUPS, FOLD_OF_CASE, span=(-np.inf, np.inf))
        assert one.mean == pytest.approx(float((tables[one.one] - tables["none"]).mean()))
        assert one.p_value == expected.p_value
        if score != "nsd":
            assert (one.low, one.high) == (expected.estimate.low, expected.estimate.high)


def test_the_verdict_rests_on_dice_whatever_the_distances_are():
    gains = {"none": 0.0, "all": 0.02, "placed": 0.03}
    with_distances, without = (
        findings(
            **{
                name: arm(name, measured=measured, dice=[table + gain * table**2 for table in NONE])
                for name, gain in gains.items()
            }
        )
        for measured in (True, False)
    )
    assert judge(with_distances) == judge(without)
    records = [record_results(judge(one), one) for one in (with_distances, without)]
    assert records[0].arms["placed"].distances.unit == "mm"
    assert len(records[0].distance_differences) == 6
    assert records[1].arms["placed"].distances is None
    assert records[1].distance_differences == ()
    assert records[0].difference == records[1].difference


def test_one_group_bounds_no_distance_and_the_record_of_it_reads_back(tmp_path):
    results = findings(**{name: arm(name, group=lambda _: "one") for name in HD95})
    record = record_results(judge(results), results)
    distances = record.arms["none"].distances
    assert (distances.hd95.low, distances.hd95.high) == (0, None)
    assert (distances.nsd.low, distances.nsd.high) == (0, 1)
    assert {(one.low, one.high) for one in record.distance_differences if one.score != "nsd"} == {(None, None)}
    write_record(tmp_path / "placement.json", record)
    assert read_record(JobRecord, tmp_path / "placement.json") == record


def test_runs_that_measured_no_distances_or_in_another_unit_have_no_mean():
    arms = {name: arm(name, measured=name != "placed") for name in HD95}
    assert summarise_distances(arms["placed"]) is None
    assert {one.one for one in compare_distances(arms)} == {"all"}
    score = arms["none"][0][0].scores[0]
    object.__setattr__(score.distances["foreground"], "unit", "pixels")
    assert summarise_distances(arms["none"]) is None
    assert not list(compare_distances(arms))


def test_in_a_line_every_distance_has_its_interval_and_its_unit():
    told = str(summarise_distances(arm("none")))
    assert re.fullmatch(
        r"NSD 0\.\d{3} \[0\.\d{3}, \d\.\d{3}\] at a tolerance of 2 mm, HD95 [\d.]+ \[[\d.]+, [\d.]+\] mm, "
        r"ASSD [\d.]+ \[[\d.]+, [\d.]+\] mm",
        told,
    )
