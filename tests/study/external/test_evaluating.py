"""A job on another set of images: the verdict there, what is refused, what was seen, and how it goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalseg.comparison.comparing import compare_systems
from focalseg.comparison.reading.opening import open_paths, split_arguments
from focalseg.errors import DataError, Interrupted, SettingError
from focalseg.evaluation.significance import compare_paired, correct_holm
from focalseg.evaluation.statistics import SCORE_SPAN, estimate_mean
from focalseg.inference.loading import load_run
from focalseg.inference.prediction import Member, predict_mask
from focalseg.records.placement import JobRecord
from focalseg.records.record import read_record, write_record
from focalseg.records.result import Result
from focalseg.records.scores.external import ExternalRecord
from focalseg.records.splits import Splits, measure_overlap_of
from focalseg.report.external.page import write_external
from focalseg.study.external import scoring
from focalseg.study.external.evaluating import evaluate_job
from focalseg.study.external.reading import Wanted
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.scores import read_scores
from study.external.conftest import copy_case, write_squares
from study.external.untrained import write_untrained_job

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a set, and beside it a job of two folds that placed different things."""
    folder = tmp_path_factory.mktemp("own")
    data = write_squares(folder / "data", count=15, seed=0, prefix="own")
    write_untrained_job(folder / "job", str(data), placed=({"encoder.0": "se"}, {"skip.0": "ag"}))
    return folder


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another set."""
    return write_squares(tmp_path_factory.mktemp("far") / "far")


@pytest.fixture(scope="module")
def kept(own: Path, far: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an evaluation of that job on that set."""
    out = tmp_path_factory.mktemp("kept") / "out"
    write_external(out, evaluate_job(own / "job", far, out=out, device="cpu", workers=1))
    return out


def evaluate(job, source, **settings):
    return evaluate_job(job, source, device="cpu", workers=1, **settings)


def read_dice(out, arm):
    """Dice (seeds, folds, cases) of an arm, from the tables that it left."""
    tables = [
        [read_scores(out / "runs" / arm / f"fold_{fold}" / f"seed_{seed}" / "cases.csv") for fold in (0, 1)] for seed in (5, 6)
    ]
    return np.array([[[score.dice for score in table] for table in tables_of_seed] for tables_of_seed in tables])


def share_training(job: Path) -> float:
    """The share of groups that the two folds of a job were trained on which they have in common."""
    splits = read_record(Splits, job / "splits.json")
    tested = [fold for fold in splits.folds if fold.fold in (0, 1)]
    one, other = ({splits.groups[case] for case in fold.train} for fold in tested)
    shared = len(one & other) / ((len(one) + len(other)) / 2)
    assert measure_overlap_of(tested, splits.groups) == shared
    return shared


def test_the_verdict_is_what_a_direct_call_of_the_statistics_says_of_the_same_scores(kept: Path, own: Path) -> None:
    record = read_record(ExternalRecord, kept / "external.json")
    none, placed, all_ = (read_dice(kept, arm).reshape(2, -1) for arm in ("none", "placed", "all"))
    names = [f"far_{number}" for number in range(8)]
    groups, folds = names * 2, [0] * 8 + [1] * 8
    overlap = share_training(own / "job")
    assert (record.overlap, record.claim, record.endpoint) == (overlap, "new_data", "dice_with_object")
    found = {
        ("placed", "none"): compare_paired(placed, none, groups, folds, overlap=overlap),
        ("placed", "all"): compare_paired(placed, all_, groups, folds, overlap=overlap),
        ("all", "none"): compare_paired(all_, none, groups, folds, overlap=overlap),
    }
    p_values = {pair: one.p_value for pair, one in found.items()}
    misses = (placed == 0).astype(float), (none == 0).astype(float)
    if np.ptp(misses) > 0:  # what is missed is one more claim
        p_values["missed", ""] = compare_paired(*misses, groups, folds, overlap=overlap).p_value
    holm = correct_holm(p_values)
    assert record.strata["missed"].arms["none"].value == misses[1].mean()
    assert record.strata["with_object"].differences["placed - none"].value == record.difference.dice
    assert set(record.strata) == {"with_object", "missed"}
    assert len(record.comparisons) == len(found)
    for pair, one in found.items():
        listed = record.find_comparison(*pair)
        assert (listed.dice, listed.low, listed.high) == (one.estimate.mean, one.estimate.low, one.estimate.high)
        assert (listed.p_value, listed.permutation_p, listed.holm_p) == (one.p_value, one.permutation_p, holm[pair])
    mean = estimate_mean(placed, groups, folds=folds, span=SCORE_SPAN, overlap=overlap)
    assert (record.arms["placed"].dice, record.arms["placed"].low, record.arms["placed"].high) == (
        mean.mean,
        mean.low,
        mean.high,
    )
    assert (record.cases, record.groups, record.arms["none"].trainings, record.arms["none"].folds) == (8, 8, 2, 2)
    assert np.ptp(none) > 0
    assert record.difference.dice != 0


