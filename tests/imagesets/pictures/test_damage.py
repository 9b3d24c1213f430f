"""Pictures that are cut, altered or made to harm: nothing damaged passes, as far as a format lets anybody know."""

import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from focalseg.errors import DataError
from focalseg.imagesets.pictures.reading import read_header, read_image
from imagesets.mutation import mutate
from imagesets.pictures.samples import GREY, PICTURES, SIZE_TAGS, encode, kinds, make_png, make_tiff, refuse


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_is_cut_anywhere_is_refused(write, name):
    content = PICTURES[name]
    used = len(content)
    if name == "pages.tif":
        # Pillow fills the last page up to 16 bytes, which no page refers to.
        used = len(content.rstrip(b"\0"))
    lengths = {used * tenth // 10 for tenth in range(10)} | {used - less for less in range(1, 9)}
    for length in lengths:
        assert kinds(refuse(write(name, content[:length])))[0] in ("damaged", "empty_file", "not_an_image")


@pytest.mark.parametrize("name", ["colour.png", "wide.png", "palette.png", "bits.png", "deflate.tif"])
def test_one_flipped_bit_is_found_where_there_are_checksums(write, name):
    random = np.random.default_rng(7)
    content = PICTURES[name]
    # The strip of the TIFF begins at byte 8; before and behind it lie numbers without a checksum.
    end = len(content) if name.endswith("png") else 1000
    for place in random.integers(0 if name.endswith("png") else 8, end, 120):
        altered = bytearray(content)
        altered[place] ^= 1 << int(random.integers(8))
        refuse(write(name, bytes(altered)))


ROW_DATA = b"".join(b"\0" + row.tobytes() for row in GREY)
BLACK_ROWS = bytes(61 * 45)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (make_png(zlib.compress(ROW_DATA)) + b"junk", "has 4 bytes after the end of the image"),
        (make_png(zlib.compress(ROW_DATA[:-61])), "is altered: its pixels take 2,684 bytes where its size needs 2,745"),
        (make_png(zlib.compress(BLACK_ROWS[:-61])), "is altered: its pixels take 2,684 bytes where its size needs 2,745"),
        (make_png(zlib.compress(ROW_DATA)[:-300]), "cannot be decoded (image file is truncated (0 bytes not processed))"),
        (make_png(zlib.compress(ROW_DATA))[:-13] + b"!" + make_png(zlib.compress(ROW_DATA))[-12:],
         "is altered: the checksum of its part IDAT at byte 33 is wrong"),
    ],
)  # fmt: skip
def test_a_png_whose_parts_do_not_fit_is_refused(write, content, found):
    path = write("image.png", content)
    assert str(refuse(path)) == f"{path}: {found}; expected an undamaged file. Replace the file."


def test_a_jpeg_that_lost_its_middle_is_refused(write):
    content = encode(np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8), "JPEG")
    path = write("image.jpg", content[: len(content) // 2] + content[len(content) // 2 + 2000 :])
    assert str(refuse(path)) == (
        f"{path}: lacks a part of its pixels, which would come out grey; expected an undamaged file. Replace the file."
    )


def test_a_jpeg_that_lost_a_restart_interval_is_refused(write):
    content = PICTURES["restarts.jpg"]
    first, second = content.index(b"\xff\xd1"), content.index(b"\xff\xd2")
    assert "a part of its pixels is missing" in str(refuse(write("image.jpg", content[:first] + content[second:])))


def test_a_tiff_whose_pages_form_a_circle_is_refused(write):
    content = bytearray(make_tiff({**SIZE_TAGS, 258: (3, 8), 262: (3, 1)}, GREY.tobytes()))
    content[-4:] = content[4:8]
    for read in (read_header, read_image):
        assert "is altered: its pages form a circle" in str(refuse(write("image.tif", bytes(content)), read))


def test_a_jpeg_of_very_many_passes_is_refused(write):
    content = PICTURES["progressive.jpg"]
    scan = content.rindex(b"\xff\xda")
    path = write("image.jpg", content[:scan] + content[scan:-2] * 100 + content[-2:])
    assert "has more than 100 passes over its pixels" in str(refuse(path))


def test_a_strip_that_unpacks_to_more_than_its_size_is_refused_within_bounds(write):
    bomb = zlib.compress(bytes(50_000_000))
    started = time.perf_counter()
    content = make_tiff({**SIZE_TAGS, 259: (3, 8), 258: (3, 8), 262: (3, 1)}, bomb)
    assert "the pixels of page 1 take more than 2,700 bytes" in str(refuse(write("image.tif", content)))
    assert time.perf_counter() - started < 2


def test_libtiff_says_nothing_on_the_standard_error(write, capfd):
    content = bytearray(PICTURES["lzw.tif"])
    content[200:300] = bytes(100)
    refuse(write("image.tif", bytes(content)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_mutants_are_refused_by_name_or_read_with_a_right_shape(write):
    random = np.random.default_rng(2026)
    names = list(PICTURES)
    refusals: list[tuple[Path, DataError]] = []
    slowest = 0.0
    for number in range(2_000):
        name = names[number % len(names)]
        path = write(name, mutate(PICTURES[name], random))
        started = time.perf_counter()
        try:
            image, _ = read_image(path)
        except DataError as error:
            refusals.append((path, error))
        else:
            assert not name.endswith("png") or image.shape[-2:] == (45, 60)
            assert image.ndim in (3, 4)
            assert image.shape[0] in (1, 3)
            assert image.dtype in (np.uint8, np.uint16, np.int16, np.float32)
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 2
    assert len(refusals) > 1_000
    assert all(fault.startswith(f"{path}: ") for path, error in refusals for fault in error.faults)
