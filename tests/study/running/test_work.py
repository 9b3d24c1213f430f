"""How far a run is, as it is seen from outside."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from focalseg.cli.terminal.progress import describe_left, describe_work
from focalseg.study.arms.design import plan_design
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running import progress_file
from focalseg.study.running.listeners import NOBODY
from focalseg.study.running.progress_file import PROGRESS, SCORING, ProgressFile, read_parts
from focalseg.study.running.runs import execute
from focalseg.study.running.work import Work, measure_work


@pytest.fixture
def plan(make_folder, tiny_settings, tmp_path):
    """A run of all sites that is to testify on them."""
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu")
    design = plan_design(ground, tiny_settings, tmp_path / "out", device="cpu", workers=1, listeners=NOBODY)
    return replace(design.plan_known(design.trainers[0])["all"][0], testifies=True)


@pytest.mark.slow
def test_while_evidence_is_gathered_there_is_always_something_left(plan, monkeypatch):
    seen = [measure_work(plan)]
    write = ProgressFile._write

    def write_and_look(file):
        write(file)
        seen.append(measure_work(plan))

    monkeypatch.setattr(progress_file, "_WRITE_SECONDS", 0)
    monkeypatch.setattr(ProgressFile, "_write", write_and_look)
    execute(plan)
    assert seen[0].done == 0
    assert len(seen) > 10
    assert all(work.steps == work.of_steps == 12 for work in seen[1:])
    assert all(one.done <= other.done < other.total == one.total for one, other in pairwise(seen))
    ended = measure_work(plan)
    assert ended.done == ended.total == seen[0].total
    assert not (plan.folder / PROGRESS).exists()


def test_the_time_left_is_never_none_while_there_is_work_and_counts_what_follows_the_steps():
    before = Work(steps=0, of_steps=100, of_after=300.0)
    trained = Work(steps=100, of_steps=100, of_after=300.0)
    # A hundred steps took 50 s; what follows is worth 300.
    assert describe_left(trained, before, 50.0) == ", about 150 s left"
    assert describe_work(trained) == "100 of 100 steps"
    half = replace(trained, after=150.0)
    assert describe_left(half, before, 125.0) == ", about 75 s left"
    assert describe_work(half) == "100 of 100 steps, scores and evidence 50 %"
    assert describe_left(replace(trained, after=299.999), before, 200.0) == ", about 1 s left"
    assert describe_left(before, before, 50.0) == ""


def test_a_file_of_an_earlier_try_or_a_damaged_one_counts_for_nothing(plan):
    plan.folder.mkdir(parents=True)
    file = plan.folder / PROGRESS
    for content in ("", "{", "[]", "null", '{"scoring": 3}', '{"scoring": [1, 0]}', '{"scoring": ["a", 2]}', "9" * 5000):
        file.write_text(content)
        assert measure_work(plan).done == 0
    file.write_text(json.dumps({SCORING: [1, 2]}))
    assert read_parts(plan.folder) == {SCORING: 0.5}
    assert measure_work(plan).done == 0  # its steps are not done


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / PROGRESS).symlink_to(foreign)
    ProgressFile(tmp_path / "run").count(SCORING)(1, 2)
    assert foreign.read_text() == "kept"
