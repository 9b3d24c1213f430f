"""What is read of a NIfTI file before its voxels, and every way in which a damaged one is refused."""

import gzip
import logging
import os
import tracemalloc
import zlib
from functools import partial
from time import perf_counter

import nibabel
import numpy as np
import pytest

from focalseg.errors import DataError
from focalseg.imagesets.volumes.nifti import MOST_PADDING_BYTES, MOST_VOXELS
from focalseg.imagesets.volumes.reading import read_header, read_volume
from imagesets.corpus.privileges import as_an_ordinary_reader
from imagesets.corpus.volumes import affine, draw_volume, encode, encode_image, pack, patched

VOXELS = draw_volume(0)
PLAIN = encode_image(0)
PACKED = pack(PLAIN)
UNDAMAGED = "expected an undamaged file. Replace the file."
LARGE = (3, 32000, 32000, 32000, 1, 1, 1, 1)


@pytest.fixture
def save(tmp_path):
    def write(content, name="a.nii"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refusal(path, read=read_volume):
    """What is said of a file, in one line; the header alone never lets pass what the whole file does not."""
    with pytest.raises(DataError) as caught:
        read(path)
    assert [finding.file for finding in caught.value.findings] == [str(path)]
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def is_read(path):
    return np.array_equal(read_volume(path).image[0], VOXELS.T)


# Names, links and folders


def test_what_is_no_file_is_refused(tmp_path):
    assert refusal(tmp_path / "gone.nii") == "is not there; expected a file. Check the path."
    assert refusal(tmp_path) == "is a folder; expected a file. Replace or remove it."
    os.mkfifo(tmp_path / "pipe.nii")
    assert refusal(tmp_path / "pipe.nii") == "is a device or a pipe; expected a file. Replace or remove it."
    (tmp_path / "empty.nii").touch()
    assert refusal(tmp_path / "empty.nii") == "has no bytes; expected an image. Replace the file."
    assert refusal(tmp_path / "empty.nii" / "a.nii") == "is not there; expected a file. Check the path."
    assert refusal(tmp_path / ("a" * 300)) == "is not there; expected a file. Check the path."


def test_a_link_to_nothing_or_in_a_circle_is_refused(tmp_path):
    (tmp_path / "a.nii").symlink_to("gone.nii")
    (tmp_path / "b.nii").symlink_to("b.nii")
    mend = "expected a link to a file. Mend or remove the link."
    assert refusal(tmp_path / "a.nii") == f"is a link to gone.nii, which is not there; {mend}"
    assert refusal(tmp_path / "b.nii") == f"is a link in a circle; {mend}"


def test_a_file_that_may_not_be_read_is_refused(save):
    path = save(PLAIN)
    path.chmod(0)
    with as_an_ordinary_reader() as restricted:
        if not restricted:
            pytest.skip("permissions cannot be made to hold here")
        assert refusal(path) == "may not be read; expected a file that you may read. Give read permission (chmod u+r)."


@pytest.mark.parametrize(
    ("name", "content", "found", "right"),
    [
        ("a.nii.gz", PLAIN, "is not gzipped though its name says so", ".nii"),
        ("a.nii", PACKED, "is gzipped though its name does not say so", ".nii.gz"),
    ],
)
def test_content_counts_where_the_name_tells_another_format(name, content, found, right, save):
    path = save(content, name)
    assert [str(note) for note in read_volume(path).notes] == [f"{path}: {found}; expected a name in {right}. Rename the file."]
    assert is_read(path)


# Headers


def fields(**values):
    return patched(**values)(PLAIN)


NOT_NIFTI = "expected PNG, JPEG, TIFF, BMP, GIF or NIfTI. Replace the file."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a volume\n" * 60, f"is no NIfTI volume: it starts with b'not a vo'; {NOT_NIFTI}"),
        (pack(b"not a volume\n"), f"is no NIfTI volume: it starts, when unpacked, with b'not a vo'; {NOT_NIFTI}"),
        (pack(b""), "has no bytes when unpacked; expected an image. Replace the file."),
        (PLAIN[:100], f"is cut short: 100 of 348 bytes of its header are there; {UNDAMAGED}"),
        (fields(sizeof_hdr=999), "says that its header has 999 bytes; expected 348 or 540. Replace the file."),
        (fields(magic=b"ni1\0"), "is the header of a pair (.hdr and .img); expected a volume in one file, .nii or .nii.gz. "
         "Convert the file."),
        (fields(magic=b"\0\0\0\0"), "is an Analyze volume, or a NIfTI volume that has lost its mark; expected NIfTI. "
         "Convert the file."),
        (fields(magic=b"abc\0"), "has the mark b'abc'; expected the mark of a NIfTI volume, b'n+1'. Replace the file."),
        (fields(dim=(0, 13, 12, 10, 1, 1, 1, 1)), "has 0 axes by its header; expected 3 axes, or 4 with the channels last. "
         "Replace the file."),
        (fields(dim=(3, -13, 12, 10, 1, 1, 1, 1)), "has the shape -13 x 12 x 10 by its header; expected sides of at least 1. "
         "Replace the file."),
        (fields(dim=(3, 0, 12, 10, 1, 1, 1, 1)), "has the shape 0 x 12 x 10 by its header; expected sides of at least 1. "
         "Replace the file."),
        (fields(dim=(1, 1560, 1, 1, 1, 1, 1, 1)), "has the shape 1560; expected three axes, or four with the channels last. "
         "Save one volume a file."),
        (fields(dim=(5, 13, 12, 5, 1, 2, 1, 1)), "has the shape 13 x 12 x 5 x 1 x 2; "
         "expected three axes, or four with the channels last. Save one volume a file."),
        (fields(dim=LARGE), "has 32000 x 32000 x 32000 voxels by its header; expected at most 100,000,000. "
         "Make it smaller, or cut it into parts."),
        (fields(datatype=9999), "has voxels of the type 9999, which there is not; expected a type that NIfTI names. "
         "Replace the file."),
        (fields(datatype=32), "holds complex numbers; expected plain numbers. Convert it."),
        (fields(datatype=128), "holds colours (RGB); expected plain numbers. Convert it."),
        (fields(datatype=1536), "holds floats of 128 bits; expected whole numbers or floats of 8 to 64 bits. "
         "Convert the file."),
        (fields(bitpix=64), "has voxels of 64 bits by one field and of 32 by another; expected one size. Replace the file."),
        (fields(vox_offset=16.0), "has its voxels start at byte 16; expected 352 or soon after. Replace the file."),
        (fields(vox_offset=352.5), "has its voxels start at byte 352.5; expected 352 or soon after. Replace the file."),
        (fields(vox_offset=1e9), "has its voxels start at byte 1000000000; expected 352 or soon after. Replace the file."),
        (fields(vox_offset=float("nan")), "has its voxels start at byte nan; expected 352 or soon after. Replace the file."),
        (fields(scl_slope=float("inf")), "has the slope inf and the intercept 0; expected finite numbers. Replace the file."),
        (fields(scl_slope=2.0, scl_inter=float("nan")), "has the slope 2 and the intercept nan; expected finite numbers. "
         "Replace the file."),
        (fields(xyzt_units=5), "has sizes in the unit 5, which there is not; expected mm, micron or meter. Mend the header."),
        (fields(sform_code=77), "has the sform_code 77; expected a code from 0 to 5. Replace the file."),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_used_is_refused_before_a_voxel_is_decoded(content, said, save):
    path = save(content, "a.nii.gz" if content[:2] == b"\x1f\x8b" else "a.nii")
    assert refusal(path, read_header) == refusal(path) == said


SIZES = "expected positive sizes along right-angled axes. Mend the header."
ROWS = (0.5, 0.0, 0.0, -20.0, 0.0, 1.0, 0.0, -10.0, 0.0, 0.0, 2.0, 5.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pixdim": (1, 0, 1, 2, 1, 1, 1, 1)}, f"has voxels of 0 x 1 x 2 mm; {SIZES}"),
        ({"pixdim": (1, -0.5, 1, 2, 1, 1, 1, 1)}, f"has voxels of -0.5 x 1 x 2 mm; {SIZES}"),
        ({"pixdim": (1, 0.5, float("nan"), 2, 1, 1, 1, 1)}, f"has voxels of 0.5 x nan x 2 mm; {SIZES}"),
        ({"pixdim": (1, 0.5, 1, 1e20, 1, 1, 1, 1)}, f"has voxels of 0.5 x 1 x 1e+20 mm; {SIZES}"),
        ({"srow": (0.0,) * 12}, "has voxels of 0 x 0 x 0 mm by its sform and of 0.5 x 1 x 2 mm by its pixdim; "
         "expected the same positive sizes in both. Mend the header."),
        ({"srow": (float("nan"), *ROWS[1:])}, f"has an sform with numbers that are not finite; {SIZES}"),
        ({"srow": (0.5, 0.8, *ROWS[2:])}, f"is sheared: its first and second axes meet at 51.3 degrees; {SIZES}"),
        ({"quatern": (0.9, 0.9, 0.9)}, "has a qform that is no rotation: its quaternion has the length 1.55885; "
         "expected a length of 1. Mend the header."),
        ({"qoffset": (float("inf"), 0, 0)}, f"has a qform with numbers that are not finite; {SIZES}"),
        ({"qoffset": (-20.0, -10.0, 45.0)}, "has a qform that disagrees with its sform: its first voxel is 40 mm away "
         "(R, A, S: 0, 0, 40); expected one place in space. Write the right one into both."),
        ({"quatern": (0.0, 1.0, 0.0), "pixdim": (-1, 0.5, 1, 2, 1, 1, 1, 1)}, "has a qform that disagrees with its sform: "
         "its first axis runs the other way; expected one place in space. Write the right one into both."),
    ],
)  # fmt: skip
def test_a_volume_without_one_place_in_space_is_refused(changes, said, save):
    path = save(fields(**changes))
    assert refusal(path, read_header) == refusal(path) == said


