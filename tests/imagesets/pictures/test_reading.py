"""Pictures: what is read, what is refused, and in which words."""

import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalseg.imagesets.pictures.reading import MOST_PIXELS, SUFFIXES, read_header, read_image, sniff
from imagesets.pictures.samples import (
    COLOUR,
    GREY,
    PICTURES,
    SIZE_TAGS,
    WIDE,
    chunk,
    encode,
    kinds,
    make_png,
    make_tiff,
    refuse,
)


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


# What is read


@pytest.mark.parametrize("name", ["colour.png", "colour.bmp", "colour.tif", "lzw.tif", "deflate.tif"])
def test_colour_keeps_its_pixels_with_the_channels_first(write, name):
    image, notes = read_image(write(name, PICTURES[name]))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.array_equal(image, COLOUR.transpose(2, 0, 1))
    assert notes == ()


@pytest.mark.parametrize("name", ["grey.png", "packbits.tif", "big.tif"])
def test_grey_keeps_its_pixels_in_one_channel(write, name):
    image, notes = read_image(write(name, PICTURES[name]))
    assert np.array_equal(image, GREY[None])
    assert image.flags.writeable
    assert notes == ()


@pytest.mark.parametrize("name", ["wide.png", "wide.tif"])
def test_sixteen_bits_stay_sixteen_bits(write, name):
    image, _ = read_image(write(name, PICTURES[name]))
    assert image.dtype == np.uint16
    assert np.array_equal(image, WIDE[None])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("tags", "dtype", "stored", "read"),
    [
        ({258: 16, 262: 1}, "u2", WIDE, np.uint16),
        ({258: 16, 262: 1, 339: 2}, "i2", WIDE.astype(np.int32) - 30_000, np.int16),
        ({258: 32, 262: 1, 339: 2}, "i4", GREY.astype(np.int32) - 70_000, np.float32),
        ({258: 32, 262: 1, 339: 3}, "f4", GREY / 4 - 9, np.float32),
        ({258: 8, 262: 1, 339: 2}, "i1", GREY.astype(np.int32) // 2 - 100, np.int16),
    ],
)
def test_numbers_of_a_tiff_are_what_was_stored(write, order, tags, dtype, stored, read):
    numbers = np.asarray(stored).astype(order + dtype)
    content = make_tiff({**SIZE_TAGS, **{tag: (3, value) for tag, value in tags.items()}}, numbers.tobytes(), order)
    image, _ = read_image(write("image.tif", content))
    assert image.dtype == read
    assert np.array_equal(image[0], stored)


@pytest.mark.parametrize(("bits", "dtype", "top"), [(8, np.uint8, 255), (16, np.uint16, 65535)])
def test_a_tiff_whose_white_is_zero_is_inverted(write, bits, dtype, top):
    content = make_tiff({**SIZE_TAGS, 258: (3, bits), 262: (3, 0)}, GREY.astype(dtype).tobytes())
    assert np.array_equal(read_image(write("image.tif", content))[0][0], top - GREY.astype(dtype))


def test_one_bit_is_black_and_white(write):
    image, _ = read_image(write("bits.png", PICTURES["bits.png"]))
    assert np.array_equal(image[0], np.asarray(Image.fromarray(GREY).convert("1")) * 255)


@pytest.mark.parametrize("name", ["palette.png", "palette.bmp"])
def test_a_palette_is_read_as_its_colours(write, name):
    expected = np.asarray(Image.fromarray(GREY).quantize(16).convert("RGB"))
    assert np.array_equal(read_image(write(name, PICTURES[name]))[0], expected.transpose(2, 0, 1))


def test_a_gif_of_greys_shows_these_greys(write):
    image, _ = read_image(write("grey.gif", PICTURES["grey.gif"]))
    assert np.array_equal(image, np.stack([GREY] * 3))


@pytest.mark.parametrize("name", ["colour.jpg", "progressive.jpg", "restarts.jpg", "jpeg.tif"])
def test_a_jpeg_is_near_what_it_was_made_of(write, name):
    image, notes = read_image(write(name, PICTURES[name]))
    assert np.abs(image.astype(int) - COLOUR.transpose(2, 0, 1)).mean() < 8
    assert notes == ()


