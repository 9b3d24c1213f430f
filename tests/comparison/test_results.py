"""Results on disk compared from Python: the record of the command line, and its refusals."""

import json
import subprocess
import sys

import pytest

import focalseg
from comparison.made_results import draw_dice, write_csv, write_nnunet
from focalseg.configuration import to_mapping
from focalseg.errors import DataError, SettingError


@pytest.fixture
def folders(tmp_path):
    """Result folders of two trainers by name."""
    return {name: write_nnunet(tmp_path / name, draw_dice(seed=seed, shift=0.03 * seed)) for seed, name in enumerate("ab")}


def test_python_gives_the_record_of_the_command(folders, tmp_path):
    options = {"group_pattern": "patient([0-9]+)", "margin": 0.01, "difference": 0.02}
    found = focalseg.compare_results(folders, **options)
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "focalseg", "compare", *map(str, folders.values()), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(to_mapping(found)))


def test_several_paths_are_trainings_of_one_system(folders, tmp_path):
    more = write_nnunet(tmp_path / "c", draw_dice(seed=5))
    found = focalseg.compare_results({"plain": [folders["a"], str(more)], "gated": [folders["b"], folders["b"]]})
    assert [system.trainings for system in found.systems.values()] == [2, 2]


@pytest.mark.parametrize(
    ("systems", "options", "expected"),
    [
        (["a", "b"], {}, "expected a mapping from the name of a system to its paths"),
        ({"a": {"x": 0.5}, "b": {"x": 0.4}}, {}, "For scores at hand call focalseg.compare."),
        ({"a": "nowhere", "b": "nowhere"}, {}, "No file or folder nowhere"),
        ({"a": []}, {}, "expected a path or several"),
        ({"a": "x"}, {"groups": {}, "group_pattern": "x"}, "expected one of the two"),
    ],
)
def test_what_is_no_path_is_refused(systems, options, expected):
    with pytest.raises((SettingError, DataError)) as caught:
        focalseg.compare_results(systems, **options)
    assert expected in str(caught.value)


def test_what_a_difference_that_was_asked_for_would_take_is_told(folders, tmp_path):
    found = focalseg.compare_results(folders, difference=0.0001)
    assert found.comparisons[0].needed[0].difference == 0.0001
    assert found.comparisons[0].needed[0].cases > 50
    assert "already" in str(focalseg.compare_results(folders, difference=0.5))
    one = write_csv(tmp_path / "one.csv", "case,score", "x,0.5", "y,0.6", "z,0.7")
    with pytest.raises(SettingError, match="difference was -1; expected a positive number"):
        focalseg.compare_results({"a": one, "b": one}, difference=-1)
