"""A folder that a job fills: what is let in besides, and what is not."""

import os

import pytest

from focalseg.configuration import to_mapping
from focalseg.errors import SettingError
from focalseg.files import LOCK, open_lock
from focalseg.records.result import CONFIG
from focalseg.records.seals import sign_text
from focalseg.records.splits import Split
from focalseg.study.beginning import PlaceJob
from focalseg.study.presets import build_settings
from focalseg.study.running.cases import digest_split
from focalseg.study.running.folder import claim_folder, hold_folder, read_config, refuse_other_settings
from focalseg.study.running.progress_file import PROGRESS, SCORING, ProgressFile, read_parts
from focalseg.training.metrics_log import FIRST_COLUMNS, MetricsLog
from focalseg.yaml_files import write_yaml


def test_a_run_that_had_but_begun_goes_on_once_its_damaged_config_was_removed(tmp_path):
    claim_folder(tmp_path, "seed: 0\n")
    MetricsLog(tmp_path / "metrics.csv", [*FIRST_COLUMNS, "gamma/a"])
    (tmp_path / CONFIG).write_text("seed: 1\n")
    with pytest.raises(SettingError, match="Remove that file and run the same command again"):
        claim_folder(tmp_path, "seed: 0\n")
    (tmp_path / CONFIG).unlink()
    claim_folder(tmp_path, "seed: 0\n")


@pytest.mark.parametrize("content", ["step,loss\n1,0.5\n", ""])
def test_a_table_of_somebody_else_is_not_taken_for_a_log(tmp_path, content):
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(SettingError, match="is not empty and was not made by focalseg"):
        claim_folder(tmp_path, "seed: 0\n")


def test_data_of_any_name_goes_on(tmp_path):
    job = PlaceJob(data="a\x85b", seed=0, settings=build_settings("quick"))
    claim_folder(tmp_path, write_yaml(job))
    assert read_config(tmp_path) == to_mapping(job)
    refuse_other_settings(tmp_path, to_mapping(job))


def test_the_digest_tells_the_parts_of_a_split_and_its_groups():
    digests = {name: name * 64 for name in "abcd"}
    splits = [
        Split(fold=0, train=("a", "b"), validation=("c",), test=("d",)),
        Split(fold=0, train=("a",), validation=("b", "c"), test=("d",)),
        Split(fold=0, train=("b", "a"), validation=("c",), test=("d",)),
    ]
    found = [digest_split(split, {}, digests) for split in splits]
    found += [digest_split(splits[0], {"d": group}, digests) for group in ("one", "two")]
    assert len(set(found)) == len(found)
    assert digest_split(splits[0], {"d": "one"}, {}) == ""


def test_of_two_jobs_that_begin_at_the_same_moment_none_runs_below_the_config_of_the_other(tmp_path, monkeypatch):
    def lock_late(path):
        (tmp_path / CONFIG).write_text(sign_text("seed: 1\n"))
        return open_lock(path)

    monkeypatch.setattr("focalseg.files.open_lock", lock_late)
    with pytest.raises(SettingError, match="was made with other settings"), hold_folder(tmp_path, "seed: 0\n"):
        pytest.fail("it runs")
    assert not (tmp_path / LOCK).exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_place_of_the_progress_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / PROGRESS)
    ProgressFile(tmp_path).count(SCORING)(1, 2)
    assert read_parts(tmp_path) == {}


def test_another_programs_config_is_not_said_to_be_damaged_and_nobody_is_told_to_remove_it(tmp_path):
    (tmp_path / "config.yaml").write_text("version: 2\nservices: {}\n")
    (tmp_path / "main.py").write_text("print()\n")
    with pytest.raises(SettingError) as raised:
        claim_folder(tmp_path, "a: 1\n")
    assert (
        str(raised.value) == f"{tmp_path / 'config.yaml'} was not written by focalseg; give a new or an empty folder as --out."
    )
