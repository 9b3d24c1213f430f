"""`focalseg check`: what it prints, what it writes, its status, and what it refuses."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.corpus.fault import fingerprint
from imagesets.corpus.pictures import COUNT, PLANTED, black_and_white, draw_image, encode, replace, write_pictures

TIMES = "\N{MULTIPLICATION SIGN}"
NAME = f"case_{PLANTED}.png"


@pytest.fixture
def source(tmp_path):
    return write_pictures(tmp_path / "data")


def plant(source: Path) -> list[str]:
    """Three faults, as the lines of their errors."""
    (source / "masks" / "case_1.png").unlink()
    (source / "images" / "case_2.png").write_bytes(b"")
    replace(source, "masks", encode(black_and_white(PLANTED), "JPEG", quality=80))
    return [f"error: {finding}" for finding in survey_dataset(open_dataset(str(source))).errors]


def check_on_a_terminal(source: Path, columns: int = 100) -> tuple[int, str]:
    """Status of `focalseg check` and all that it showed on a terminal of so many columns."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    call = [sys.executable, "-m", "focalseg", "check", str(source)]
    with subprocess.Popen(call, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error to read
            while chunk := os.read(controller, 1 << 16):
                shown += chunk
    os.close(controller)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", shown.decode())  # without colours and moves


def test_good_data_is_described_and_ends_with_what_to_do_next(focalseg, source):
    outcome = focalseg("check", source)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[:4] == [
        str(source),
        "  layout          images and masks",
        f"  cases           {COUNT}",
        f"  images          40 {TIMES} 32 pixels, 3 channels of uint8",
    ]
    assert re.fullmatch(r"  intensities     \d+ to \d+, mean \S+ ± \S+, \S+ ± \S+, \S+ ± \S+ by channel", lines[4])
    assert lines[5] == f"  labels          foreground in {COUNT} cases"
    assert lines[-1] == f"{COUNT} cases, no errors, no notes. Next: focalseg place {source} --out OUT"


def test_every_error_is_on_stdout_and_on_stderr_with_file_found_expected_and_mend(focalseg, source):
    faults = plant(source)
    outcome = focalseg("check", source)
    assert outcome.status == 3
    errors = outcome.err.splitlines()
    assert errors == faults
    assert f"error: {source}/images/case_2.png: has 0 bytes; expected an image. Replace the file." in errors
    assert any(
        line.startswith(f"error: {source}/images/case_1.png: has no mask in {source}/masks; expected ") for line in errors
    )
    assert any(line.startswith(f"error: {source}/masks/{NAME}: ") for line in errors)
    printed = outcome.out.splitlines()
    assert {line.removeprefix("error: ") for line in errors} < set(printed)
    assert "1 error: an image without a mask" in printed
    assert printed[-1] == (
        f"{COUNT - 3} cases readable, 3 errors, no notes. "
        "Mend the errors, or let --repair DIR write a copy with 1 of them mended, and check again."
    )


def test_errors_come_before_notes(focalseg, source):
    replace(source, "masks", encode(np.zeros((32, 40), np.uint8)), number=0)
    (source / "images" / "case_2.png").write_bytes(b"")
    titles = [line for line in focalseg("check", source).out.splitlines() if re.match(r"\d+ (error|note)s?: ", line)]
    assert titles == ["1 error: a file of no bytes", "1 note: an empty mask"]


def test_many_notes_of_one_kind_are_cut_short_and_errors_never(focalseg, tmp_path):
    source = write_pictures(tmp_path / "data", 60)
    for number in range(25):
        replace(source, "masks", encode(np.zeros((32, 40), np.uint8)), number=number)
    for number in range(25, 50):
        (source / "images" / f"case_{number}.png").write_bytes(b"")
    outcome = focalseg("check", source)
    printed = outcome.out.splitlines()
    assert sum("is empty" in line for line in printed) == 20
    assert "25 notes: an empty mask" in printed
    assert "and 5 more; --json and the page of --out have them all" in printed
    assert sum("has 0 bytes" in line for line in printed) == 25
    assert len(outcome.err.splitlines()) == 25
    assert sum(note["kind"] == "empty_mask" for note in json.loads(focalseg("check", source, "--json").out)["notes"]) == 25


def test_notes_that_need_nothing_are_one_line_below_those_that_need_a_look(focalseg, source):
    for number in range(COUNT):
        red = black_and_white(number)[..., None] * np.array([1, 0, 0], np.uint8)
        replace(source, "masks", encode(red), number=number)
    replace(source, "masks", encode(np.zeros((32, 40, 3), np.uint8)), number=0)
    outcome = focalseg("check", source)
    printed = outcome.out.splitlines()
    [quiet] = [line for line in printed if "saved in colour" in line]
    assert quiet == (
        f"{COUNT} x a black and white mask saved in colour: {source}/masks/case_0.png, {source}/masks/case_1.png, "
        f"{source}/masks/case_2.png and {COUNT - 3} more. Nothing need be done: it is read as grey."
    )
    assert printed.index("1 note: an empty mask") < printed.index(quiet)
    assert printed[-1].startswith(f"{COUNT} cases, no errors, 1 note and {COUNT} that need nothing. Next: ")
    assert len(json.loads(focalseg("check", source, "--json").out)["notes"]) == COUNT + 1


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False])
def test_errors_are_told_once_where_both_streams_go_to_one_place(source, same):
    faults = plant(source)
    call = [sys.executable, "-m", "focalseg", "check", str(source)]
    stderr = subprocess.STDOUT if same else subprocess.PIPE
    answer = subprocess.run(call, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
    assert answer.returncode == 3
    assert (answer.stderr or "").splitlines() == ([] if same else faults)
    for fault in faults:
        assert answer.stdout.splitlines().count(fault.removeprefix("error: ")) == 1
        assert (fault in answer.stdout.splitlines()) is False


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX systems")
def test_a_terminal_gets_one_line_where_the_errors_go_through_a_pager(source):
    plant(source)
    controller, terminal = pty.openpty()
    call = [sys.executable, "-m", "focalseg", "check", str(source)]
    answer = subprocess.run(call, stdout=subprocess.PIPE, stderr=terminal, text=True, check=False)
    os.close(terminal)
    shown = os.read(controller, 1 << 16).decode()
    os.close(controller)
    assert answer.returncode == 3
    assert f"error: {source}: has 3 errors, told on standard output; expected none. Mend them." in shown
    assert "case_1.png" not in shown
    assert answer.stdout.count("has no mask in") == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX systems")
def test_a_terminal_shows_every_error_once_whole_and_its_name_is_no_markup(source):
    plant(source)
    (source / "images" / "[red]case[.png").write_bytes(encode(draw_image(0)))
    status, shown = check_on_a_terminal(source, columns=2 * len(str(source)) + 90)
    assert status == 3
    assert "error: " not in shown.replace("1 error: ", "")
    for name in ("images/case_1.png", "images/case_2.png", f"masks/{NAME}", "images/[red]case[.png"):
        assert sum(line.startswith(f"{source}/{name} ") for line in shown.splitlines()) == 1
    assert "\nexpected an image. Replace the file.\n" in shown
    status, narrow = check_on_a_terminal(source, columns=60)
    assert "\N{HORIZONTAL ELLIPSIS}" not in narrow
    folded = "".join(line[:60].split("  ")[0] for line in narrow.splitlines())
    assert f"{source}/images/case_1.png" in folded


def test_json_is_one_strict_object_with_every_finding(focalseg, source):
    plant(source)
    outcome = focalseg("check", source, "--json")
    assert outcome.status == 3
    assert len(outcome.err.splitlines()) == 3
    content = json.loads(outcome.out, parse_constant=pytest.fail)
    assert list(content) == ["schema", "data", "layout", "cases", "groups", "labels", "errors", "notes", "fingerprint"]
    assert (content["schema"], content["data"], content["layout"]) == (1, str(source), "images and masks")
    assert (content["cases"], content["groups"], content["labels"]) == (COUNT - 3, COUNT - 3, ["foreground"])
    assert {
        "kind": "empty_file",
        "level": "error",
        "file": f"{source}/images/case_2.png",
        "found": "has 0 bytes",
        "expected": "an image",
        "mend": "Replace the file.",
        "others": [],
        "repairable": False,
    } in content["errors"]
    assert [fault["kind"] for fault in content["errors"]] == ["no_mask", "empty_file", "in_between"]


def test_out_gets_the_page_and_the_object_and_may_be_filled_again(focalseg, source, tmp_path):
    out = tmp_path / "not" / "there"
    outcome = focalseg("check", source, "--out", out)
    assert outcome.status == 0
    assert f"page: {out}/index.html" in outcome.out.splitlines()
    assert {path.name for path in out.iterdir()} == {"index.html", "check.json"}
    assert (out / "check.json").read_text() == focalseg("check", source, "--json").out
    before = fingerprint(out)
    assert focalseg("check", source, "--out", out).status == 0
    assert {path: found[0] for path, found in fingerprint(out).items()} == {path: found[0] for path, found in before.items()}


def test_repair_writes_a_copy_and_says_what_is_left(focalseg, source, tmp_path):
    plant(source)
    before, copy = fingerprint(source), tmp_path / "copy"
    outcome = focalseg("check", source, "--repair", copy)
    assert outcome.status == 3
    lines = outcome.out.splitlines()
    assert lines[-4:] == [
        f"copy: {copy}: 1 file mended, {2 * COUNT - 5} copied as they are, 1 case left out; log: {copy}/repair.csv",
        "left out of the copy: case_2",
        f"check of the copy: {COUNT - 2} cases, no errors, no notes",
        f"{COUNT - 3} cases readable, 3 errors, no notes. Next: focalseg place {copy} --out OUT",
    ]
    assert fingerprint(source) == before
    assert focalseg("check", copy).status == 0


def test_the_lines_beside_a_json_object_are_on_stderr(focalseg, source, tmp_path):
    outcome = focalseg("check", source, "--json", "--out", tmp_path / "out", "--repair", tmp_path / "copy")
    assert json.loads(outcome.out)["errors"] == []
    assert outcome.err.splitlines()[0] == f"page: {tmp_path}/out/index.html"
    assert "copy: " in outcome.err


def test_a_set_of_which_nothing_can_be_copied_still_lists_its_errors(focalseg, tmp_path):
    source = write_pictures(tmp_path / "data", 2)
    for path in (source / "images").iterdir():
        path.write_bytes(b"")
    outcome = focalseg("check", source, "--repair", tmp_path / "copy")
    assert outcome.status == 3
    assert len(outcome.err.splitlines()) == 2
    assert f"no copy was written: {source}: has no case that can be copied or mended; " in outcome.out
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("option", ["--out", "--repair"])
@pytest.mark.parametrize("place", ["data", "data/deep/er"])
def test_a_folder_in_the_data_is_refused_before_anything_is_read(focalseg, source, tmp_path, option, place):
    before = fingerprint(source)
    outcome = focalseg("check", source, option, tmp_path / place)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: {tmp_path / place} lies in {source}, which is never written to; give a folder outside of it as {option}.\n"
    )
    assert fingerprint(source) == before


