"""`focalseg evaluate` of a job and of a model, as a person meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.early import refuse_early
from focalseg.records.record import read_record
from focalseg.records.scores.external import ExternalRecord
from focalseg.records.splits import Splits
from study.external.conftest import copy_case, write_squares
from study.external.untrained import write_untrained_job

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, a job on it, and another set."""
    folder = tmp_path_factory.mktemp("own")
    data = write_squares(folder / "data", count=15, seed=0, prefix="own")
    write_untrained_job(folder / "job", str(data), seeds=1)
    write_squares(folder / "far")
    return folder


def test_the_answer_is_printed_and_the_folder_holds_the_record_and_a_page(focalseg, own: Path, tmp_path: Path) -> None:
    answer = focalseg("evaluate", own / "job", own / "far", "--out", tmp_path / "out", "--device", "cpu", "--workers", 1)
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert lines[0] == "arm: Dice of all cases with 95 % interval there, and on the job's own test cases"
    assert [line.split()[0] for line in lines[1:4]] == ["none", "all", "placed"]
    record = read_record(ExternalRecord, tmp_path / "out/external.json")
    assert f"verdict on {own / 'far'}: {record.verdict} - {record.sentence}" in lines
    assert record.agreement in lines
    assert lines[-1] == f"page: {tmp_path / 'out/index.html'}"
    assert "note: 8 cases in 8 groups, all of them scored." in answer.err
    assert record.cases == 8
    page = (tmp_path / "out/index.html").read_text()
    assert "far_0" in page
    assert len((tmp_path / "out/cases.csv").read_text().splitlines()) == 9
    again = focalseg(
        "evaluate", own / "job", own / "far", "--out", tmp_path / "out", "--json", "--device", "cpu", "--workers", 1
    )
    content = json.loads(again.out)
    assert (content["schema"], content["verdict"], content["page"]) == (
        1,
        record.verdict,
        str(tmp_path / "out/index.html"),
    )
    assert set(content["difference"]) == {"dice", "low", "high"}


def test_a_model_alone_is_scored_case_by_case(focalseg, own: Path, tmp_path: Path) -> None:
    run = own / "job/runs/all/fold_0/seed_5"
    answer = focalseg("evaluate", run, own / "far", "--out", tmp_path / "out", "--json", "--device", "cpu", "--workers", 1)
    assert answer.status == 0
    content = json.loads(answer.out)
    assert len(content["cases"]) == 8
    assert {"case", "label", "dice", "iou", "hd95", "nsd"} <= content["cases"][0].keys()
    assert (tmp_path / "out/index.html").is_file()
    job = focalseg("evaluate", own / "job", own / "far", "--json", "--device", "cpu", "--workers", 1)
    mean = json.loads(job.out)["arms"]["all"]["dice"]
    assert content["summary"]["dice"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_what_cannot_be_evaluated_is_refused_before_torch_is_loaded_and_the_mend_works(
    focalseg, own: Path, tmp_path: Path
) -> None:
    job, far = own / "job", own / "far"
    begun = tmp_path / "begun"
    (begun / "runs").mkdir(parents=True)
    for name in ("config.yaml", "splits.json"):
        (begun / name).write_text("{}")
    answers = refuse_early(
        [
            ["evaluate", job, own / "data"],
            ["evaluate", begun, far],
            ["evaluate", job, tmp_path / "nowhere"],
            ["evaluate", job, far, "--out", far / "out"],
            ["evaluate", job, far, "--out", job],
            ["evaluate", job / "runs/none/fold_0/seed_5", far, "--rivals"],
        ]
    )
    assert [status for status, _ in answers] == [2] * 6
    told = [said for _, said in answers]
    assert told[0] == (
        f"error: {own / 'data'} is the set that {job} was made from, most of whose cases its networks were trained on; "
        f"expected another one. Its test scores are in its report (`focalseg report {job}`); give a set of other images.\n"
    )
    assert "has not ended; expected the folder of a finished `focalseg place`" in told[1]
    assert f"No folder {tmp_path / 'nowhere'}; expected a folder with images/ and masks/" in told[2]
    assert "which is never written to; give a folder outside of it as --out." in told[3]
    assert f"--out {job} is the folder of the job or one that it filled; expected another" in told[4]
    assert f"Give a new one, such as {job}_external." in told[4]
    assert "--rivals is of a job with several arms" in told[5]
    assert focalseg("evaluate", job, far, "--out", f"{job}_external", "--device", "cpu", "--workers", 1).status == 0


def test_faulty_images_are_named_by_file_with_status_3_and_nothing_is_written(focalseg, own: Path, tmp_path: Path) -> None:
    data = tmp_path / "far"
    shutil.copytree(own / "far", data)
    whole = (data / "images/far_2.png").read_bytes()
    (data / "images/far_2.png").write_bytes(whole[:200])
    call = ("evaluate", own / "job", data, "--out", tmp_path / "out", "--device", "cpu", "--workers", 1)
    answer = focalseg(*call)
    assert answer.status == 3
    assert answer.out == ""
    assert f"error: {data / 'images/far_2.png'}: " in answer.err
    assert not (tmp_path / "out").exists()
    (data / "images/far_2.png").write_bytes(whole)
    learned = read_record(Splits, own / "job/splits.json").folds[0].train[0]
    copy_case(learned, own / "data", data, called="seen")
    answer = focalseg(*call)
    assert answer.status == 3
    assert f"seen.png: is the same image as {learned} of the job, or nearly so" in answer.err
    assert not (tmp_path / "out").exists()
    assert focalseg(*call, "--leave-out-seen").status == 0


def test_a_signal_ends_it_with_its_status_and_the_same_command_goes_on(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["evaluate", own / "job", own / "far", "--out", out, "--device", "cpu", "--workers", 1]
    command = [sys.executable, "-m", "focalseg", *map(str, words)]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not list(out.glob("runs/*/*/*/result.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (143, 0), said.decode()
    if process.returncode == 143:
        assert b"Stopped by a signal. What was finished is kept; run the same command again to go on." in said
        assert not (out / "external.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/*/cases.csv")}
    assert subprocess.run(command, env=os.environ, capture_output=True, check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert read_record(ExternalRecord, out / "external.json").cases == 8


def test_one_model_is_scored_as_the_options_say_and_a_job_is_not(focalseg, own: Path) -> None:
    how = ("--tolerance", 3, "--empty", "zero", "--lesions")
    answer = focalseg("evaluate", own / "job/runs/none/fold_0/seed_5", own / "far", *how, "--json", "--device", "cpu")
    content = json.loads(answer.out)
    assert (content["tolerance_mm"], content["empty"]) == (3, "zero")
    assert "lesion_f1" in content["summary"]
    refused = focalseg("evaluate", own / "job", own / "far", *how)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("error: --empty, --tolerance, --lesions: ")
    assert (
        "whose arms are compared by Dice alone; expected one model or folders of masks with that. Leave it out." in refused.err
    )
