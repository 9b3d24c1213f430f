"""The verbs, whole: what they print, what they write, how they stop and go on."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from damage import read_unsealed
from focalseg.cli.options import read_settings
from focalseg.study.beginning import PlaceJob
from focalseg.study.presets import build_settings
from focalseg.study.running.stopping import STOP_SIGNALS
from focalseg.yaml_files import write_yaml

pytestmark = pytest.mark.slow

TINY = [
    *("--set", "seeds=2", "--set", "data.longest_side=32", "--set", "network.base_width=4", "--set", "network.most_levels=3"),
    *("--set", "training.steps=12", "--set", "training.batch_size=4", "--set", "training.validate_every=6"),
]


def test_place_ends_with_a_verdict_a_lean_network_and_a_report(focalseg, make_folder, tmp_path):
    out = tmp_path / "out"
    outcome = focalseg("place", make_folder(), "--out", out, *TINY, "--workers", 1)
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    arms = next(number for number, line in enumerate(lines) if line.startswith("arm "))
    assert lines[arms].split() == ["arm", "Dice", "with", "the", "object", "[95", "%]", "missed", "modules", "parameters"]
    assert [line.split()[0] for line in lines[arms + 1 : arms + 4]] == ["none", "all", "placed"]
    assert re.fullmatch(r"all +0\.\d{3} \[\d\.\d{3}, \d\.\d{3}\] +\d+\.\d % +4 +1,\d{3}", lines[arms + 2])
    assert lines[-5].startswith("verdict: ")
    assert lines[-4].startswith("look 1, at 2 trainings per arm on 1 fold: ")
    assert lines[-3:-1] == [f"lean network: {out}/lean", f"report: {out}/report/index.html"]
    assert lines[-1] == (f"Next: focalseg predict {out} IMAGES --out MASKS, or focalseg export {out} --format onnx --out DIR")
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert '<code>focalseg predict OUT IMAGES <span class="whole">--out</span> MASKS</code>' in page
    assert {path.name for path in (out / "lean").iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert (out / "report" / "index.html").stat().st_size > 10_000
    assert "training" in outcome.err


def test_json_is_one_object_on_stdout_and_the_same_job_again_gives_the_same(focalseg, make_folder, tmp_path):
    arguments = ("place", make_folder(), "--out", tmp_path / "out", *TINY, "--workers", 1, "--json")
    first, second = focalseg(*arguments), focalseg(*arguments)
    content = json.loads(first.out)
    assert first.out == second.out
    assert "training" not in second.err
    record = read_unsealed(tmp_path / "out" / "placement.json")
    assert record["looks"] == {"taken": 1, "tail": 0.02}
    assert content["looks"].items() > record["looks"].items()
    assert content == {
        **record,
        "looks": content["looks"],
        "report": str(tmp_path / "out" / "report" / "index.html"),
        "lean": str(tmp_path / "out" / "lean"),
    }
    assert content["verdict"] in ("helps", "no_difference_shown", "harms")


def test_the_config_of_a_job_gives_its_settings_again(tmp_path):
    settings = build_settings("standard", {"training": {"steps": 7}})
    path = tmp_path / "config.yaml"
    path.write_text(write_yaml(PlaceJob(data="phantom:local", seed=0, settings=settings)))
    assert read_settings("quick", path, []) == settings
    assert read_settings("quick", path, ["training.steps=8"]).training.steps == 8


def test_the_config_of_one_training_is_refused_as_settings(focalseg, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("data: phantom:local\npreparation: {}\n")
    outcome = focalseg("train", "phantom:local", "--out", tmp_path / "out", "--config", path)
    assert outcome.status == 2
    assert outcome.err == (
        f"error: {path} is of one training, and holds what was planned for it; expected settings, or the config.yaml of "
        "`focalseg place`. Give the settings that you gave then.\n"
    )


def test_another_job_does_not_mix_its_files_in(focalseg, make_folder, tmp_path):
    folder, out = make_folder(), tmp_path / "out"
    assert focalseg("train", folder, "--out", out, *TINY).status == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    outcome = focalseg("train", folder, "--out", out, *TINY, "--set", "training.steps=13")
    assert outcome.status == 2
    changed = f"{out}/config.yaml: training.steps 12 then, 13 now"
    assert outcome.err.startswith(f"error: {out} was made with other settings (see {changed}); ")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("attention", ["none", "all", "se", "ag"])
def test_train_leaves_a_scored_network_and_its_report(focalseg, make_folder, tmp_path, attention):
    out = tmp_path / "out"
    outcome = focalseg("train", make_folder(), "--out", out, "--attention", attention, *TINY)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("test Dice 0.")
    assert re.search(r"note: about .*: 1 training of 12 steps, .* a step, one at a time\.", outcome.err)
    assert "Too few groups to tell: the test cases are of 2 groups." in outcome.out
    names = {"config.yaml", "splits.json", "metrics.csv", "cases.csv", "last.ckpt", "model.safetensors", "result.json"}
    assert names <= {path.name for path in out.iterdir()}
    assert json.loads((out / "result.json").read_text())["modules"] == {"none": 0, "se": 3, "ag": 1, "all": 4}[attention]


def test_verbose_alone_says_on_how_many_threads_a_training_computes(focalseg, make_folder, tmp_path):
    line = r"^note: \d+ cores? to use: 1 training at a time, on 1 thread each\.$"
    folder = make_folder()
    for name, option in (("plain", ()), ("verbose", ("--verbose",))):
        outcome = focalseg("train", folder, "--out", tmp_path / name, *TINY, *option)
        assert outcome.status == 0, outcome.err
        assert bool(re.search(line, outcome.err, flags=re.MULTILINE)) == bool(option)


def test_train_takes_a_placement_file(focalseg, make_folder, tmp_path):
    site = {
        "site": "encoder.0",
        "gate": "se",
        "gamma": 2.0,
        "removal_cost": 0.1,
        "spread": 0.1,
        "kept": True,
        "why": "it helps",
    }
    path = tmp_path / "placement.json"
    path.write_text(
        json.dumps({"schema": 1, "policy": "removal", "sites": [site, {**site, "site": "bottleneck", "kept": False}]})
    )
    outcome = focalseg("train", make_folder(), "--out", tmp_path / "out", "--attention", path, *TINY, "--json")
    assert json.loads(outcome.out)["modules"] == 1


def test_inputs_are_never_written_to(focalseg, make_folder, tmp_path):
    folder = make_folder()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert focalseg("place", folder, "--out", tmp_path / "out", *TINY, "--workers", 1).status == 0
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_report_makes_the_same_page_again(focalseg, make_folder, tmp_path):
    focalseg("train", make_folder(), "--out", tmp_path / "out", *TINY)
    page = tmp_path / "out" / "report" / "index.html"
    text = page.read_bytes()
    page.unlink()
    assert focalseg("report", tmp_path / "out").out == f"report: {page}\n"
    assert page.read_bytes() == text


def test_help_and_version_load_nothing_heavy():
    for option in ("--help", "--version"):
        script = (
            "import sys; sys.argv = ['focalseg', sys.argv[1]]\n"
            "try:\n    from focalseg.cli.main import main; main()\n"
            "except SystemExit as leave:\n    assert not leave.code, leave.code\n"
            "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'lightning_fabric', 'PIL'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        done = subprocess.run([sys.executable, "-c", script, option], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_calls_in_one_process_leave_no_signal_ignored_for_the_next(focalseg):
    """A process that ends ignores signals. Here it lives on, and what it starts would take an ignored hang-up for nohup."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    assert focalseg("--version").status == 0
    assert {number: signal.getsignal(number) for number in STOP_SIGNALS} == before