@pytest.mark.parametrize("option", ["--out", "--repair"])
@pytest.mark.parametrize("kind", ["file", "other files"])
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(focalseg, source, tmp_path, option, kind):
    folder = tmp_path / "folder"
    if kind == "file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        (folder / "index.html").write_text("mine")
    before = fingerprint(tmp_path)
    outcome = focalseg("check", source, option, folder)
    assert (outcome.status, outcome.out) == (2, "")
    assert re.fullmatch(rf"error: {folder} is (a file|not empty).*(--out|--repair|[Gg]ive another path)\.\n", outcome.err)
    assert fingerprint(tmp_path) == before


def test_the_page_does_not_go_into_the_copy(focalseg, source, tmp_path):
    outcome = focalseg("check", source, "--repair", tmp_path / "copy", "--out", tmp_path / "copy" / "page")
    assert outcome.status == 2
    assert outcome.err == (
        f"error: --out {tmp_path}/copy/page lies in --repair {tmp_path}/copy, which holds the copy alone; "
        "give a folder outside of it.\n"
    )


def test_a_missing_folder_and_one_of_no_known_layout_are_told_apart(focalseg, tmp_path):
    absent = focalseg("check", tmp_path / "absent")
    assert (absent.status, absent.out) == (2, "")
    assert absent.err.startswith(f"error: No folder {tmp_path}/absent; expected a folder with images/ and masks/")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("no images")
    other = focalseg("check", tmp_path / "other")
    assert (other.status, other.out) == (3, "")
    assert other.err.startswith(f"error: {tmp_path}/other: holds notes.txt; expected images/ and masks/")


