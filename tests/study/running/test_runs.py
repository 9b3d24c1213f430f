"""One run: when it is finished, what is scored, and what its evidence stands on."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from focalseg.evaluation.thresholds import GradedMask
from focalseg.imagesets.case import Dataset
from focalseg.labels import THRESHOLDS
from focalseg.records.costs import COSTS
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import PLACEMENT
from focalseg.records.result import CHECKPOINT, RESULT, WEIGHTS
from focalseg.study.arms.design import plan_design
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running import local, runs
from focalseg.study.running.listeners import NOBODY
from focalseg.study.running.runs import CASES, execute, read_evidence, read_result, score_matrix
from focalseg.study.running.scores import read_scores
from focalseg.training.loop import METRICS, Run
from study.earlier import forget_threshold

pytestmark = pytest.mark.slow


@pytest.fixture
def design(make_folder, tiny_settings, tmp_path):
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu")
    return plan_design(ground, tiny_settings, tmp_path / "out", device="cpu", workers=1, listeners=NOBODY)


@pytest.fixture
def plan(design):
    """A run of all sites that is to testify on them."""
    return replace(design.plan_known(design.trainers[0])["all"][0], testifies=True)


def with_dropout(plan):
    """The same run with neurons and sites left out, whose norms are estimated at the end."""
    network = replace(plan.config.network, arguments={**plan.config.network.arguments, "dropout": 0.5})
    training = replace(plan.config.training, exponents="dropout")
    return replace(plan, config=replace(plan.config, network=network, training=training))


@pytest.mark.parametrize("change", [lambda plan: plan, with_dropout])
def test_a_run_that_left_no_evidence_is_completed_from_its_checkpoint_without_training_anew(
    change, plan, tmp_path, monkeypatch
):
    plan = change(plan)
    whole = replace(plan, folder=tmp_path / "whole")
    execute(whole)
    execute(replace(plan, testifies=False))
    assert not (plan.folder / EVIDENCE).exists()
    assert replace(plan, testifies=False).is_finished
    assert not plan.is_finished
    monkeypatch.setattr(Run, "advance", pytest.fail)
    execute(plan)
    assert plan.is_finished
    for name in (EVIDENCE, CASES, WEIGHTS, METRICS):
        assert (plan.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert (plan.folder / COSTS).exists()
    one, other = (replace(read_result(run.folder), seconds=0, step_seconds=None, files={}) for run in (plan, whole))
    assert one == other


def refuse(*_, **__):
    """In place of what is not to be done."""
    pytest.fail("it was done all the same")


def give_to_earlier(plan):
    """Finishes a run and makes it one of an earlier version; the files as this version left them."""
    execute(plan)
    files = {path.name: path.read_bytes() for path in plan.folder.iterdir()}
    forget_threshold(plan.folder)
    assert plan.is_finished
    assert not plan.is_tuned
    return files


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("testifies", [True, False])
def test_a_run_that_an_earlier_version_finished_gets_scores_at_its_tuned_threshold_without_training_anew(
    plan, checkpoint, testifies, monkeypatch
):
    plan = replace(plan, testifies=testifies)
    files = give_to_earlier(plan)
    before = read_result(plan.folder)
    assert before.threshold is None
    assert all(math.isnan(score.average("tuned_dice")) for score in before.scores)
    if not checkpoint:
        (plan.folder / CHECKPOINT).unlink()
        del files[CHECKPOINT]
    monkeypatch.setattr(runs, "train", refuse)
    monkeypatch.setattr(runs, "measure_distances", refuse)
    execute(plan)
    assert plan.is_tuned
    assert {path.name: path.read_bytes() for path in plan.folder.iterdir()} == files
    after = read_result(plan.folder)
    assert after.threshold in THRESHOLDS
    assert [replace(score, tuned={}) for score in after.scores] == list(before.scores)
    assert not np.isnan(score_matrix([after], "test", "tuned_dice")).any()
    assert np.array_equal(score_matrix([after], "test", "tuned_dice"), score_matrix([after.at_tuned], "test", "dice"))


@pytest.mark.parametrize(("at", "number"), [("write_record", 1), ("write_text", 1), ("write_record", 2)])
def test_a_run_that_was_killed_while_it_got_them_gets_them_again_and_needs_no_checkpoint(plan, at, number, monkeypatch):
    execute(plan)
    result, files = read_result(plan.folder), give_to_earlier(plan)
    (plan.folder / CHECKPOINT).unlink()
    monkeypatch.setattr(runs, "train", refuse)
    write, calls = getattr(runs, at), []

    def write_or_die(*given):
        calls.append(given)
        if len(calls) == number:
            raise MemoryError
        write(*given)

    with monkeypatch.context() as killed:
        killed.setattr(runs, at, write_or_die)
        with pytest.raises(MemoryError):
            execute(plan)
    assert plan.is_finished
    assert not plan.is_tuned
    execute(plan)
    assert plan.is_tuned
    for name in (CASES, WEIGHTS, EVIDENCE):
        assert (plan.folder / name).read_bytes() == files[name]
    assert read_result(plan.folder) == result


def test_scores_at_a_threshold_of_one_half_are_those_that_the_earlier_version_kept(plan, monkeypatch):
    give_to_earlier(plan)
    before = read_result(plan.folder)
    monkeypatch.setattr(runs, "tune_threshold", lambda _counts: 0.5)
    # Another machine rounds otherwise, so that a pixel here and there is another.
    monkeypatch.setattr(runs, "predict_graded", lambda _, image, **__: GradedMask(*np.ones((2, *image.shape[1:]), np.uint8)))
    execute(plan)
    after = read_result(plan.folder)
    assert after.threshold == 0.5
    assert [score.tuned for score in after.scores] == [score.overlaps for score in before.scores]


@pytest.mark.parametrize("ended", [True, False])
def test_an_earlier_job_that_is_finished_is_left_alone_and_one_that_goes_on_gets_them(design, plan, ended, monkeypatch):
    give_to_earlier(plan)
    trainer, result = design.trainers[0], (plan.folder / RESULT).read_bytes()
    if ended:
        (trainer.folder / PLACEMENT).touch()
    monkeypatch.setattr(runs, "train", refuse)
    assert trainer.run("again", [plan])[0].threshold == read_result(plan.folder).threshold
    assert plan.is_tuned != ended
    assert ((plan.folder / RESULT).read_bytes() == result) == ended
    with pytest.raises(pytest.fail.Exception):  # what is added to it is trained, and then all of it has the same scores
        trainer.run("more", [plan, replace(plan, folder=plan.folder.with_name("another"))])
    assert plan.is_tuned


def test_a_step_is_timed_by_the_processor_and_not_by_the_clock(plan, monkeypatch):
    update = Run._update

    def wait_and_update(run):
        time.sleep(0.2)  # as where others have the processor
        return update(run)

    monkeypatch.setattr(Run, "_update", wait_and_update)
    execute(replace(plan, testifies=False))
    result = read_result(plan.folder)
    assert result.seconds > 12 * 0.2
    assert 0 < result.step_seconds < 0.2


def test_no_process_is_started_for_runs_that_are_finished(plan, tmp_path, monkeypatch):
    plans = [replace(plan, folder=tmp_path / name) for name in "ab"]
    monkeypatch.setattr(local, "ProcessPoolExecutor", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(pytest.fail.Exception, match="started"):
        local.run_locally(plans, workers=2)
    for one in plans:
        execute(one)
    local.run_locally(plans, workers=2)


def test_a_run_that_left_neither_evidence_nor_checkpoint_is_trained_anew(plan):
    execute(replace(plan, testifies=False))
    weights = (plan.folder / WEIGHTS).read_bytes()
    (plan.folder / CHECKPOINT).unlink()
    execute(plan)
    assert plan.is_finished
    assert (plan.folder / WEIGHTS).read_bytes() == weights


@pytest.mark.parametrize("attention", [{}, {"skip.0": "shut"}])
def test_a_run_without_a_site_to_testify_on_is_finished_without_evidence(plan, attention):
    plan = replace(plan, config=replace(plan.config, attention=attention))
    assert plan.testifies
    execute(plan)
    assert plan.is_finished
    assert not (plan.folder / EVIDENCE).exists()


def test_the_scores_of_parts_that_are_not_scored_are_absent_and_those_cases_are_not_read(plan, monkeypatch):
    read = []
    for kind in find_kinds(Dataset.__subclasses__()):
        if "read_case" in vars(kind):
            monkeypatch.setattr(kind, "read_case", remember(read, kind.read_case))
    plan = replace(plan, scored=("validation",))
    execute(plan)
    result = read_result(plan.folder)
    assert result.scores_of("test") == ()
    assert [score.case for score in result.scores_of("validation")] == list(plan.split.validation)
    assert set(read) == {*plan.split.train, *plan.split.validation}
    assert isinstance(result.collapsed, bool)


def find_kinds(kinds):
    """These classes and all that are made from them."""
    return [one for kind in kinds for one in (kind, *find_kinds(kind.__subclasses__()))]


def remember(names, read):
    """Reads a case and keeps its name."""

    def read_and_tell(dataset, number):
        names.append(dataset.names[number])
        return read(dataset, number)

    return read_and_tell


def test_the_groups_of_the_evidence_are_those_of_the_scores(plan):
    """Also of cases that the split says nothing of, whose group is then that of their data set."""
    named = dict.fromkeys(plan.split.validation[:1], "together")
    plan = replace(plan, groups=named)
    execute(plan)
    scores = [score for score in read_scores(plan.folder / CASES) if score.part == "validation"]
    assert read_evidence(plan.folder).groups == tuple(score.group for score in scores)
    assert scores[0].group == "together"


def test_the_evidence_says_under_which_regime_the_exponents_trained(plan):
    training = replace(plan.config.training, exponents="path")
    plan = replace(plan, config=replace(plan.config, training=training))
    execute(plan)
    evidence = read_evidence(plan.folder)
    assert evidence.exponents == "path"
    assert set(evidence.path[0].open) == set(plan.config.attention)
    # The host stands in for a site that is shut off, and is what it is already.
    gone = [site.site for site in evidence.sites if site.gamma == 0]
    assert gone
    assert all(not any(site.case_costs) for site in evidence.sites if site.site in gone)