def test_the_scores_are_those_of_the_saved_networks_by_a_count_of_pixels(kept: Path, own: Path, far: Path) -> None:
    run = load_run(own / "job/runs/all/fold_1/seed_6")
    member = Member(run.network, run.config.preparation)
    tuned = read_record(Result, own / "job/runs/all/fold_1/seed_6/result.json").threshold
    assert read_record(Result, kept / "runs/all/fold_1/seed_6/result.json").threshold == tuned
    for score in read_scores(kept / "runs/all/fold_1/seed_6/cases.csv"):
        image = np.moveaxis(np.asarray(Image.open(far / "images" / f"{score.case}.png")), -1, 0)
        predicted = predict_mask([member], image) > 0
        true = np.asarray(Image.open(far / "masks" / f"{score.case}.png")) > 0
        dice = 2 * (predicted & true).sum() / (predicted.sum() + true.sum())
        assert score.dice == pytest.approx(dice, abs=5e-7)
        predicted = predict_mask([member], image, threshold=tuned) > 0  # on the job's own validation cases, and not here
        dice = 2 * (predicted & true).sum() / (predicted.sum() + true.sum())
        assert score.average("tuned_dice") == pytest.approx(dice, abs=5e-7)


def test_compare_says_the_same_of_the_scores_that_are_kept(kept: Path) -> None:
    opened = open_paths(split_arguments([str(kept / "runs/none"), str(kept / "runs/placed")]))
    pair = compare_systems(opened.systems, opened.settings, notes=opened.notes).record.comparisons[0]
    record = read_record(ExternalRecord, kept / "external.json")
    assert (pair.difference.mean, pair.difference.low, pair.difference.high) == pytest.approx(
        (record.difference.dice, record.difference.low, record.difference.high), abs=1e-12
    )


def test_on_copies_of_its_own_test_cases_a_job_finds_what_it_found(tmp_path: Path) -> None:
    data = write_squares(tmp_path / "data", count=15, seed=0, prefix="own")
    job = write_untrained_job(tmp_path / "job", str(data))
    for name in read_record(Splits, job / "splits.json").folds[0].test:
        copy_case(name, data, tmp_path / "again", called=f"x_{name}")
    found = evaluate(job, tmp_path / "again", out=tmp_path / "out").record
    record = read_record(JobRecord, job / "placement.json")
    assert found.difference == record.difference
    assert {name: arm.dice_per_training for name, arm in found.arms.items()} == {
        name: arm.dice_per_training for name, arm in record.arms.items()
    }
    assert any("are some of the job's own test cases" in note for note in found.notes)
    tables = [read_scores(place / "runs/placed/fold_0/seed_5/cases.csv") for place in (tmp_path / "out", job)]
    ours, theirs = ([(one.dice, one.predicted_pixels, one.tuned) for one in table if one.part == "test"] for table in tables)
    assert ours == theirs


def test_where_nothing_was_placed_all_against_none_is_what_is_asked(tmp_path: Path, far: Path) -> None:
    data = write_squares(tmp_path / "data", count=15, seed=0, prefix="own")
    job = write_untrained_job(tmp_path / "job", str(data), placed=({},))
    record = evaluate(job, far).record
    assert record.same_networks
    assert record.verdict == "no_difference_shown"
    assert record.difference.dice == 0
    assert record.sentence.startswith("Nothing was placed: placed and none are the same networks")
    assert "attention at all 3 sites" in record.sentence
    assert record.agreement.startswith("On the job's own test cases all minus none was ")
    gap = record.find_comparison("all", "none").dice
    assert max(abs(case.difference) for case in record.extremes) > 0
    assert f"and here {gap:+.3f}" in record.agreement


def test_what_is_kept_is_not_computed_again_and_what_was_lost_or_altered_is(
    kept: Path, own: Path, far: Path, monkeypatch
) -> None:
    before = (kept / "external.json").read_bytes()
    scored = []
    score = scoring.score
    monkeypatch.setattr(
        scoring, "score", lambda plan, advance: (scored.append(plan.places[0].as_posix()), score(plan, advance))
    )
    evaluate(own / "job", far, out=kept)
    assert scored == []
    altered, lost = (kept / "runs/none" / place for place in ("fold_0/seed_5", "fold_1/seed_6"))
    altered.joinpath("cases.csv").write_text(altered.joinpath("cases.csv").read_text().replace("0.", "0.9", 1))
    lost.joinpath("result.json").unlink()
    write_external(kept, evaluate(own / "job", far, out=kept))
    assert scored == [altered.as_posix(), lost.as_posix()]
    assert (kept / "external.json").read_bytes() == before


def test_a_stopped_evaluation_goes_on_where_it_was(own: Path, far: Path, tmp_path: Path, monkeypatch) -> None:
    score, scored = scoring.score, []

    def stop_at_third(plan, advance):
        if len(scored) == 2:
            raise Interrupted(15)
        scored.append(plan)
        score(plan, advance)

    monkeypatch.setattr(scoring, "score", stop_at_third)
    with pytest.raises(Interrupted):
        evaluate(own / "job", far, out=tmp_path / "out")
    monkeypatch.setattr(scoring, "score", lambda plan, advance: (scored.append(plan), score(plan, advance)))
    evaluate(own / "job", far, out=tmp_path / "out")
    assert len(scored) == len({plan.places for plan in scored}) == 12