@pytest.mark.slow
def test_built_in_images_are_checked_too_and_not_repaired(focalseg, tmp_path):
    outcome = focalseg("check", "phantom:vessel")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "200 cases, no errors, no notes. Next: focalseg place phantom:vessel --out OUT"
    outcome = focalseg("check", "phantom:polyp", "--repair", tmp_path / "copy")
    assert (outcome.status, outcome.out) == (2, "")
    assert "phantom:polyp is drawn, not read from files" in outcome.err


def test_a_name_that_cannot_be_printed_does_not_break_its_line(focalseg, source):
    (source / "images" / "a\nb.png").write_bytes(encode(draw_image(0)))
    outcome = focalseg("check", source)
    assert outcome.status == 3
    assert r"a\nb.png" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_volumes_are_described_with_their_spacing(focalseg, write_volumes, tmp_path):
    outcome = focalseg("check", write_volumes(tmp_path / "volumes", count=4))
    assert outcome.status == 0, outcome.err
    assert f"  images          13 {TIMES} 12 {TIMES} 10 voxels, 1 channel of float32" in outcome.out
    assert f"  spacing         0.5 {TIMES} 1 {TIMES} 2 mm" in outcome.out
    assert "  labels          label_1 in 4 cases, label_2 in 4 cases" in outcome.out


def test_what_comes_next_is_a_command_that_works_or_what_stops_it(focalseg, tmp_path):
    few = write_pictures(tmp_path / "few", 4)
    assert focalseg("check", few).out.splitlines()[-1] == (
        f"4 cases, no errors, no notes. Next: focalseg place {few} --out OUT --set split.folds=4"
    )
    (few / "cases.csv").write_text("id,patient\n" + "".join(f"case_{number},anna\n" for number in range(4)))
    outcome = focalseg("check", few, "--out", tmp_path / "page")
    assert outcome.status == 0
    last = outcome.out.splitlines()[-1]
    assert last.startswith(
        "4 cases, no errors, no notes. A job cannot start yet: The data has 4 cases in 1 group that stays together; "
    )
    assert "A job cannot start yet: The data has 4 cases in 1 group" in (tmp_path / "page" / "index.html").read_text()