def test_pages_of_one_size_are_a_stack(write):
    image, _ = read_image(write("pages.tif", PICTURES["pages.tif"]))
    assert image.shape == (1, 2, 45, 60)
    assert np.array_equal(image[0, 1], GREY // 2)


def test_what_follows_a_jpeg_is_left_alone(write):
    plain, _ = read_image(write("a.jpg", PICTURES["colour.jpg"]))
    longer, _ = read_image(write("b.jpg", PICTURES["colour.jpg"] + PICTURES["colour.jpg"]))
    assert np.array_equal(plain, longer)


def test_the_first_picture_of_a_phone_is_read(write):
    other = Image.fromarray(255 - COLOUR)
    content = encode(Image.fromarray(COLOUR), "MPO", save_all=True, append_images=[other])
    path = write("phone.jpg", content)
    image, notes = read_image(path)
    assert notes == ()
    assert read_header(path).pages == 1
    assert np.abs(image.astype(int) - COLOUR.transpose(2, 0, 1)).mean() < 8


def test_a_grey_corner_is_no_damage(write):
    image = np.full((45, 60), 128, np.uint8)
    image[:9, :9] = 200
    pixels, _ = read_image(write("corner.jpg", encode(image, "JPEG", quality=95)))
    assert pixels[0, -1, -1] == 128


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1)])
def test_an_opaque_alpha_channel_is_dropped_with_a_note(write, mode, channels):
    path = write("image.png", encode(Image.fromarray(COLOUR).convert(mode), "PNG"))
    image, notes = read_image(path)
    assert image.shape == (channels, 45, 60)
    assert [str(note) for note in notes] == [
        f"{path}: has an alpha channel that is opaque everywhere; expected RGB or grey. Nothing need be done: it is left out."
    ]


def test_a_name_that_tells_another_format_is_noted(write):
    path = write("image.png", PICTURES["colour.jpg"])
    _, notes = read_image(path)
    assert [str(note) for note in notes] == [
        f"{path}: is a JPEG by its content; expected a name that does not end in .png. Rename the file."
    ]


def test_a_palette_entry_that_is_transparent_but_not_used_hides_nothing(write):
    image = Image.fromarray(GREY).quantize(16)
    assert read_image(write("image.png", encode(image, "PNG", transparency=200)))[0].shape == (3, 45, 60)


def test_an_interlaced_png_is_read(write):
    passes = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
    rows = [b"\0" + row.tobytes() for left, x, top, y in passes for row in GREY[top::y, left::x]]
    content = bytearray(make_png(zlib.compress(b"".join(rows))))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    assert np.array_equal(read_image(write("image.png", bytes(content)))[0][0], GREY)
    short = bytearray(make_png(zlib.compress(b"".join(rows[:-1]))))
    short[28:33] = content[28:33]
    assert kinds(refuse(write("short.png", bytes(short)))) == ["damaged"]


def test_a_header_tells_format_size_pages_and_mode(write):
    header = read_header(write("pages.tif", PICTURES["pages.tif"]))
    assert (header.format, header.mode, header.size, header.pages, header.orientation) == ("TIFF", "L", (60, 45), 2, 1)


@pytest.mark.parametrize("name", PICTURES)
def test_the_content_tells_the_format_and_the_header_agrees_with_the_pixels(write, name):
    path = write(name, PICTURES[name])
    header = read_header(path)
    assert header.format == sniff(PICTURES[name])
    assert path.suffix in SUFFIXES
    assert header.size == read_image(path)[0].shape[:-3:-1]


# What is refused


@pytest.mark.parametrize("read", [read_header, read_image])
@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", "empty_file", "has 0 bytes; expected an image. Replace the file."),
        (b"hello world", "not_an_image", "is text, whatever its name says, and begins with 'hello world'; expected PNG, JPEG, "
         "TIFF, BMP, GIF or NIfTI. Replace the file."),
        (b"version https://git-lfs.github.com/spec/v1\n", "not_an_image", "is a pointer of Git LFS, whose image is not there; "
         "expected PNG, JPEG, TIFF, BMP, GIF or NIfTI. Run git lfs pull."),
        (bytes(range(200, 240)), "not_an_image", "is no image, whatever its name says, and begins with the bytes c8 c9 ca cb "
         "cc cd ce cf; expected PNG, JPEG, TIFF, BMP, GIF or NIfTI. Replace the file."),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "not_supported", "is a WebP image, by its content; expected PNG, JPEG, TIFF, BMP, GIF or "
         "NIfTI. Convert the file."),
        (b"BMI,age\n22,30\n", "not_an_image", "is text, whatever its name says, and begins with 'BMI,age\\n22,30\\n'; expected "
         "PNG, JPEG, TIFF, BMP, GIF or NIfTI. Replace the file."),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_its_content(write, read, content, kind, message):
    path = write("image.png", content)
    error = refuse(path, read)
    assert kinds(error) == [kind]
    assert str(error) == f"{path}: {message}"


