"""What is remembered of a set spares the decoding and changes nothing, whatever became of the files or of the memory itself."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from damage import cut, flip_bits
from focalseg.imagesets.case import Case
from focalseg.imagesets.dataset import FileDataset
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.memory import VARIABLE
from focalseg.imagesets.survey.survey import Survey, survey_dataset


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is remembered, empty at first."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "memory"))
    return tmp_path / "memory"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the cases that were decoded."""
    names: list[str] = []
    read_case = FileDataset.read_case

    def read_and_tell(dataset: FileDataset, number: int) -> Case:
        names.append(dataset.names[number])
        return read_case(dataset, number)

    monkeypatch.setattr(FileDataset, "read_case", read_and_tell)
    return names


def look(data: Path) -> Survey:
    return survey_dataset(open_dataset(str(data)))


def assert_same(one: Survey, other: Survey) -> None:
    """That two surveys say the same to the bit."""
    for field in fields(Survey):
        if field.name != "cases":
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    for left, right in zip(one.cases, other.cases, strict=True):
        for field in fields(left):
            mine, its = getattr(left, field.name), getattr(right, field.name)
            assert np.array_equal(mine, its) if field.name == "signature" else mine == its, field.name
            assert type(mine) is type(its)


@pytest.fixture
def data(make_folder) -> Path:
    """Ten cases, of which one is damaged and one has an empty mask."""
    folder = make_folder()
    path = folder / "images" / "case_3.png"
    path.write_bytes(path.read_bytes()[:-40])
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(folder / "masks" / "case_4.png")
    return folder


def test_a_set_that_is_the_same_is_not_decoded_again_and_its_survey_is_the_same(data, memory, decoded) -> None:
    first = look(data)
    assert len(decoded) == 10
    assert [path.suffix for path in memory.rglob("*") if path.is_file()] == [".npz"]
    decoded.clear()
    assert_same(look(data), first)
    assert decoded == []


def test_without_a_memory_the_survey_is_the_same(data, memory, decoded, monkeypatch) -> None:
    look(data)
    remembered = look(data)
    monkeypatch.setenv(VARIABLE, "off")
    decoded.clear()
    assert_same(look(data), remembered)
    assert len(decoded) == 10


def test_a_file_that_changed_without_changing_its_size_and_its_times_is_read_again(data, memory, decoded) -> None:
    before = look(data)
    path = data / "masks" / "case_7.png"
    state, whole = path.stat(), path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    decoded.clear()
    after = look(data)
    assert decoded == ["case_7"]
    assert len(after.errors) == len(before.errors) + 1


def test_a_case_that_is_added_is_the_only_one_that_is_read_and_all_are_numbered_anew(data, memory, decoded) -> None:
    look(data)
    for part in ("images", "masks"):
        (data / part / "before.png").write_bytes((data / part / "case_1.png").read_bytes())
    decoded.clear()
    survey = look(data)
    assert decoded == ["before"]
    assert [case.number for case in survey.cases] == [0, 1, 2, 3, *range(5, 11)]
    assert [case.name for case in survey.cases][:2] == ["before", "case_0"]
    assert survey.pairs  # it is the same image as another


def test_what_a_table_says_of_the_masks_is_part_of_what_a_case_is_known_by(data, memory, decoded) -> None:
    look(data)
    (data / "labels.csv").write_text("label,value\nlesion,255\n")
    decoded.clear()
    assert look(data).labels == ("lesion",)
    assert len(decoded) == 10


def test_another_code_reads_everything_anew(data, memory, decoded, monkeypatch) -> None:
    look(data)
    monkeypatch.setattr("focalseg.imagesets.survey.memory._hash_code", lambda: "another")
    decoded.clear()
    look(data)
    assert len(decoded) == 10


def test_a_damaged_memory_is_not_there(data, memory, decoded) -> None:
    first = look(data)
    path = next(memory.rglob("*.npz"))
    whole = path.read_bytes()
    for content in [*flip_bits(whole, 12), *cut(whole, 4), b"PK\x03\x04" + whole]:
        path.write_bytes(content)
        decoded.clear()
        assert_same(look(data), first)
        assert len(decoded) == 10


def test_a_place_that_cannot_be_written_is_let_be(data, memory, decoded) -> None:
    memory.write_text("a file where the folder should be")
    assert_same(look(data), look(data))
    assert len(decoded) == 20


def test_nothing_is_written_through_a_link(data, memory, tmp_path) -> None:
    look(data)
    path, foreign = next(memory.rglob("*.npz")), tmp_path / "foreign"
    foreign.write_text("mine")
    path.unlink()
    path.symlink_to(foreign)
    look(data)
    assert foreign.read_text() == "mine"


def test_the_sets_that_were_looked_at_last_are_remembered(data, memory, monkeypatch) -> None:
    monkeypatch.setattr("focalseg.imagesets.survey.memory._MOST_SETS", 2)
    look(data)
    folder = next(memory.rglob("*.npz")).parent
    for number in range(3):
        (folder / f"{number}.npz").write_bytes(b"")
        os.utime(folder / f"{number}.npz", (number, number))
    (data / "images" / "case_3.png").unlink()
    (data / "masks" / "case_3.png").unlink()
    look(data)
    assert sorted(path.name for path in folder.iterdir() if len(path.stem) == 1) == ["2.npz"]


def test_a_home_that_is_not_there_is_no_fault(data) -> None:
    program = f"from focalseg.imagesets.opening import *; from focalseg.imagesets.survey.survey import *; survey_dataset(open_dataset({str(data)!r}))"  # noqa: E501
    bare = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "HOME", "XDG_CACHE_HOME")}
    done = subprocess.run([sys.executable, "-c", program], env={**bare, "HOME": "/dev/null"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