def test_changed_images_are_scored_anew_and_a_folder_keeps_to_its_set(own: Path, tmp_path: Path, another) -> None:
    data, out = another(), tmp_path / "out"
    first = evaluate(own / "job", data, out=out).record
    image = data / "images/far_0.png"
    Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    assert evaluate(own / "job", data, out=out).record.arms != first.arms
    with pytest.raises(SettingError, match=r"was made with other settings \(see .*: data\); give another --out"):
        evaluate(own / "job", another("other", seed=2), out=out)
    evaluate(own / "job", tmp_path / "other", out=tmp_path / "new")


def test_without_a_folder_nothing_is_written(own: Path, far: Path, kept: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
    found = evaluate(own / "job", far)
    assert found.record == read_record(ExternalRecord, kept / "external.json")
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before
    assert list(tmp_path.iterdir()) == []


def test_cases_that_were_trained_on_are_refused_by_name_and_left_out_when_asked(own: Path, tmp_path: Path, another) -> None:
    data = another()
    learned = read_record(Splits, own / "job/splits.json").folds[0].train
    copy_case(learned[0], own / "data", data, called="copy")
    near = np.asarray(Image.open(own / "data/images" / f"{learned[1]}.png")).astype(int) + 3
    copy_case(learned[1], own / "data", data, called="near")
    Image.fromarray(near.clip(0, 255).astype(np.uint8)).save(data / "images/near.png")
    with pytest.raises(DataError) as raised:
        evaluate(own / "job", data, out=tmp_path / "out")
    assert raised.value.faults == tuple(
        f"{data / 'images' / name}.png: is the same image as {other} of the job, or nearly so, which the networks were trained "
        "or chosen on; expected images that they never saw. Take it out of the set, or add --leave-out-seen, which scores the "
        "others alone."
        for name, other in (("copy", learned[0]), ("near", learned[1]))
    )
    assert not (tmp_path / "out").exists()
    found = evaluate(own / "job", data, wanted=Wanted(leave_out_seen=True)).record
    assert found.cases == 8
    assert set(found.left_out) == {"copy", "near"}
    assert any(note.startswith("2 cases left out: copy is or is nearly") for note in found.notes)
    together = Wanted(leave_out_seen=True, groups=str(_write_groups(tmp_path / "groups.csv", data)))
    with pytest.raises(DataError, match="all 10 cases are those of the job, .*, or belong together with some"):
        evaluate(own / "job", data, wanted=together)


def _write_groups(path: Path, data: Path) -> Path:
    """Everything in one group."""
    names = sorted(image.stem for image in (data / "images").iterdir())
    path.write_text("case,group\n" + "".join(f"{name},one\n" for name in names))
    return path


def test_without_the_jobs_own_images_exact_copies_are_still_found(tmp_path: Path, far: Path) -> None:
    data = write_squares(tmp_path / "data", count=15, seed=0, prefix="own")
    job = write_untrained_job(tmp_path / "job", str(data), seeds=1)
    learned = read_record(Splits, job / "splits.json").folds[0].train[0]
    for name in ("far_0", "far_1"):
        copy_case(name, far, tmp_path / "mixed")
    copy_case(learned, data, tmp_path / "mixed", called="copy")
    data.rename(tmp_path / "moved")
    notes = []
    with pytest.raises(DataError, match=f"copy.png: is the same image as {learned} of the job"):
        evaluate(job, tmp_path / "mixed")
    record = evaluate(
        job, tmp_path / "mixed", wanted=Wanted(leave_out_seen=True), listeners=Listeners(tell=notes.append)
    ).record
    assert record.cases == 2
    assert any("only exact copies of them could be looked for" in note for note in notes)


def test_a_job_that_lacks_a_training_is_refused_with_what_to_do(own: Path, far: Path, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "data", count=15, seed=0, prefix="own")
    job = write_untrained_job(tmp_path / "job", str(data), seeds=1)
    hidden = job / "runs/none/fold_0/seed_5/result.json"
    hidden.rename(tmp_path / "result.json")
    with pytest.raises(SettingError, match=r"runs/none holds 0 finished trainings; expected the 1 that placement"):
        evaluate(job, far)
    (tmp_path / "result.json").rename(hidden)
    assert evaluate(job, far).record.cases == 8
    weights = job / "runs/all/fold_0/seed_5/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(SettingError, match="is not as it was written"):
        evaluate(job, far)


def test_the_record_says_what_the_job_said(kept: Path, own: Path) -> None:
    record, job = read_record(ExternalRecord, kept / "external.json"), read_record(JobRecord, own / "job/placement.json")
    assert record.own.difference == job.difference
    assert record.own.sentence == job.sentence
    assert record.own.arms["all"].estimate == job.arms["all"].estimate
    assert record.find_own("placed", "all") == job.find_comparison("placed", "all")
    written = json.loads((kept / "external.json").read_text())
    write_record(kept.parent / "again.json", record)
    assert json.loads((kept.parent / "again.json").read_text()) == written
