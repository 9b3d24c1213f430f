"""TIFFs of several planes: what they are is told by the file, and a plane is never left out or taken for another.

Most files are written by tifffile, whose writer is another program than its reader; those of ImageJ also by hand.
"""

import io
import json
import struct

import numpy as np
import pytest
import tifffile

from imagesets.corpus.tiff_faults import encode_imagej, write_tiff
from imagesets.pictures.samples import GREY, encode, kinds, planes

# Channels and slices


@pytest.mark.parametrize("order", "<>")
def test_channels_of_imagej_are_channels(read, order):
    pixels = planes(2)
    image, notes = read(write_tiff(pixels, imagej=True, metadata={"axes": "CYX"}, byteorder=order))
    assert image.dtype == np.uint16
    assert np.array_equal(image, pixels)
    assert notes == ()


def test_slices_of_imagej_are_a_volume(read):
    pixels = planes(5)
    image, notes = read(write_tiff(pixels, imagej=True, metadata={"axes": "ZYX"}))
    assert np.array_equal(image, pixels[None])
    assert notes == ()


@pytest.mark.parametrize("order", "<>")
def test_slices_and_channels_of_imagej_alternate_and_are_told_apart(read, order):
    pixels = planes(4, 3)  # slices, channels, as ImageJ stores them
    image, notes = read(write_tiff(pixels, imagej=True, metadata={"axes": "ZCYX"}, byteorder=order))
    assert np.array_equal(image, pixels.transpose(1, 0, 2, 3))
    assert notes == ()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_planes_behind_one_directory_are_read_as_imagej_by_hand_says(read, order, kind):
    pixels = planes(6, kind=kind)
    image, notes = read(encode_imagej("images=6\nchannels=2\nslices=3\nhyperstack=true", pixels, order=order))
    assert image.dtype == kind
    assert np.array_equal(image[0], pixels[0::2])
    assert np.array_equal(image[1], pixels[1::2])
    assert notes == ()


@pytest.mark.parametrize("directories", [1, 6])
def test_another_order_of_planes_is_followed_where_imagej_names_it(read, directories):
    pixels = planes(6)
    image, _ = read(encode_imagej("images=6\nchannels=2\nslices=3\norder=zct", pixels, directories=directories))
    assert np.array_equal(image, pixels.reshape(2, 3, 45, 60))


def test_planes_that_are_only_counted_are_slices_with_a_note(read):
    pixels = planes(5)
    image, notes = read(encode_imagej("images=5", pixels))
    assert np.array_equal(image, pixels[None])
    assert [note.kind for note in notes] == ["unmarked_pages"]


def test_a_directory_for_each_plane_and_a_description_by_hand_are_read_alike(read):
    pixels = planes(6)
    image, _ = read(encode_imagej("images=6\nchannels=3\nslices=2", pixels, directories=6))
    assert np.array_equal(image, pixels.reshape(2, 3, 45, 60).transpose(1, 0, 2, 3))


@pytest.mark.parametrize("axes", ["CZYX", "ZCYX"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}])
def test_ome_tells_channels_and_slices_in_any_order(read, axes, options):
    pixels = planes(2, 3)
    image, notes = read(write_tiff(pixels, ome=True, metadata={"axes": axes}, **options))
    assert np.array_equal(image, pixels if axes == "CZYX" else pixels.transpose(1, 0, 2, 3))
    assert notes == ()


def test_a_smaller_copy_within_an_image_is_passed_over(read):
    buffer = io.BytesIO()
    pixels = planes(2)
    with tifffile.TiffWriter(buffer, ome=True) as file:
        file.write(pixels, subifds=1, metadata={"axes": "CYX"})
        file.write(pixels[:, ::2, ::2], subfiletype=1)
    assert np.array_equal(read(buffer.getvalue())[0], pixels)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY, metadata=None)
        file.write(GREY[::2, ::2], subfiletype=1, metadata=None)
    assert np.array_equal(read(buffer.getvalue())[0], GREY[None])


def test_axes_that_tifffile_wrote_are_read(read):
    pixels = planes(3)
    for axes, expected in (("CYX", pixels), ("ZYX", pixels[None])):
        for options in ({}, {"compression": "zlib", "predictor": 2}, {"byteorder": ">", "bigtiff": True}):
            content = write_tiff(pixels, metadata={"axes": axes}, **options)
            image, notes = read(content)
            assert np.array_equal(image, expected), (axes, options)
            assert notes == ()


def test_pages_that_do_not_say_what_they_are_are_slices_with_a_note(read, tmp_path):
    pixels = planes(3)
    for content in (write_tiff(pixels), write_tiff(pixels, metadata=None)):
        image, notes = read(content)
        assert np.array_equal(image, pixels[None])
        assert [str(note) for note in notes] == [
            f"{tmp_path / 'image.tif'}: has 3 pages and does not say what they are; they are read as slices; expected pages "
            "that say so, as ImageJ and OME write them. Look whether they are slices of a volume; if they are channels or "
            "points in time, say so in the file."
        ]


def test_slices_within_one_page_are_read(read):
    pixels = planes(16)
    image, _ = read(write_tiff(pixels, volumetric=True, tile=(16, 16, 16), metadata={"axes": "ZYX"}))
    assert np.array_equal(image, pixels[None])


# What is refused


def test_points_in_time_are_refused(refused, tmp_path):
    for content in (
        write_tiff(planes(4), imagej=True, metadata={"axes": "TYX"}),
        write_tiff(planes(4), ome=True, metadata={"axes": "TYX"}),
        encode_imagej("images=4\nframes=4", planes(4)),
    ):
        assert str(refused(content)) == (
            f"{tmp_path / 'image.tif'}: has 4 points in time; expected one image or one volume a file. Save each of them as a "
            "case of its own. If they are slices, say so in the file (in ImageJ by Image > Properties)."
        )


