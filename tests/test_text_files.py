"""What is read as small text, and by which words everything else is refused, at once."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from focalseg.errors import SettingError
from focalseg.records.record import read_json
from focalseg.text_files import NoSmallFileError, read_bounded, read_small

EXPECTED = "a file of ours. Restore it."


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def make_sparse(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS = {
    "is a folder": lambda path: path.mkdir(),
    "is a pipe": os.mkfifo,
    "is a device": lambda path: path.symlink_to("/dev/zero"),
    "is a socket": make_socket,
    "has more than 1 KiB": make_sparse,
}


@pytest.mark.parametrize("found", KINDS)
def test_what_is_no_small_file_is_refused_at_once(tmp_path, monkeypatch, found):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = tmp_path / "odd"
    KINDS[found](path.relative_to(tmp_path) if found == "is a socket" else path)
    started = time.monotonic()
    with pytest.raises(SettingError) as caught:
        read_small(path, most_bytes=1024, expected=EXPECTED)
    assert str(caught.value) == f"{path} {found}; expected {EXPECTED}"
    assert time.monotonic() - started < 1


def test_a_file_is_read_whole_up_to_the_limit_and_through_a_link(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(path)
    for size in (0, 1, 1024):
        path.write_bytes(bytes(range(256)) * 4 if size == 1024 else bytes(size))
        assert read_bounded(link, most_bytes=1024) == path.read_bytes()
    path.write_bytes(bytes(1025))
    with pytest.raises(NoSmallFileError, match="^has more than 1 KiB$"):
        read_bounded(path, most_bytes=1024)


def test_a_file_that_has_no_size_is_bounded_as_well():
    # A file in /proc says that it has 0 bytes, whatever it gives.
    with pytest.raises(NoSmallFileError, match="^has more than 0 KiB$"):
        read_bounded(Path("/proc/self/status"), most_bytes=16)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    path, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(path)
    file.write_text("text")
    looked_at = file.stat()
    monkeypatch.setattr(type(path), "stat", lambda _self: looked_at)

    def read():
        with pytest.raises(NoSmallFileError, match="is a pipe"):
            read_bounded(path, most_bytes=9)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout=5)
    assert not reader.is_alive()


def test_the_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingError, match=f"^No file {tmp_path / 'none'}; expected {EXPECTED}$"):
        read_small(tmp_path / "none", most_bytes=9, expected=EXPECTED)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(SettingError, match="circle cannot be read .*; expected"):
        read_small(tmp_path / "circle", most_bytes=9, expected=EXPECTED)
    with pytest.raises(SettingError, match="cannot be read .*null.*; expected"):
        read_small(tmp_path / "nul\0", most_bytes=9, expected=EXPECTED)


def test_our_records_are_read_that_way(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(SettingError, match="result.json is a pipe; expected"):
        read_json(tmp_path / "result.json", EXPECTED)