@pytest.mark.parametrize("read", [read_header, read_image])
def test_what_is_no_file_is_refused(tmp_path, read):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dead.png").symlink_to("nothing.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    os.mkfifo(tmp_path / "pipe.png")
    expected = {
        "folder.png": ("not_a_file", "is a folder; expected a file. Replace or remove it."),
        "pipe.png": ("not_a_file", "is a device or a pipe; expected a file. Replace or remove it."),
        "gone.png": ("not_a_file", "is not there; expected a file. Check the path."),
        "dead.png": (
            "dead_link",
            "is a link to nothing.png, which is not there; expected a link to a file. Mend or remove the link.",
        ),
        "circle.png": ("dead_link", "is a link in a circle; expected a link to a file. Mend or remove the link."),
    }
    for name, (kind, message) in expected.items():
        error = refuse(tmp_path / name, read)
        assert kinds(error) == [kind]
        assert str(error) == f"{tmp_path / name}: {message}"


def test_a_file_that_may_not_be_read_is_refused(write, monkeypatch):
    path = write("image.png", PICTURES["grey.png"])

    def forbid(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    assert str(refuse(path)) == f"{path}: may not be read; expected a file that you may read. Give read permission (chmod u+r)."


@pytest.mark.parametrize("read", [read_header, read_image])
@pytest.mark.parametrize(("width", "height"), [(13_000, 13_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1), (10_001, 10_000)])
def test_a_bomb_is_refused_by_its_header(write, read, width, height):
    path = write("bomb.png", make_png(zlib.compress(bytes(1000)), width=width, height=height))
    started = time.perf_counter()
    error = refuse(path, read)
    assert time.perf_counter() - started < 1
    assert kinds(error) == ["too_large"]
    assert f"expected at most {MOST_PIXELS:,} pixels. Make it smaller, or cut it into parts." in str(error)


def test_pages_count_against_the_limit(write):
    page = struct.pack("<H", 9)
    values = {256: 20_000, 257: 4_000, 258: 1, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4_000, 279: 10_000_000}
    page += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    content = b"II*\0" + struct.pack("<I", 8)
    for number in range(3):
        content += page + struct.pack("<I", 8 + (number + 1) * (len(page) + 4) if number < 2 else 0)
    error = refuse(write("pages.tif", content), read_header)
    assert kinds(error) == ["too_large"]
    assert "has 3 pages of 20000 x 4000 pixels; expected at most 100,000,000 pixels." in str(error)


def test_a_tiff_of_very_many_pages_is_refused_at_once(write):
    page = struct.pack("<H", 0)
    content = b"II*\0" + struct.pack("<I", 8) + b"".join(page + struct.pack("<I", 8 + 6 * at) for at in range(1, 65_536))
    started = time.perf_counter()
    for read in (read_header, read_image):
        assert kinds(refuse(write("pages.tif", content), read)) in (["too_large"], ["damaged"])
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "TIFF"])
def test_a_picture_that_is_stored_turned_is_refused(write, picture_format):
    exif = Image.Exif()
    exif[274] = 6
    content = encode(COLOUR, picture_format, exif=exif)
    path = write(f"image.{picture_format.lower()}", content)
    assert read_header(path).orientation == 6
    error = refuse(path)
    assert str(error) == (
        f"{path}: is stored turned (EXIF orientation 6); expected an image stored upright. "
        "Save it upright, so that it fits its mask."
    )


def test_a_note_to_turn_a_png_is_found_behind_its_pixels_too(write):
    exif = Image.Exif()
    exif[274] = 3
    content = make_png(zlib.compress(bytes(45 * 61)), after=chunk(b"eXIf", exif.tobytes()[6:]))
    assert kinds(refuse(write("image.png", content))) == ["turned"]


def test_an_exif_block_that_says_nothing_is_no_fault(write):
    exif = Image.Exif()
    exif[274] = 1
    assert read_image(write("image.jpg", encode(COLOUR, "JPEG", exif=exif)))[0].shape == (3, 45, 60)
    assert read_image(write("broken.jpg", encode(COLOUR, "JPEG", exif=b"Exif\0\0nonsense")))[0].shape == (3, 45, 60)


