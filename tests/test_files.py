"""Files are whole or absent."""

import pytest

from focalseg.errors import MachineError
from focalseg.files import write_text, write_whole


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


def test_a_folder_that_cannot_be_made_is_an_error_of_the_machine(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        write_text(tmp_path / "file" / "inside.txt", "x")