def test_only_the_form_that_counts_is_looked_at(save):
    assert is_read(save(fields(sform_code=0, srow=(float("nan"),) * 12)))
    assert is_read(save(fields(qform_code=0, quatern=(9.0, 9.0, 9.0))))


def test_a_header_alone_does_not_decode_the_voxels(save):
    path = save(PACKED[:3000] + bytes(len(PACKED) - 3000), "a.nii.gz")
    assert read_header(path).shape == VOXELS.shape
    assert refusal(path).endswith(UNDAMAGED)


# Forms that are legal


def swapped():
    image = nibabel.Nifti1Image(VOXELS, affine(), nibabel.Nifti1Header(endianness=">"))
    return image.to_bytes()


def extended(length, code=4, text=b"from scanner 2"):
    """An extension of that length said, of 32 bytes in truth."""
    head = bytearray(patched(vox_offset=384.0)(PLAIN[:352]))
    head[348] = 1
    return bytes(head) + length.to_bytes(4, "little", signed=True) + code.to_bytes(4, "little") + text.ljust(24) + PLAIN[352:]


@pytest.mark.parametrize(
    "content",
    [
        swapped(),
        encode(VOXELS, kind=nibabel.Nifti2Image),
        nibabel.Nifti2Image(VOXELS, affine(), nibabel.Nifti2Header(endianness=">")).to_bytes(),
        extended(32),
        patched(vox_offset=1024.0)(PLAIN[:352] + bytes(1024 - 352) + PLAIN[352:]),
        PLAIN + bytes(MOST_PADDING_BYTES),
        fields(bitpix=0),
        fields(dim=(7, 13, 12, 10, 1, 1, 1, 1)),
    ],
    ids=["big-endian", "NIfTI-2", "big-endian NIfTI-2", "extension", "gap", "padding", "no bitpix", "seven axes"],
)
def test_every_legal_form_is_read(content, save):
    assert is_read(save(content))
    assert is_read(save(pack(content), "b.nii.gz"))