@pytest.mark.parametrize("picture_format", ["GIF", "PNG"])
def test_an_animation_is_refused(write, picture_format):
    others = [Image.fromarray(255 - GREY), Image.fromarray(GREY // 2)]
    content = encode(Image.fromarray(GREY), picture_format, save_all=True, append_images=others)
    path = write(f"image.{picture_format.lower()}", content)
    assert (
        str(refuse(path))
        == f"{path}: is an animation of 3 frames; expected one image a file. Save each page as a file of its own."
    )


def test_pages_of_different_sizes_are_refused(write):
    other = Image.fromarray(GREY[:20])
    path = write("image.tif", encode(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[other]))
    assert str(refuse(path)) == (
        f"{path}: has pages of 60 x 45 pixels (uint8) and of 60 x 20 pixels (uint8); expected pages alike, or one. "
        "Save each page as a file of its own."
    )


@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_colours_for_print_are_refused(write, picture_format):
    path = write(
        "image.jpg" if picture_format == "JPEG" else "image.tif",
        encode(Image.fromarray(COLOUR).convert("CMYK"), picture_format),
    )
    assert str(refuse(path)) == f"{path}: has colours for print (CMYK); expected RGB or grey. Convert it to RGB."


def test_transparent_pixels_are_refused(write):
    alpha = np.full((45, 60), 255, np.uint8)
    alpha[:2, :5] = 254
    palette = Image.fromarray(GREY).quantize(4)
    colour = tuple(int(value) for value in COLOUR[0, 0])
    counts = {
        "rgba.png": (encode(np.dstack([COLOUR, alpha]), "PNG"), 10),
        "rgba.tif": (encode(np.dstack([COLOUR, alpha]), "TIFF"), 10),
        "la.png": (encode(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]), "PNG"), 10),
        "palette.png": (encode(palette, "PNG", transparency=b"\xff\x80"), palette.histogram()[1]),
        "palette.gif": (encode(palette, "GIF", transparency=2, optimize=False), palette.histogram()[2]),
        "key.png": (encode(COLOUR, "PNG", transparency=colour), int(np.equal(COLOUR, colour).all(axis=2).sum())),
        "grey_key.png": (encode(GREY, "PNG", transparency=int(GREY[0, 0])), int(np.equal(GREY, GREY[0, 0]).sum())),
    }
    for name, (content, count) in counts.items():
        path = write(name, content)
        assert str(refuse(path)) == (
            f"{path}: has {count:,} transparent pixels; expected opaque pixels. "
            "Save it without transparency, an image on its background and a mask on black, or let check --repair COPY "
            "--background black (or white) do so."
        )


def test_a_float_image_with_nan_is_refused(write):
    pixels = GREY.astype(np.float32)
    pixels[0, :2] = np.nan, np.inf
    path = write("image.tif", encode(pixels, "TIFF"))
    assert str(refuse(path)) == (
        f"{path}: has 2 pixels that are no finite numbers; expected finite intensities. Mend or remove the case."
    )


def test_what_would_lose_bits_is_refused(write):
    large = np.full((45, 60), 2**24 + 1, np.int32)
    double_tiff = make_tiff({**SIZE_TAGS, 258: (3, 64), 262: (3, 1), 339: (3, 3)}, bytes(60 * 45 * 8))
    cases = {
        "double.tif": (double_tiff, "has numbers of 64 bits; expected 8 or 16 bits, or float32. Save it with 32 bits a number"),
        "large.tif": (encode(large, "TIFF"), "has whole numbers of 32 bits that are too large"),
    }
    for name, (content, found) in cases.items():
        error = refuse(write(name, content))
        assert kinds(error) == ["not_supported"]
        assert found in str(error)


def test_a_bitmap_whose_palette_pillow_would_misread_is_refused(write):
    header = struct.pack("<IiiHHIIiiII", 40, 60, 45, 1, 8, 0, 60 * 45, 0, 0, 2, 2)
    palette = bytes(4) + b"\xff\xff\xff\0"
    offset = 14 + 40 + 8
    content = b"BM" + struct.pack("<IHHI", offset + 2700, 0, 0, offset) + header + palette + bytes(2700)
    error = refuse(write("image.bmp", content))
    assert "is a BMP of 8 bits with few greys; expected a plain image. Save it as PNG." in str(error)


def test_every_fault_of_a_file_is_named_at_once(write):
    exif = Image.Exif()
    exif[274] = 8
    error = refuse(write("image.jpg", encode(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", exif=exif)))
    assert kinds(error) == ["turned", "print_colours"]


def test_files_are_not_written_to(write):
    path = write("image.tif", PICTURES["lzw.tif"])
    before = path.stat().st_mtime_ns
    path.chmod(0o400)
    read_image(path)
    assert path.stat().st_mtime_ns == before
    assert path.read_bytes() == PICTURES["lzw.tif"]
