"""What became of a file between its writing and its reading is seen: no result rests on a damaged file, nor on changed data."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from damage import cut, flip_bits
from focalseg.errors import DataError, SettingError
from focalseg.inference.folders import LEAN_CONFIG
from focalseg.inference.loading import load_lean, load_run
from focalseg.records.costs import COSTS
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import PLACEMENT, JobRecord
from focalseg.records.record import read_record, write_record
from focalseg.records.result import CHECKPOINT, CONFIG, RESULT, WEIGHTS
from focalseg.records.seals import read_signed_text, sign_text
from focalseg.records.splits import SPLITS, Splits
from focalseg.report.placement.page import PAGE, write_report
from focalseg.study.outcome.examples import EXAMPLES
from focalseg.study.place import place
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running import cases
from focalseg.study.running.folder import claim_folder
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.runs import CASES, execute, load_training_data, read_evidence, read_result
from focalseg.study.train import train_one
from focalseg.training.loop import METRICS, Run, StopRequested, train
from focalseg.yaml_files import write_yaml

pytestmark = pytest.mark.slow
FEW = 3
"""Flipped bits per file here; benchmarks/damage.py takes hundreds."""
LEFT_BY_A_RUN = (RESULT, CONFIG, METRICS, WEIGHTS, CASES, COSTS, EVIDENCE)


@pytest.fixture(scope="module")
def data(write_folder, tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("set") / "data")


@pytest.fixture(scope="module")
def finished(data, tiny_settings, tmp_path_factory):
    """The plan of a run with attention that is finished, and its files."""
    plans = []
    folder = tmp_path_factory.mktemp("train") / "out"

    def remember(_title, given):
        plans.extend(given)
        return pytest.MonkeyPatch.context()

    train_one(str(data), folder, tiny_settings, attention="se", seed=0, device="cpu", listeners=Listeners(watch=remember))
    return plans[0]


@pytest.fixture(scope="module")
def job(data, tiny_settings, tmp_path_factory):
    """The folder of a finished job."""
    folder = tmp_path_factory.mktemp("place") / "out"
    place(str(data), folder, tiny_settings, device="cpu", workers=1)
    write_report(folder)
    return folder


@pytest.fixture
def plan(finished, tmp_path):
    """The same run with its files in a folder of the test."""
    shutil.copytree(finished.folder, tmp_path / "run")
    return replace(finished, folder=tmp_path / "run")


def damage(path: Path) -> Iterator[bytes]:
    """Puts damaged contents into the file one after another, and the right one at the end."""
    whole = path.read_bytes()
    for content in [*flip_bits(whole, FEW), *cut(whole, 4)]:
        path.write_bytes(content)
        yield content
    path.write_bytes(whole)


@pytest.mark.parametrize("name", LEFT_BY_A_RUN)
def test_a_damaged_file_of_a_finished_run_is_made_again_without_training(plan, monkeypatch, name):
    monkeypatch.setattr(Run, "advance", pytest.fail)
    whole = {one: (plan.folder / one).read_bytes() for one in LEFT_BY_A_RUN if one not in (RESULT, COSTS)}
    for _ in damage(plan.folder / name):
        assert not plan.is_finished
        if name == CONFIG:
            with pytest.raises(SettingError, match=re.escape(str(plan.folder / CONFIG))):
                execute(plan)
            (plan.folder / CONFIG).unlink()
        execute(plan)
        assert plan.is_finished
        assert {one: (plan.folder / one).read_bytes() for one in whole} == whole


@pytest.mark.parametrize("name", LEFT_BY_A_RUN)
def test_no_reader_of_a_run_takes_a_damaged_file(plan, name):
    readers = {
        RESULT: [read_result, read_evidence, load_run],
        CASES: [read_result],
        CONFIG: [load_run],
        WEIGHTS: [load_run],
        EVIDENCE: [read_evidence],
    }
    for _ in damage(plan.folder / name):
        for read in [*readers.get(name, []), write_report] if name != WEIGHTS else readers[name]:
            with pytest.raises(SettingError, match=re.escape(str(plan.folder / name))):
                read(plan.folder)
    write_report(plan.folder)


def test_a_file_that_is_gone_is_made_again(plan, monkeypatch):
    monkeypatch.setattr(Run, "advance", pytest.fail)
    for name in LEFT_BY_A_RUN:
        (plan.folder / name).unlink()
        assert not plan.is_finished
        execute(plan)
        assert plan.is_finished


def test_the_evidence_of_another_run_is_not_taken_for_its_own(plan, job):
    other = next(job.glob(f"runs/*/*/*/{EVIDENCE}"))
    shutil.copy(other, plan.folder / EVIDENCE)
    assert not plan.is_finished
    with pytest.raises(SettingError, match="is not as it was written"):
        read_evidence(plan.folder)


class StopAfter:
    """Says stop at that question."""

    def __init__(self, count):
        self.left = count

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture
def interrupted(plan, tmp_path):
    """The same run, stopped in its middle; in this folder are a config, a checkpoint and metrics."""
    halfway = replace(plan, folder=tmp_path / "halfway")
    claim_folder(halfway.folder, write_yaml(plan.config))
    with load_training_data(halfway) as given, pytest.raises(StopRequested):
        train(plan.config, given, halfway.folder, device="cpu", should_stop=StopAfter(7))
    return halfway


def test_a_damaged_checkpoint_is_named_and_without_it_the_run_ends_as_it_would_have(interrupted, plan):
    path = interrupted.folder / CHECKPOINT
    for _ in damage(path):
        with pytest.raises(SettingError) as raised:
            execute(interrupted)
        assert str(path) in str(raised.value)
        assert "remove it to train this run from the start" in str(raised.value)
    path.write_bytes(path.read_bytes()[:-5])
    path.unlink()
    execute(interrupted)
    assert_same(interrupted.folder, plan.folder)


@pytest.mark.parametrize(
    "alter",
    [
        lambda content: content[:-40] + bytes(40),  # as a power cut leaves it
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"3", b"4", 1),
        lambda _: b"",
        lambda content: content + b"99,0.1,0.1,0.9\n",
    ],
)
def test_whatever_becomes_of_the_metrics_of_a_stopped_run_the_checkpoint_has_them(interrupted, plan, alter):
    path = interrupted.folder / METRICS
    path.write_bytes(alter(path.read_bytes()))
    execute(interrupted)
    assert_same(interrupted.folder, plan.folder)


def assert_same(one: Path, other: Path) -> None:
    """That two runs left the same weights, scores and metrics to the byte."""
    for name in (WEIGHTS, CASES, METRICS, EVIDENCE):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_run_does_not_go_on_with_other_data_even_where_splits_and_result_are_gone(interrupted):
    other = replace(interrupted, case_digests=dict.fromkeys(interrupted.case_digests, "0" * 64))
    with pytest.raises(DataError, match="has changed since the job began"):
        execute(other)
    trained = replace(other, case_digests={**interrupted.case_digests, interrupted.split.test[0]: "0" * 64})
    with pytest.raises(SettingError, match=r"last\.ckpt was trained on other data"):
        execute(trained)


def test_a_job_takes_no_damaged_file_and_ends_with_the_same_answer(job, data, tiny_settings, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(job, folder)
    page, record = (folder / PAGE).read_bytes(), (folder / PLACEMENT).read_bytes()
    weights = (folder / "lean" / WEIGHTS).read_bytes()
    names = [CONFIG, SPLITS, PLACEMENT, EXAMPLES, f"lean/{LEAN_CONFIG}", f"lean/{WEIGHTS}"]
    for name in names:
        whole = (folder / name).read_bytes()
        for content in [next(flip_bits(whole, 1)), whole[: len(whole) // 2]]:
            (folder / name).write_bytes(content)
            with pytest.raises(SettingError, match=re.escape(str(folder / name))):
                load_lean(folder / "lean") if name.startswith("lean") else write_report(folder)
            if name in (CONFIG, SPLITS):  # what a job stands on is named; it is removed, as the message says
                with pytest.raises(SettingError, match=re.escape(str(folder / name))) as raised:
                    place(str(data), folder, tiny_settings, device="cpu", workers=1)
                assert "emove" in str(raised.value)
                (folder / name).unlink()
            place(str(data), folder, tiny_settings, device="cpu", workers=1)
            write_report(folder)
            assert (folder / PAGE).read_bytes() == page
            assert (folder / PLACEMENT).read_bytes() == record
            assert (folder / "lean" / WEIGHTS).read_bytes() == weights


@pytest.mark.parametrize("name", [PLACEMENT, EXAMPLES, SPLITS, CONFIG])
def test_a_file_of_another_job_is_not_shown_with_the_answer_and_the_same_command_mends_it(
    job, data, tiny_settings, tmp_path, name
):
    folders = [tmp_path / name for name in ("own", "other")]
    for folder in folders:
        shutil.copytree(job, folder)
    own, other = folders
    alter_whole(other / name)
    write_report(own)
    shutil.copy(other / name, own / name)
    with pytest.raises(SettingError, match="is another than .*placement.json was written with: they are of two jobs"):
        write_report(own)
    if name in (SPLITS, CONFIG):
        (own / name).unlink()
    place(str(data), own, tiny_settings, device="cpu", workers=1)
    write_report(own)


def alter_whole(path: Path) -> None:
    """Makes a whole file such as a job that differs in little would have left."""
    if path.name == CONFIG:
        path.write_text(sign_text(read_signed_text(path.read_text()).replace("seed: 0", "seed: 1")))
    elif path.name == EXAMPLES:
        with np.load(path) as arrays:
            other = {name: array + 1 if name.startswith("dice") else array for name, array in arrays.items()}
        np.savez_compressed(path, **other)
    elif path.name == PLACEMENT:
        record = read_record(JobRecord, path)
        write_record(path, replace(record, files=dict.fromkeys(record.files, "0" * 64)))
    else:
        write_record(path, replace(read_record(Splits, path), data="other"))


def test_images_that_are_replaced_while_a_job_runs_stop_it(write_folder, tiny_settings, tmp_path, monkeypatch):
    data = write_folder(tmp_path / "data")
    runs = []

    def replace_after_two(plan):
        execute(plan)
        runs.append(plan)
        if len(runs) == 2:
            for path in (data / "images").iterdir():
                Image.fromarray(255 - np.asarray(Image.open(path))).save(path)

    monkeypatch.setattr("focalseg.study.running.local.execute", replace_after_two)
    with pytest.raises(DataError) as raised:
        place(str(data), tmp_path / "out", tiny_settings, device="cpu", workers=1)
    assert re.search(r"case_\d\.png or its mask has changed since the job began", str(raised.value))
    assert len(runs) == 2
    assert not (tmp_path / "out" / PLACEMENT).exists()


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_every_reading_within_a_job_looks_at_image_and_mask(write_folder, tiny_settings, tmp_path, folder):
    data = write_folder(tmp_path / "data")
    ground = lay_groundwork(str(data), tiny_settings, 0, "cpu")
    name = ground.split.test[0]
    path = data / folder / f"{name}.png"
    assert cases.read_same_case(str(data), name, ground.case_digests).name == name
    pixels = np.array(Image.open(path))
    pixels[0, 0] = 255 - pixels[0, 0]
    Image.fromarray(pixels).save(path)
    with pytest.raises(DataError, match="has changed since the job began"):
        cases.read_same_case(str(data), name, ground.case_digests)