def test_gzip_may_have_several_members_and_zeros_after_them(save):
    blocks = b"".join(pack(PLAIN[start : start + 500]) for start in range(0, len(PLAIN), 500))
    assert is_read(save(blocks + pack(b""), "a.nii.gz"))
    assert is_read(save(PACKED + bytes(MOST_PADDING_BYTES), "a.nii.gz"))


def test_no_log_line_and_no_warning_gets_out(save, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        assert is_read(save(fields(bitpix=0, pixdim=(0, 0.5, 1, 2, 0, 0, 0, 0))))  # nibabel says of both that it mends them
        refusal(save(fields(pixdim=(7, -0.5, 1, 2, 0, 0, 0, 0))))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


# Damage


@pytest.mark.parametrize("content", [PLAIN, PACKED], ids=["plain", "packed"])
def test_a_cut_of_any_length_is_refused(content, save):
    name = "a.nii.gz" if content is PACKED else "a.nii"
    for length in [
        *(len(content) * tenths // 10 for tenths in range(1, 10)),
        *range(len(content) - 8, len(content)),
        1,
        2,
        3,
        4,
    ]:
        assert refusal(save(content[:length], name))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN[:-4], "is cut short: it holds 6,588 of 6,592 bytes"),
        (PLAIN + bytes(MOST_PADDING_BYTES + 1), "goes on after its last voxel: it holds 7,105 bytes instead of 6,592"),
        (PLAIN + b"\0\0\1", "goes on after its last voxel"),
        (pack(PLAIN[:-4]), "is cut short: 6,236 of 6,240 bytes of voxels are there"),
        (pack(PLAIN + bytes(MOST_PADDING_BYTES + 1)), "goes on after its last voxel"),
        (PACKED[:-1], "is cut short: its gzip stream has no end"),
        (PACKED + bytes(MOST_PADDING_BYTES + 1), "goes on after the end of its gzip stream"),
        (PACKED + b"more", "goes on after the end of its gzip stream"),
        (PACKED + PACKED, "goes on after its last voxel"),
        (PACKED[:-8] + zlib.crc32(b"another").to_bytes(4, "little") + PACKED[-4:],
         "cannot be decompressed (incorrect data check)"),
        (PACKED[:-4] + b"\1\0\0\0", "cannot be decompressed (incorrect length check)"),
    ],
)  # fmt: skip
def test_damage_is_said(content, said, save):
    assert refusal(save(content, "a.nii.gz" if content[:2] == b"\x1f\x8b" else "a.nii")) == f"{said}; {UNDAMAGED}"