@pytest.mark.parametrize(
    ("description", "held", "directories"),
    [("images=5", 1, 1), ("images=5\nslices=5", 1, 1), ("images=5\nslices=5", 4, 1), ("images=6\nchannels=2\nslices=3", 1, 1),
     ("images=2\nslices=2", 5, 5), ("images=7\nslices=7", 5, 5), ("images=5\nchannels=5", 2, 1)],
)  # fmt: skip
def test_a_description_that_promises_other_planes_than_there_are_is_refused(refused, description, held, directories):
    error = refused(encode_imagej(description, planes(held), directories=directories))
    assert kinds(error) == ["damaged"]
    promised = description.split("\n")[0].removeprefix("images=")
    assert f"says in its description that it has {promised} planes, and holds {held}; expected as many as it says" in str(error)


def test_what_lies_behind_the_only_page_is_no_plane_where_it_is_something_else(refused):
    small = GREY[:8, :8].copy()
    description = "ImageJ=1.54f\nimages=3\nslices=3\n"
    # Pillow writes the description before the pixels; here the directory follows them, and is larger than two planes.
    content = encode(small, "TIFF", tiffinfo={270: description + "x" * 300})
    start = int.from_bytes(content[4:8], "little")
    place = content.index(struct.pack("<H", 273), start) + 8
    pixels = int.from_bytes(content[place : place + 4], "little")
    shifted = bytearray(b"II*\0" + struct.pack("<I", start + 64) + content[pixels : pixels + 64] + content[8:])
    number = int.from_bytes(shifted[start + 64 : start + 66], "little")
    for at in range(start + 66, start + 66 + 12 * number, 12):
        tag, code, count = struct.unpack_from("<HHI", shifted, at)
        if tag == 273:
            struct.pack_into("<I", shifted, at + 8, 8)
        elif count * {2: 1, 3: 2, 4: 4, 5: 8}.get(code, 1) > 4:
            struct.pack_into("<I", shifted, at + 8, struct.unpack_from("<I", shifted, at + 8)[0] + 64)
    error = refused(bytes(shifted))
    assert "says in its description that it has 3 planes, and holds 1" in str(error)


def test_smaller_copies_are_no_planes_that_a_description_promises(refused):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY, description="ImageJ=1.54f\nimages=3\nslices=3\n", metadata=None)
        for step in (2, 4):
            file.write(GREY[::step, ::step], subfiletype=1, metadata=None)
    assert kinds(refused(buffer.getvalue())) == ["damaged"]


def test_one_picture_with_the_description_of_a_stack_is_refused_in_every_format_of_description(refused):
    shaped = json.dumps({"shape": [5, 45, 60]})
    ome = write_tiff(planes(5), ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(io.BytesIO(ome)) as file:
        text = file.ome_metadata
    for description in (shaped, text):
        for options in ({}, {"compression": "zlib"}):
            content = write_tiff(GREY, description=description, metadata=None, **options)
            assert kinds(refused(content))[0] in ("damaged", "several_pages"), (description, options)


@pytest.mark.parametrize("text", ['{"shape": 7}', "ImageJ=1.54f\nimages=2\nslices=x\n"])
def test_a_description_that_cannot_be_read_is_refused_as_one(refused, read, text):
    error = refused(write_tiff(GREY, description=text, metadata=None))
    assert kinds(error) == ["damaged"]
    assert "that cannot be read; expected a description as the program writes it, or none. Export it again" in str(error)
    assert np.array_equal(read(write_tiff(GREY, metadata=None))[0], GREY[None])  # as its mend says


@pytest.mark.parametrize(
    "text",
    ["a picture, images=5", "ImageJ=1.53t\nunit=micron\n", '{"patient": 7}', '{"shape": [45, 60]}', "ImageJ=1\nimages=1\n"],
)
def test_a_description_that_promises_nothing_is_passed_over(read, text):
    image, notes = read(write_tiff(GREY, description=text, metadata=None))
    assert np.array_equal(image, GREY[None])
    assert notes == ()


def test_ome_over_several_files_is_refused(refused):
    content = write_tiff(planes(2), ome=True, metadata={"axes": "CYX"})
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        text = file.ome_metadata
    elsewhere = text.replace("<TiffData ", "<TiffData FirstC='0' ", 1) if "UUID" in text else text
    split = elsewhere.replace('SizeC="2"', 'SizeC="4"')
    assert split != text
    error = refused(write_tiff(planes(2), description=split, metadata=None))
    assert kinds(error)[0] in ("several_pages", "damaged")


@pytest.mark.parametrize(
    "change",
    [('SizeZ="1"', 'SizeZ="999999999"'), ('SizeT="1"', 'SizeT="99999"'), ("<TiffData ", '<TiffData NumPlanes="999999999" ')],
)  # fmt: skip
def test_sizes_in_a_description_cost_nothing(refused, change):
    content = write_tiff(planes(2), ome=True, metadata={"axes": "CYX"})
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        text = file.ome_metadata
    altered = text.replace(*change)
    assert altered != text
    refused(write_tiff(planes(2), description=altered, metadata=None))


def test_several_images_in_a_file_are_refused(refused):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY, metadata=None)
        file.write(GREY[::2, ::2], metadata=None)
    error = refused(buffer.getvalue())
    assert kinds(error) == ["several_pages"]
    assert "has pages of 60 x 45 pixels (uint8) and of 30 x 23 pixels (uint8)" in str(error)
