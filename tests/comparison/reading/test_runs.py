"""Jobs and runs of ours: `compare` gives what `place` found, to the last digit."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comparison.reading.test_nnunet import compare_paths, refuse
from focalseg.files import write_text
from focalseg.records.outcome.claims import Looks
from focalseg.records.placement import Collapsed, JobRecord, Placement
from focalseg.records.record import write_record
from focalseg.records.result import Result
from focalseg.records.seals import hash_file
from focalseg.records.site_decision import SiteDecision
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.summary import judge, record_results
from focalseg.study.running.runs import RunResult, read_result
from focalseg.study.running.scores import CaseScore, format_scores
from study.made_up import make_score

FOLDS, SEEDS = (0, 3, 10), (7, 8, 9)
HARDNESS = np.random.default_rng(5).uniform(0.3, 0.9, (len(FOLDS), 8))
WORDS = {"helps": "better", "harms": "worse", "no_difference_shown": "no_difference_shown"}


def site(*, kept: bool) -> SiteDecision:
    return SiteDecision(site="bottleneck", gate="se", gamma=1.0, removal_cost=0.0, spread=0.1, kept=kept, why="so")


def write_run(folder: Path, scores: list[CaseScore], *, modules: int) -> None:
    """The files of a finished training that its scores are read from."""
    write_text(folder / "cases.csv", format_scores(scores))
    files = {"cases.csv": hash_file(folder / "cases.csv")}
    write_record(folder / "result.json", Result(modules=modules, parameters=1, flops=1, seconds=1.0, files=files))


def make_scores(number: int, seed: int, shift: float, *, predicted: int = 10) -> list[CaseScore]:
    """Test scores of a fold's cases in groups of two, after one of validation."""
    random = np.random.default_rng((number, seed, round(1000 * (shift + 1))))
    dice = np.clip(HARDNESS[number] + shift + random.normal(0, 0.03, 8), 0, 1)
    return [
        make_score("v", 0.5, part="validation", predicted=predicted),
        *(
            make_score(
                f"case {number}.{case}",
                float(value),
                group=f"=group {number}.{case // 2}",
                hd95=20 * (1 - float(value)) + random.exponential(),
            )
            for case, value in enumerate(dice)
        ),
    ]


def write_job(
    out: Path,
    *,
    shift: float,
    shared: bool = False,
    placed: tuple[bool, ...] = (True, True, True),
    silent: int = 0,
    named: bool = True,
) -> JobRecord:
    """A finished job without its networks, and what `place` says of it. placed: by fold, whether any site was kept.

    Of a fold where none was, the runs of the plain network are those of the placed one, which then has no folder.
    shared: whether every fold tests the same cases. silent: of how many trainings of the placed network nothing is predicted.
    named: whether the record names the trainings of every arm, as those of earlier versions do not.
    """
    runs: dict[str, list[str]] = {}
    arms: dict[str, list[list[RunResult]]] = {"none": [], "all": [], "placed": []}
    for number, (fold, kept) in enumerate(zip(FOLDS, placed, strict=True)):
        for arm, gain, modules in (("none", 0.0, 0), ("all", 0.01, 7), ("placed", shift, 1)):
            source = "none" if arm == "placed" and not kept else arm
            results = []
            for place, seed in enumerate(SEEDS):
                folder = out / "runs" / source / f"fold_{fold}" / f"seed_{seed}"
                mute = arm == "placed" and number * len(SEEDS) + place < silent
                if source == arm:
                    scores = make_scores(number, seed, gain, predicted=0 if mute else 10)
                    if shared:  # an official test part, which every fold tests
                        scores = [
                            replace(one, case=one.case.replace(f" {number}.", " "), group=one.case.split(".")[-1])
                            for one in scores
                        ]
                    write_run(folder, scores, modules=modules)
                results.append(read_result(folder))
                runs.setdefault(arm, []).append(folder.relative_to(out).as_posix())
            arms[arm].append(results)
    placements = tuple(Placement(policy="removal", sites=(site(kept=kept),)) for kept in placed)
    results = JobResult(
        arms=arms, folds=FOLDS, placements=placements, agreed=placements[0], candidates=7, search=Collapsed(0, 6)
    )
    known = {arm: tuple(folders) for arm, folders in runs.items()} if named else {}
    record = record_results(judge(results), results, runs=known)
    write_record(out / "placement.json", record)
    return record


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.004, 0.15])
def test_two_arms_give_the_verdict_of_place_to_the_last_digit(tmp_path, shift):
    record = write_job(tmp_path / "out", shift=shift)
    found = compare_paths(tmp_path / "out" / "runs" / "none", tmp_path / "out" / "runs" / "placed", groups=None)
    pair, placed = found.comparisons[0], record.find_comparison("placed", "none")
    assert pair.verdict == WORDS[record.verdict]
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == tuple(vars(record.difference).values())
    assert (pair.p_value, pair.smallest_difference) == (placed.p_value, placed.smallest_difference)
    for name in ("none", "placed"):
        arm = record.arms[name]
        assert (found.systems[name].mean, found.systems[name].low, found.systems[name].high) == (arm.dice, arm.low, arm.high)
        assert (found.systems[name].cases, found.systems[name].groups) == (arm.cases, arm.groups)
        assert (found.systems[name].folds, found.systems[name].trainings) == (arm.folds, arm.trainings)
    assert found.systems["none"].seed_noise == record.seed_noise
    assert not found.left_out


