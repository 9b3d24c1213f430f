"""Samples of TIFFs that Pillow does not give: 16 bits a colour, more than three, planes one by one, any order of bytes."""

import struct

import numpy as np
import pytest

from imagesets.corpus.tiff_faults import write_tiff
from imagesets.pictures.samples import COLOUR, GREY, SIZE_TAGS, WIDE, WIDE_COLOUR, encode, kinds, make_tiff, planes


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
@pytest.mark.parametrize("colours", [COLOUR, WIDE_COLOUR])
def test_colours_of_8_and_16_bits_are_read(read, planarconfig, options, colours):
    pixels = colours if planarconfig == "contig" else colours.transpose(2, 0, 1)
    image, notes = read(write_tiff(pixels, photometric="rgb", planarconfig=planarconfig, **options))
    assert image.dtype == colours.dtype
    assert np.array_equal(image, colours.transpose(2, 0, 1))
    assert notes == ()


@pytest.mark.parametrize(
    ("compression", "predictor"),
    [("raw", 1), ("packbits", 1), ("tiff_lzw", 1), ("tiff_lzw", 2), ("tiff_adobe_deflate", 1), ("tiff_adobe_deflate", 2)],
)
def test_colours_of_16_bits_are_read_through_libtiff(read, compression, predictor):
    """Written by Pillow as 8-bit samples that are the halves of 16-bit ones, with the tags of the latter."""
    whole = WIDE_COLOUR.astype("<u2")
    if predictor == 2:
        whole = np.diff(whole, axis=1, prepend=np.zeros((45, 1, 3), "<u2")).astype("<u2")
    content = encode(whole.view(np.uint8).reshape(45, 360), "TIFF", compression=compression)
    told = retag(content, {256: 60, 262: 2, 277: 3, 317: predictor}, bits=16)
    assert np.array_equal(read(told)[0], WIDE_COLOUR.transpose(2, 0, 1))


def retag(content, changed, *, bits):
    """A grey TIFF of 8 bits, told to be of three samples of so many bits, with other values of some tags."""
    start = int.from_bytes(content[4:8], "little")
    number = int.from_bytes(content[start : start + 2], "little")
    entries = {}
    for at in range(start + 2, start + 2 + 12 * number, 12):
        tag = int.from_bytes(content[at : at + 2], "little")
        entries[tag] = content[at : at + 12]
    place = len(content) + len(content) % 2
    for tag, value in changed.items():
        entries[tag] = struct.pack("<HHIHH", tag, 3, 1, value, 0)
    entries[258] = struct.pack("<HHII", 258, 3, 3, place)
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    body = content + b"\0" * (len(content) % 2) + struct.pack("<HHH", bits, bits, bits)
    body += b"\0" * (len(body) % 2)
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + directory


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("samples", [2, 5])
def test_any_number_of_samples_are_channels(read, planarconfig, kind, samples):
    pixels = planes(samples, kind=kind)
    stored = pixels.transpose(1, 2, 0) if planarconfig == "contig" else pixels
    image, notes = read(write_tiff(stored, planarconfig=planarconfig))
    assert image.dtype == kind
    assert np.array_equal(image, pixels)
    assert notes == ()


def test_a_fourth_sample_that_is_no_alpha_is_a_channel(read):
    pixels = np.dstack([COLOUR, GREY])
    image, notes = read(write_tiff(pixels, photometric="rgb", extrasamples=["unspecified"]))
    assert np.array_equal(image, pixels.transpose(2, 0, 1))
    assert notes == ()


@pytest.mark.parametrize("colours", [COLOUR, WIDE_COLOUR])
def test_an_alpha_sample_is_dropped_where_it_hides_nothing_and_refused_where_it_does(read, refused, colours):
    full = np.iinfo(colours.dtype).max
    alpha = np.full((45, 60), full, colours.dtype)
    for options in ({}, {"bigtiff": True, "byteorder": ">"}):
        image, notes = read(write_tiff(np.dstack([colours, alpha]), photometric="rgb", extrasamples=["unassalpha"], **options))
        assert np.array_equal(image, colours.transpose(2, 0, 1))
        assert [note.kind for note in notes] == ["alpha_dropped"]
    alpha[:2, :3] = full - 1
    error = refused(write_tiff(np.dstack([colours, alpha]), photometric="rgb", extrasamples=["unassalpha"]))
    assert kinds(error) == ["transparent"]
    assert "has 6 transparent pixels" in str(error)


@pytest.mark.parametrize(
    ("stored", "read_as"),
    [(GREY, np.uint8), (WIDE, np.uint16), (GREY.astype(np.int16) - 99, np.int16), (GREY / np.float32(7), np.float32),
     (GREY.astype(np.int32) - 70_000, np.float32), (GREY.astype(np.uint32) * 9, np.float32),
     (GREY.astype(np.int8), np.int16), (GREY.astype(np.float16), np.float32)],
)  # fmt: skip
def test_a_big_tiff_in_motorola_order_is_read(read, stored, read_as):
    image, notes = read(write_tiff(stored, bigtiff=True, byteorder=">"))
    assert image.dtype == read_as
    assert np.array_equal(image[0], stored)
    assert notes == ()


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float16, np.float32])
def test_numbers_are_what_was_stored_in_either_order_packed_or_not(read, kind, order, compression):
    stored = (GREY.astype(np.int32) - (0 if np.issubdtype(kind, np.unsignedinteger) else 99)).clip(-99, 100).astype(kind)
    image, notes = read(write_tiff(stored, byteorder=order, compression=compression))
    assert np.array_equal(image[0], stored)
    assert notes == ()


