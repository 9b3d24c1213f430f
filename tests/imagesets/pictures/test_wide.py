"""PNGs of 16 bits a colour, which are read to the last bit."""

import struct
import zlib

import numpy as np
import pytest

from focalseg.imagesets.pictures.reading import read_image
from imagesets.corpus.pictures import encode_png
from imagesets.pictures.samples import WIDE, WIDE_COLOUR, chunk, encode, kinds, make_png, refuse


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def test_colours_of_16_bits_are_read_to_the_last_bit(write):
    for interlaced in (False, True):
        path = write("image.png", encode_png(WIDE_COLOUR, depth=16, interlaced=interlaced))
        image, notes = read_image(path)
        assert image.dtype == np.uint16
        assert np.array_equal(image, WIDE_COLOUR.transpose(2, 0, 1))
        assert notes == ()


def test_alpha_of_16_bits_is_dropped_where_it_hides_nothing_and_refused_where_it_does(write):
    alpha = np.full((45, 60), 65535, np.uint16)
    image, notes = read_image(write("image.png", wide_rgba(np.dstack([WIDE_COLOUR, alpha]))))
    assert np.array_equal(image, WIDE_COLOUR.transpose(2, 0, 1))
    assert kinds_of(notes) == ["alpha_dropped"]
    alpha[0, :3] = 65534, 255, 0
    error = refuse(write("image.png", wide_rgba(np.dstack([WIDE_COLOUR, alpha]))))
    assert "has 3 transparent pixels" in str(error)
    key = struct.pack(">HHH", *WIDE_COLOUR[0, 0].tolist())
    rows = b"".join(b"\0" + row.tobytes() for row in WIDE_COLOUR.astype(">u2"))
    keyed = make_png(zlib.compress(rows), bits=16, colour=2, before=chunk(b"tRNS", key))
    clear = int(np.equal(WIDE_COLOUR, WIDE_COLOUR[0, 0]).all(axis=2).sum())
    assert f"has {clear:,} transparent pixels" in str(refuse(write("image.png", keyed)))


def wide_rgba(pixels):
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2"))
    return make_png(zlib.compress(rows), bits=16, colour=6)


def kinds_of(notes):
    return [note.kind for note in notes]


def test_grey_of_16_bits_with_alpha_is_refused_with_a_mend_that_works(write):
    rows = b"".join(b"\0" + row.tobytes() for row in np.dstack([WIDE, WIDE * 0 + 65535]).astype(">u2"))
    path = write("image.png", make_png(zlib.compress(rows), bits=16, colour=4))
    assert str(refuse(path)) == (
        f"{path}: has an alpha channel beside grey of 16 bits; expected a plain image. Save it without the alpha channel."
    )
    assert np.array_equal(read_image(write("mended.png", encode(WIDE, "PNG")))[0][0], WIDE)


def test_half_a_picture_of_16_bits_a_colour_is_damaged(write):
    rows = b"".join(b"\0" + row.tobytes() for row in WIDE_COLOUR[:20].astype(">u2"))
    assert kinds(refuse(write("image.png", make_png(zlib.compress(rows), bits=16, colour=2)))) == ["damaged"]