@pytest.mark.parametrize("arm", ["placed", "all"])
@pytest.mark.parametrize("score", ["nsd", "hd95", "assd"])
def test_distances_give_the_differences_of_place_to_the_last_digit(tmp_path, arm, score):
    record = write_job(tmp_path / "out", shift=0.15, placed=(True, False, True))
    found = compare_paths(tmp_path / "out" / "runs" / "none", tmp_path / "out" / "runs" / arm, groups=None, metric=score)
    pair = found.comparisons[0]
    (expected,) = (one for one in record.distance_differences if (one.one, one.other, one.score) == (arm, "none", score))
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == (expected.mean, expected.low, expected.high)
    assert pair.p_value == expected.p_value
    assert expected.mean != 0
    for name in ("none", arm):
        mean = getattr(record.arms[name].distances, score)
        assert found.systems[name].mean == mean.mean
        assert found.systems[name].high == mean.high


def test_an_official_test_part_that_every_fold_tests_counts_as_often(tmp_path):
    record = write_job(tmp_path / "out", shift=0.05, shared=True)
    found = compare_paths(tmp_path / "out", groups=None)
    difference = found.comparisons[0].difference
    assert (difference.mean, difference.low, difference.high) == tuple(vars(record.difference).values())
    assert found.comparisons[0].p_value == record.find_comparison("placed", "none").p_value
    assert found.systems["none"].groups == record.arms["none"].groups == 8


def test_a_job_that_is_not_finished_is_told_with_its_arms(tmp_path):
    write_job(tmp_path / "out", shift=0.15)
    (tmp_path / "out" / "placement.json").unlink()
    told = refuse(tmp_path / "out", tmp_path / "out" / "runs" / "none", groups=None)
    assert "out: has no placement.json, so that it is not finished" in told
    assert f"such as {tmp_path / 'out' / 'runs' / 'all'}" in told


def test_a_job_alone_is_what_it_placed_beside_the_plain_network(tmp_path):
    record = write_job(tmp_path / "out", shift=0.15)
    found = compare_paths(tmp_path / "out", groups=None)
    assert (found.comparisons[0].one, found.comparisons[0].other) == ("none", "placed")
    assert found.comparisons[0].difference.mean == record.difference.dice


def test_of_two_jobs_what_they_placed_is_compared(tmp_path):
    for name, shift in (("first", 0.0), ("second", 0.15)):
        write_job(tmp_path / name, shift=shift)
    found = compare_paths(tmp_path / "first", tmp_path / "second", groups=None)
    assert list(found.systems) == ["first", "second"]
    assert found.comparisons[0].verdict == "better"


@pytest.mark.parametrize("placed", [(True, False, True), (False, False, False)])
def test_a_fold_where_nothing_was_placed_is_the_plain_network(tmp_path, placed):
    record = write_job(tmp_path / "out", shift=0.15, placed=placed)
    found = compare_paths(tmp_path / "out" / "runs" / "none", tmp_path / "out" / "runs" / "placed", groups=None)
    difference = found.comparisons[0].difference
    assert (difference.mean, difference.low, difference.high) == tuple(vars(record.difference).values())
    assert found.comparisons[0].verdict == WORDS[record.verdict]


@pytest.mark.parametrize(("silent", "verdict"), [(4, "better"), (5, "no_difference_shown")])
def test_trainings_that_predict_nothing_count_as_place_counts_them(tmp_path, silent, verdict):
    record = write_job(tmp_path / "out", shift=0.15, silent=silent)
    found = compare_paths(tmp_path / "out" / "runs" / "none", tmp_path / "out" / "runs" / "placed", groups=None)
    assert found.comparisons[0].verdict == WORDS[record.verdict] == verdict


def test_single_runs_and_their_tables_are_systems_as_well(tmp_path):
    write_job(tmp_path / "out", shift=0.15)
    runs = [tmp_path / "out" / "runs" / arm / "fold_0" / "seed_7" for arm in ("none", "placed")]
    by_folder = compare_paths(*runs, groups=None)
    assert list(by_folder.systems) == ["none/fold_0/seed_7", "placed/fold_0/seed_7"]
    by_table = compare_paths(*(run / "cases.csv" for run in runs), groups=None)
    assert by_table.comparisons[0].difference == by_folder.comparisons[0].difference
    assert by_folder.systems["none/fold_0/seed_7"].cases == 8