def draw_planes(random):
    """Planes (C, D, H, W) of numbers of some type, as stored, and the options to write them with."""
    kind = np.dtype(random.choice(["uint8", "uint16", "float32", "int16"]))
    channels, slices = int(random.choice([1, 2, 5])), int(random.choice([1, 3]))
    height, width = random.integers(17, 50, 2)
    pixels = random.integers(0, 200, (channels, slices, height, width)).astype(kind)
    options = {"byteorder": random.choice(["<", ">"]), "bigtiff": bool(random.random() < 0.4)}
    if random.random() < 0.6:
        options |= {"compression": "zlib", "predictor": 2 if kind.kind != "f" and random.random() < 0.5 else None}
    options |= {"tile": (16, 32)} if random.random() < 0.4 else {"rowsperstrip": int(random.integers(1, height))}
    return pixels, {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}


@pytest.mark.parametrize("way", ["ome", "shaped", "samples", "planes"])
def test_whatever_is_written_is_read_as_it_was(read, way):
    random = np.random.default_rng(11)
    for _ in range(25):
        pixels, options = draw_planes(random)
        if way in ("ome", "shaped"):
            axes = str(random.choice(["CZYX", "ZCYX"]))
            stored = pixels if axes == "CZYX" else pixels.transpose(1, 0, 2, 3)
            content = write_tiff(stored, ome=way == "ome", metadata={"axes": axes}, **options)
        else:
            pixels = pixels[:, :1]
            stored = pixels[:, 0] if way == "planes" else pixels[:, 0].transpose(1, 2, 0)
            plan = {"planarconfig": "separate" if way == "planes" else "contig"} if len(pixels) > 1 else {}
            content = write_tiff(stored if plan else pixels[0, 0], metadata=None, **plan, **options)
        image, notes = read(content)
        expected = pixels if pixels.shape[1] > 1 else pixels[:, 0]
        assert image.dtype == pixels.dtype
        assert np.array_equal(image, expected), (pixels.shape, pixels.dtype, options)
        assert notes == ()


def test_packed_numbers_that_would_be_turned_twice_are_refused_where_they_cannot_be_checked(refused):
    content = write_tiff(GREY.astype(np.float32), byteorder=">", compression="zlib")
    place = content.index(struct.pack(">HHI", 259, 3, 1)) + 8
    told = content[:place] + struct.pack(">H", 5) + content[place + 2 :]
    sentence = "has 1 sample of 32 bits in the compression LZW; expected no compression or deflate, for such samples"
    assert sentence in str(refused(told))


def test_white_that_is_zero_is_inverted_in_any_number_of_samples(read):
    pixels = np.stack([GREY, 255 - GREY // 2])
    image, _ = read(write_tiff(pixels, photometric="miniswhite", planarconfig="separate", bigtiff=True, byteorder=">"))
    assert np.array_equal(image, 255 - pixels)


def test_samples_in_a_compression_that_cannot_be_checked_are_refused_with_a_mend_that_works(read, refused, tmp_path):
    stored = np.dstack([GREY, GREY, GREY])
    two = retag(encode(stored.reshape(45, 180), "TIFF", compression="tiff_lzw"), {256: 60, 277: 3}, bits=8)
    error = refused(two)
    assert str(error) == (
        f"{tmp_path / 'image.tif'}: has 3 samples of 8 bits in the compression LZW; expected no compression or deflate, for "
        "such samples. Save it without compression, or with deflate."
    )
    assert read(write_tiff(stored, planarconfig="contig"))[0].shape == (3, 45, 60)


def test_numbers_of_64_bits_and_complex_ones_are_refused(refused):
    assert kinds(refused(write_tiff(GREY.astype(np.float64)))) == ["not_supported"]
    assert kinds(refused(write_tiff(GREY.astype(np.complex64)))) == ["not_real"]


def test_many_samples_are_refused_by_their_size(refused):
    tags = {**SIZE_TAGS, 277: (3, 40_000), 258: (3, 16), 262: (3, 1)}
    assert kinds(refused(make_tiff(tags, bytes(60 * 45 * 2)))) == ["damaged"]


def test_a_packed_big_tiff_in_motorola_order_is_refused_with_a_true_sentence(refused):
    content = write_tiff(GREY, bigtiff=True, byteorder=">", compression="zlib")
    place = content.index(struct.pack(">HHQ", 259, 3, 1)) + 12
    told = content[:place] + struct.pack(">H", 5) + content[place + 2 :]
    sentence = "has 1 sample of 8 bits in the compression LZW; expected no compression or deflate, for a big-endian BigTIFF"
    assert sentence in str(refused(told))
