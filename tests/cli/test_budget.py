"""`focalseg place --budget HOURS`: what is told, what is kept, what is refused."""

import re

import pytest

from focalseg.study.budget.pace import Pace
from focalseg.yaml_files import read_yaml

pytestmark = pytest.mark.slow

TINY = [
    *("--set", "data.longest_side=32", "--set", "network.base_width=4", "--set", "network.most_levels=3", "--workers", 1),
    *("--set", "training.steps=12", "--set", "training.batch_size=4", "--set", "training.validate_every=6"),
]


@pytest.fixture
def hour_a_training(monkeypatch):
    """A machine that takes 300 s a step and no time for anything else, so that 12 steps take an hour."""
    pace = Pace(reading=0, step=300, validation=0, scoring=0, evidence=0)
    monkeypatch.setattr("focalseg.study.budget.fitting.measure_paces", lambda *_, **__: {False: pace, True: pace})


def test_a_job_is_fitted_into_its_hours_and_the_same_command_goes_on_with_it(focalseg, make_folder, tmp_path, hour_a_training):
    out = tmp_path / "out"
    command = ("place", make_folder(), "--out", out, *TINY, "--set", "seeds=5", "--set", "rivals=[se]", "--budget", 8.1)
    first = focalseg(*command)
    assert first.status == 0, first.err
    # An hour each: none, all, the lean network, three of each, and two probes would take 11; of 8 steps they take 7 h 20 min.
    notes = [line for line in first.err.splitlines() if line.startswith("note: ")]
    assert notes[:4] == [
        "note: to fit into 8 h 5 min: se not compared.",
        "note: to fit into 8 h 5 min: 3 trainings an arm and fold instead of 5.",
        "note: to fit into 8 h 5 min: 8 steps a training instead of 12.",
        "note: about 7 h 20 min: 11 trainings of 8 steps, 3e+02 s a step, one at a time.",
    ]
    job = read_yaml(out / "config.yaml")
    assert (job["budget_hours"], job["settings"]["seeds"], job["settings"]["rivals"]) == (8.1, 3, [])
    assert job["settings"]["training"]["steps"] == 8
    assert (job["asked"]["seeds"], job["asked"]["rivals"]) == (5, ["se"])
    assert {path.name for path in (out / "runs").glob("all/fold_0/*")} == {"seed_0", "seed_1", "seed_2"}
    before = {path: path.read_bytes() for path in out.rglob("config.yaml")}
    again = focalseg(*command)
    assert (again.status, again.out) == (0, first.out)
    assert "to fit into" not in again.err
    assert "note: about" not in again.err
    (out / "placement.json").unlink()
    next((out / "runs" / "none").rglob("result.json")).unlink()
    resumed = focalseg(*command)
    assert (resumed.status, resumed.out) == (0, first.out)
    assert "to fit into" not in resumed.err
    assert {path: path.read_bytes() for path in out.rglob("config.yaml")} == before
    other = focalseg(*command[:-1], 9.0)
    assert other.status == 2
    assert other.err.splitlines()[-1].startswith(f"error: {out} was made with other settings (see {out}/config.yaml: ")


def test_hours_that_not_even_the_least_fits_into_are_refused_before_a_file_is_written(
    focalseg, make_folder, tmp_path, hour_a_training
):
    outcome = focalseg("place", make_folder(), "--out", tmp_path / "out", *TINY, "--budget", 3)
    assert outcome.status == 2
    # Two trainings of four arms, of 5 of the 12 steps: 8 times 25 minutes, and 5 s at the end.
    assert outcome.err.splitlines()[-1] == (
        "error: --budget was 3 hours; the least that this job takes is about 3 h 20 min, with 5 steps a training and 2 "
        "trainings an arm. Give --budget 3.34 or more, a smaller data.longest_side, or a smaller --preset."
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("hours", ["0", "-1", "inf"])
def test_hours_are_above_none(focalseg, make_folder, tmp_path, hours):
    outcome = focalseg("place", make_folder(), "--out", tmp_path / "out", *TINY, "--budget", hours)
    assert outcome.status == 2
    assert re.fullmatch(r"error: --budget was \S+; expected hours above 0, such as 0\.5 or 8\.\n", outcome.err)
    assert not (tmp_path / "out").exists()
