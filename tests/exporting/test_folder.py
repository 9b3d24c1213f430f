"""The folder of an export: whole or absent, and never over what somebody else put there."""

from pathlib import Path

import pytest

from focalseg.errors import SettingError
from focalseg.exporting.folder import fill_folder, refuse_others

NAMES, MARKS = ("model.onnx", "preprocessing.json"), ("preprocessing.json",)


def test_a_folder_is_there_once_it_is_whole(tmp_path):
    out = tmp_path / "deep" / "out"
    with fill_folder(out) as folder:
        (folder / "model.onnx").write_text("new")
        assert not out.exists()
    assert (out / "model.onnx").read_text() == "new"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_earlier_export_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "preprocessing.json").write_text("old")
    with fill_folder(out) as folder:
        (folder / "model.onnx").write_text("new")
    assert [path.name for path in out.iterdir()] == ["model.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("there", [False, True])
def test_what_fails_leaves_what_was_there(tmp_path, there):
    out = tmp_path / "out"
    if there:
        out.mkdir()
        (out / "preprocessing.json").write_text("old")

    def fail():
        with fill_folder(out) as folder:
            (folder / "model.onnx").write_text("half")
            raise SettingError("no graph")

    with pytest.raises(SettingError, match="no graph"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there else [])
    assert not there or (out / "preprocessing.json").read_text() == "old"


def test_an_earlier_export_is_back_where_something_stops_us_between_the_two_renames(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "preprocessing.json").write_text("old")
    rename = Path.rename

    def fail(self, target):
        if self.name == "out.partial":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)

    def stop():
        with fill_folder(out):
            pass

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert (out / "preprocessing.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    monkeypatch.undo()
    out.rename(tmp_path / "out.old.partial")  # as a kill leaves it

    def refuse():
        with fill_folder(out):
            raise SettingError("no graph")

    with pytest.raises(SettingError, match="no graph"):
        refuse()
    assert (out / "preprocessing.json").read_text() == "old"


def test_the_folder_that_a_command_runs_in_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path):
        with pytest.raises(SettingError, match=r"is the folder that this runs in.*Give another one\.$"):
            refuse_others(out, NAMES, MARKS)
    with fill_folder(Path("deep/..") / "out"):
        pass
    assert (tmp_path / "out").is_dir()


def test_what_a_killed_export_left_is_cleared(tmp_path):
    left = tmp_path / "out.partial"
    left.mkdir()
    (left / "model.onnx").write_text("half")
    with fill_folder(tmp_path / "out") as folder:
        assert not list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_refused(tmp_path):
    refuse_others(tmp_path / "none", NAMES, MARKS)
    refuse_others(tmp_path, NAMES, MARKS)
    (tmp_path / "preprocessing.json").touch()
    refuse_others(tmp_path, NAMES, MARKS)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SettingError) as caught:
        refuse_others(tmp_path, NAMES, MARKS)
    assert str(caught.value) == (
        f"{tmp_path} holds thesis.tex, which focalseg did not write there. Give a new or an empty folder."
    )


def test_a_file_of_one_of_the_names_without_the_mark_is_somebody_elses(tmp_path):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(SettingError, match="holds model.onnx, which focalseg did not write there"):
        refuse_others(tmp_path, NAMES, MARKS)


def test_a_file_and_a_link_are_no_folder_to_fill(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SettingError, match="is a file; expected a folder"):
        refuse_others(tmp_path / "file", NAMES, MARKS)
    with pytest.raises(SettingError, match="is a link to a folder"):
        refuse_others(tmp_path / "link", NAMES, MARKS)
