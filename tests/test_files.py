"""Files are whole or absent."""

import os
import stat

import pytest

from focalseg.errors import MachineError, SettingError
from focalseg.files import LOCK, PARTIAL, hold_lock, open_lock, open_to_append, refuse_linked_folders, write_text, write_whole
from focalseg.study.running.folder import hold_folder


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old ä\n")

    def fail(file):
        file.write(b"half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(MachineError, match=f"{path} cannot be written \\(No space left on device\\); free space"):
        write_whole(path, fail)
    assert path.read_text(encoding="utf-8") == "old ä\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_a_folder_in_the_place_of_a_file_is_named_with_its_mend(tmp_path):
    (tmp_path / "file.txt").mkdir()
    with pytest.raises(MachineError, match="remove the folder that is in its place, then run the same command again"):
        write_text(tmp_path / "file.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_machine(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        write_text(tmp_path / "file" / "inside.txt", "x")


@pytest.fixture
def foreign(tmp_path):
    """Somebody else's file, which nothing here may change."""
    path = tmp_path / "thesis.txt"
    path.write_text("mine")
    yield path
    assert path.read_text() == "mine"


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("suffix", ["", PARTIAL])
def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path, foreign, link, suffix):
    path = tmp_path / "out" / "file.txt"
    path.parent.mkdir()
    link(foreign, f"{path}{suffix}")
    write_text(path, "ours")
    assert path.read_text() == "ours"
    assert stat.S_ISREG(path.lstat().st_mode)
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("suffix", ["", PARTIAL])
def test_a_pipe_in_the_place_of_a_file_is_replaced_without_waiting(tmp_path, suffix):
    path = tmp_path / "file.txt"
    os.mkfifo(f"{path}{suffix}")
    write_text(path, "ours")
    assert path.read_text() == "ours"
    assert stat.S_ISREG(path.lstat().st_mode)


@pytest.mark.parametrize("suffix", ["", PARTIAL])
def test_a_folder_in_the_place_of_a_file_is_an_error_that_names_it(tmp_path, suffix):
    path = tmp_path / "file.txt"
    (tmp_path / f"file.txt{suffix}").mkdir()
    with pytest.raises(MachineError, match="file.txt.* cannot be written"):
        write_text(path, "ours")
    assert list((tmp_path / f"file.txt{suffix}").iterdir()) == []


def test_a_link_that_leads_nowhere_makes_no_file_there(tmp_path):
    (tmp_path / f"file.txt{PARTIAL}").symlink_to(tmp_path / "elsewhere")
    write_text(tmp_path / "file.txt", "ours")
    assert not (tmp_path / "elsewhere").exists()


def test_new_files_have_the_rights_that_a_plain_open_gives(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_lock_is_neither_emptied_nor_followed(tmp_path, foreign):
    lock = tmp_path / LOCK
    os.link(foreign, lock)
    with open_lock(lock):
        pass
    lock.unlink()
    for what, make in {
        "a link": lambda: lock.symlink_to(foreign),
        "no file": lambda: os.mkfifo(lock),
        "a folder": lock.mkdir,
    }.items():
        make()
        with pytest.raises(SettingError) as caught:
            open_lock(lock)
        assert str(caught.value) == f"{lock} is {what}, where a file of ours belongs. Remove it and run the same command again."
        lock.rmdir() if what == "a folder" else lock.unlink()
        with open_lock(lock):  # the mend
            pass
        lock.unlink()


def test_a_job_holds_no_folder_through_a_link(tmp_path, foreign):
    out = tmp_path / "out"
    out.mkdir()
    (out / LOCK).symlink_to(foreign)
    with pytest.raises(SettingError, match=r"/\.lock is a link"), hold_folder(out, "a: 1\n"):
        pass
    (out / LOCK).unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("runs", "lean", "report"):
        (out / name).symlink_to(elsewhere)
        with pytest.raises(SettingError, match=f"^{out}/{name} is a link to a folder, .* Remove the link or put the folder"):
            refuse_linked_folders(out)
        with pytest.raises(SettingError, match="is a link to a folder"), hold_folder(out, "a: 1\n"):
            pass
        (out / name).unlink()
    (out / "runs").mkdir()
    (out / "runs" / "none").symlink_to(elsewhere)
    with pytest.raises(SettingError, match="runs/none is a link"):
        refuse_linked_folders(out)
    assert list(elsewhere.iterdir()) == []


def test_the_folder_that_a_person_names_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with hold_folder(tmp_path / "out", "a: 1\n"):
        assert (tmp_path / "disk" / LOCK).exists()
    assert (tmp_path / "disk" / "config.yaml").read_text().startswith("a: 1\n")


def test_nothing_is_appended_through_a_link(tmp_path, foreign):
    (tmp_path / "link").symlink_to(foreign)
    with pytest.raises(OSError, match="symbolic link"):
        open_to_append(tmp_path / "link")
    (tmp_path / "file").write_text("a")
    with open_to_append(tmp_path / "file") as file:
        assert file.tell() == 1
        file.write(b"b")
    assert (tmp_path / "file").read_text() == "ab"


@pytest.mark.skipif(os.name != "posix", reason="folders are held on POSIX systems")
def test_a_lock_that_was_taken_away_before_it_was_locked_holds_nothing(tmp_path, monkeypatch):
    opened = []

    def open_late(path):
        file = open_lock(path)
        if not opened:
            path.unlink()  # the process that held it ends here
        opened.append(path)
        return file

    monkeypatch.setattr("focalseg.files.open_lock", open_late)
    with hold_lock(tmp_path):
        assert len(opened) == 2
        assert (tmp_path / LOCK).exists()
        with pytest.raises(SettingError, match="is in use by another focalseg; wait for it to end"), hold_lock(tmp_path):
            pass
    assert not (tmp_path / LOCK).exists()