@pytest.mark.parametrize(
    ("number", "status", "workers", "to_all"),
    [
        (signal.SIGTERM, 143, 1, False),
        (signal.SIGINT, 130, 2, False),
        (signal.SIGTERM, 143, 2, True),
        (signal.SIGINT, 130, 2, True),
    ],
)
def test_a_signal_stops_with_its_status_and_the_same_command_goes_on(
    focalseg, make_folder, tmp_path, number, status, workers, to_all
):
    words = [
        *("place", str(make_folder()), "--out", str(tmp_path / "out")),
        *TINY,
        "--set",
        "training.steps=200",
        "--set",
        "training.validate_every=50",
        "--set",
        "policy=all",  # two trainings are enough to stop
        "--set",
        "seeds=1",
        "--workers",
        str(workers),
        "--device",
        "cpu",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "focalseg", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        log = tmp_path / "out" / "runs" / "all" / "fold_0" / "seed_0" / "metrics.csv"
        while not log.exists() or len(log.read_text().splitlines()) < 4:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        # A terminal sends Ctrl-C to the whole group, a scheduler to the first process or to all.
        os.killpg(process.pid, number) if to_all else process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert "error: Stopped by a signal." in errors
    stopped_at = len(log.read_text().splitlines())
    assert (log.parent / "last.ckpt").exists()
    done = focalseg(*words)
    assert done.status == 0, done.err
    rows = log.read_text().splitlines()
    assert len(rows) == 21
    assert len(rows) > stopped_at
    assert [row.split(",")[0] for row in rows[1:]] == [str(step) for step in range(10, 201, 10)]