def test_a_run_that_is_not_finished_or_was_altered_is_refused(tmp_path):
    write_job(tmp_path / "out", shift=0.15)
    none, placed = (tmp_path / "out" / "runs" / arm for arm in ("none", "placed"))
    (placed / "fold_0" / "seed_7" / "result.json").unlink()
    cases = none / "fold_3" / "seed_8" / "cases.csv"
    cases.write_text(cases.read_text().replace(",0.5", ",0.6", 1))
    faults = refuse(none, placed, groups=None).splitlines()
    assert len(faults) == 2
    assert "cases.csv" in faults[0]
    assert "seed_7: is not finished; expected result.json, which a training leaves last." in faults[1]


@pytest.mark.parametrize("arm", ["none", "placed"])
def test_a_training_of_a_job_that_is_gone_is_missed(tmp_path, arm):
    write_job(tmp_path / "out", shift=0.15)
    shutil.rmtree(tmp_path / "out" / "runs" / arm / "fold_0" / "seed_7")
    assert f"{arm}/fold_0/seed_7: is not finished" in refuse(tmp_path / "out", groups=None)


def test_a_run_without_test_cases_is_refused(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, make_scores(0, 1, 0.0)[:1], modules=0)
    assert "has no test cases" in refuse(tmp_path / "a", tmp_path / "b", groups=None)


def test_two_arms_are_held_to_the_family_of_claims_of_their_job(tmp_path):
    """A p-value that is small among two arms need not be among all that the job could claim."""
    record = write_job(tmp_path / "out", shift=0.15)
    arms = [tmp_path / "out" / "runs" / arm for arm in ("none", "placed")]
    pair = compare_paths(*arms, groups=None).comparisons[0]
    assert (pair.verdict, pair.holm_p) == ("better", record.find_comparison("placed", "none").holm_p)
    comparisons = tuple(replace(one, holm_p=0.2) for one in record.comparisons)
    write_record(tmp_path / "out" / "placement.json", replace(record, comparisons=comparisons))
    found = compare_paths(*arms, groups=None)
    assert (found.comparisons[0].verdict, found.comparisons[0].holm_p) == ("no_difference_shown", 0.2)
    assert "Adjusted for all comparisons p = 0.200: among so many, one such difference may be luck." in found.sentence
    assert "adjusted for all that its job could claim (Holm)" in found.methods
    others = compare_paths(*arms, groups=None, metric="hd95").comparisons[0]
    assert (others.verdict, others.holm_p < 0.05) == ("better", True)  # of another score the job says nothing


def test_two_arms_are_held_to_the_looks_at_their_job(tmp_path):
    record = write_job(tmp_path / "out", shift=0.15)
    arms = [tmp_path / "out" / "runs" / arm for arm in ("none", "placed")]
    once = compare_paths(*arms, groups=None).comparisons[0].difference
    write_record(tmp_path / "out" / "placement.json", replace(record, looks=Looks(taken=2, tail=0.005)))
    found = compare_paths(*arms, groups=None)
    twice = found.comparisons[0].difference
    assert (twice.mean, found.looks.taken) == (once.mean, 2)
    assert twice.low < once.low
    assert ", 99 % interval " in found.sentence
    assert "These scores were looked at 2 times" in found.methods


def test_the_overlap_and_the_claim_of_a_job_are_its_records(tmp_path):
    record = write_job(tmp_path / "out", shift=0.15)
    arms = [tmp_path / "out" / "runs" / arm for arm in ("none", "placed")]
    write_record(tmp_path / "out" / "placement.json", replace(record, overlap=0.5))
    usual, asked = (compare_paths(*arms, groups=None, claim=claim) for claim in (None, "data_set"))
    assert (usual.claim, usual.overlap, asked.overlap) == ("new_data", 0.5, 0.0)
    assert "50 % of what they were trained on in common, and" in usual.methods
    write_record(tmp_path / "out" / "placement.json", replace(record, overlap=0.5, claim="data_set"))
    assert compare_paths(*arms, groups=None).claim == "data_set"
    assert asked.comparisons[0].difference == compare_paths(*arms, groups=None).comparisons[0].difference


def test_what_a_job_says_of_each_kind_of_case_is_what_compare_says(tmp_path):
    record = write_job(tmp_path / "out", shift=0.15)
    found = compare_paths(tmp_path / "out" / "runs" / "none", tmp_path / "out" / "runs" / "placed", groups=None)
    assert found.endpoint == record.endpoint == "dice_with_object"
    assert list(found.strata) == list(record.strata)
    for name, stratum in found.strata.items():
        for arm in ("none", "placed"):
            assert stratum.arms[arm] == record.strata[name].arms[arm]
        ours, theirs = (one.differences["placed - none"] for one in (stratum, record.strata[name]))
        assert (ours.value, ours.low, ours.high, ours.p_value) == (theirs.value, theirs.low, theirs.high, theirs.p_value)