@pytest.mark.parametrize("length", [-1, 0, 7, 33, 2**31 - 1])
def test_an_extension_that_does_not_fit_is_refused(length, save):
    assert refusal(save(extended(length))) == (
        f"has an extension of {length:,} bytes in its header, where 32 are left; "
        "expected extensions that fit before the voxels. Replace the file."
    )


@pytest.mark.slow
def test_a_flipped_bit_of_gzip_is_refused_or_changes_nothing(save):
    random = np.random.default_rng(0)
    read = 0
    for place in [*range(10), *random.choice(np.arange(10, len(PACKED)), 190, replace=False)]:
        content = bytearray(PACKED)
        content[place] ^= 1 << int(random.integers(8))
        path = save(content, "a.nii.gz")
        try:
            assert is_read(path)
            read += 1
            assert place in (3, *range(4, 10))  # a flag that says text, time, effort and system: no voxel hangs on them
        except DataError:
            assert refusal(path)
    assert read >= 6


def mutate(content, random):
    """A file with a few bytes altered, taken out, put in or moved, mostly in its header."""
    altered = bytearray(content)
    if random.random() < 0.1:
        return content[: int(random.integers(len(content)))]
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(min(len(altered), 400) if random.random() < 0.7 else len(altered)))
        deed = random.integers(5)
        if deed == 0:
            altered[place] ^= 1 << int(random.integers(8))
        elif deed == 1:
            altered[place : place + 4] = [b"\xff\xff\xff\x7f", bytes(4), b"\xff" * 4, b"\0\0\xc0\x7f"][random.integers(4)]
        elif deed == 2:
            del altered[place : place + int(random.integers(1, 9))]
        elif deed == 3:
            altered[place:place] = random.bytes(int(random.integers(1, 9)))
        else:
            source = int(random.integers(len(altered)))
            altered[place : place + 8] = altered[source : source + 8]
    return bytes(altered)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["a.nii", "a.nii.gz", "altered, then packed"])
def test_an_altered_file_is_read_or_refused_as_declared(form, save):
    random = np.random.default_rng(5)
    seeds = [PLAIN, swapped(), encode(VOXELS, kind=nibabel.Nifti2Image), encode(VOXELS.astype(np.int16)), extended(32)]
    refused = 0
    for number in range(500):
        seed = seeds[number % len(seeds)]
        content = (
            pack(mutate(seed, random))
            if form.startswith("altered")
            else mutate(seed if form == "a.nii" else pack(seed), random)
        )
        path = save(content, "a.nii" if form == "a.nii" else "a.nii.gz")
        try:
            volume = read_volume(path)
        except DataError:
            refused += 1
            assert refusal(path)
            continue
        assert np.isfinite(volume.image).all()
        assert form != "a.nii.gz" or np.array_equal(volume.image[0], VOXELS.T.astype(volume.image.dtype))
    assert refused > 250


# Bombs


def measure(read):
    tracemalloc.start()
    before = perf_counter()
    read()
    seconds, memory = perf_counter() - before, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, memory


def stream(head, zeros, chunk=2**22):
    """gzip of a head and so many zeros, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head)]
    parts += [packer.compress(bytes(chunk)) for _ in range(zeros // chunk)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (partial(fields, dim=LARGE), "at most 100,000,000"),
        (lambda: pack(fields(dim=(3, 30000, 3333, 1, 1, 1, 1, 1))), "is cut short: it holds at most"),
        (lambda: stream(PLAIN, 2**28), "goes on after its last voxel"),
        (lambda: gzip.compress(stream(PLAIN, 2**26)), "is no NIfTI volume"),
    ],
    ids=["32,000 a side", "100 million voxels said", "256 MiB of zeros", "gzip in gzip"],
)
def test_a_bomb_is_refused_at_once_and_without_memory(content, said, save):
    path = save(content(), "a.nii.gz")
    seconds, memory = measure(lambda: refusal(path))
    assert said in refusal(path)
    assert seconds < 2
    assert memory < 2**22


@pytest.mark.slow
def test_as_many_voxels_as_the_limit_are_no_bomb(save):
    side = 464  # 464 ** 3 is the last cube below the limit
    assert side**3 <= MOST_VOXELS < (side + 1) ** 3
    head = patched(dim=(3, side, side, side, 1, 1, 1, 1), datatype=2, bitpix=8)(PLAIN)[:352]
    assert read_header(save(stream(head, 2**22 * 24), "a.nii.gz")).shape == (side, side, side)
