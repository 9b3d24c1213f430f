"""What can be wrong with one volume or its labels among five good cases, in the Decathlon's layout."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from imagesets.corpus.fault import Make, fault
from imagesets.corpus.pictures import encode as encode_picture
from imagesets.corpus.volumes import (
    HEADER,
    PLANTED,
    SHAPE,
    affine,
    draw_labels,
    draw_volume,
    encode,
    encode_image,
    encode_labels,
    pack,
    patched,
    replace,
    write_decathlon,
)

Change = Callable[[bytes], bytes]


def image(change: Change = lambda content: content, *, suffix: str = ".nii.gz", raw: bool = False) -> Make:
    """An image whose unpacked bytes are changed, then packed; raw: what is changed are the packed bytes."""

    def make(folder: Path) -> Path:
        content = encode_image(PLANTED)
        whole = change(pack(content)) if raw else change(content)
        packed = whole if raw or suffix != ".nii.gz" else pack(whole)
        return replace(write_decathlon(folder), "imagesTr", packed, suffix=suffix)

    return make


def labels(change: Change) -> Make:
    """Labels whose unpacked bytes are changed, then packed."""

    def make(folder: Path) -> Path:
        return replace(write_decathlon(folder), "labelsTr", pack(change(encode_labels(PLANTED))))

    return make


def voxels(alter: Callable[[np.ndarray], np.ndarray | None], dtype: type = np.float32) -> Change:
    """Other voxels of that type in an image; alter works in place or gives new ones."""

    def change(_: bytes) -> bytes:
        array = draw_volume(PLANTED).astype(dtype)
        altered = alter(array)
        return encode(array if altered is None else altered)

    return change


def label_voxels(value: float, dtype: type, *, every: bool = False) -> Change:
    """One voxel of the labels with that value, or each voxel of label 1."""

    def change(_: bytes) -> bytes:
        array = draw_labels(PLANTED).astype(dtype)
        if every:
            array[array == 1] = value
        else:
            array[0, 0, 0] = value
        return encode(array)

    return change


def one(value: float) -> Callable[[np.ndarray], None]:
    """One voxel of that value."""

    def alter(array: np.ndarray) -> None:
        array[3, 4, 5] = value

    return alter


def labels_as(array: Callable[[np.ndarray], np.ndarray], place: np.ndarray | None = None) -> Change:
    """Other labels, or the same at another place."""
    return lambda _: encode(np.ascontiguousarray(array(draw_labels(PLANTED))), place)


def both(change: Change) -> Make:
    """The same change to image and labels, so that they agree."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_decathlon(folder)
        return (
            replace(folder, "imagesTr", pack(change(encode_image(PLANTED)))),
            replace(folder, "labelsTr", pack(change(encode_labels(PLANTED)))),
        )

    return make


def without(part: str) -> Make:
    """One file less; the one left alone is at fault, or the table that names the other."""

    def make(folder: Path) -> tuple[Path, Path]:
        write_decathlon(folder)
        (folder / part / f"case_{PLANTED}.nii.gz").unlink()
        other = {"imagesTr": "labelsTr", "labelsTr": "imagesTr"}[part]
        return folder / other / f"case_{PLANTED}.nii.gz", folder / "dataset.json"

    return make


def one_slice(folder: Path) -> tuple[Path, Path]:
    """Image and labels of the same single slice."""
    write_decathlon(folder)
    return (
        replace(folder, "imagesTr", pack(encode(draw_volume(PLANTED)[..., 4:5].copy()))),
        replace(folder, "labelsTr", pack(encode(draw_labels(PLANTED)[..., 4:5].copy()))),
    )


def slice_for_a_volume(folder: Path) -> tuple[Path, Path]:
    """An image of two axes whose labels have three."""
    write_decathlon(folder)
    path = replace(folder, "imagesTr", pack(encode(draw_volume(PLANTED)[..., 0])))
    return path, folder / "labelsTr" / path.name


def swapped(folder: Path) -> tuple[Path, Path]:
    """The labels in imagesTr/ and the image in labelsTr/."""
    write_decathlon(folder)
    return (
        replace(folder, "imagesTr", pack(encode_labels(PLANTED))),
        replace(folder, "labelsTr", pack(encode_image(PLANTED))),
    )


def stray_label(folder: Path, label: int = 3) -> Path:
    """A third label in one of the cases, without a table."""
    (write_decathlon(folder) / "dataset.json").unlink()
    return replace(folder, "labelsTr", pack(label_voxels(label, np.uint8)(b"")))


def gap_in_the_labels(folder: Path) -> Path:
    """A ninth label, without a table."""
    return stray_label(folder, 9)


def twice(folder: Path) -> tuple[Path, Path]:
    """Two cases of one image."""
    write_decathlon(folder)
    return folder / "imagesTr" / "case_1.nii.gz", replace(folder, "imagesTr", pack(encode_image(1)))


def two_suffixes(folder: Path) -> tuple[Path, Path]:
    """case_3.nii beside case_3.nii.gz."""
    write_decathlon(folder)
    path = folder / "imagesTr" / f"case_{PLANTED}.nii"
    path.write_bytes(encode_image(PLANTED))
    return path, folder / "imagesTr" / f"case_{PLANTED}.nii.gz"


def wrong_sum(packed: bytes) -> bytes:
    """Another CRC-32 at the end."""
    return packed[:-8] + (zlib.crc32(b"another") & 0xFFFFFFFF).to_bytes(4, "little") + packed[-4:]


def wrong_length(packed: bytes) -> bytes:
    """Another length at the end."""
    return packed[:-4] + (int.from_bytes(packed[-4:], "little") + 1).to_bytes(4, "little")


def flipped(packed: bytes) -> bytes:
    """One bit among the packed voxels."""
    middle = len(packed) // 2
    return packed[:middle] + bytes([packed[middle] ^ 8]) + packed[middle + 1 :]


def rotated(degrees: float) -> np.ndarray:
    """(4, 4): the usual place turned about the body's axis."""
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ affine()


def as_rows(matrix: np.ndarray) -> tuple[float, ...]:
    """The twelve numbers of an sform."""
    return tuple(map(float, matrix[:3].ravel()))


FLIPPED, SHEARED = affine() @ np.diag([-1, 1, 1, 1]), affine() + np.eye(4, k=1) * 0.8
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
LARGE = (3, 32000, 32000, 32000, 1, 1, 1, 1)
NO_SFORM: dict[str, object] = {"sform_code": 1, "qform_code": 0, "srow": (0.0,) * 12}
UNREAD = "not_supported not_an_image"

VOLUME_FAULTS = [
    # Damage
    fault("a volume of no bytes", "empty_file", image(lambda _: b"", raw=True)),
    fault("text named .nii.gz", "not_an_image", image(lambda _: b"not a volume\n" * 60, raw=True)),
    fault("text gzipped", "not_an_image", image(lambda _: b"not a volume\n" * 60)),
    fault("text named .nii", "not_an_image", image(lambda _: b"not a volume\n" * 60, suffix=".nii")),
    fault("nothing, gzipped", "not_an_image damaged empty_file", image(lambda _: b"")),
    fault("a PNG named .nii.gz", "not_an_image not_supported",
          image(lambda _: encode_picture(np.zeros((12, 13), np.uint8)), raw=True),
          also="wrong_suffix wrong_axes unlike sizes_differ"),
    fault(".nii.gz cut in half", "damaged", image(lambda packed: packed[: len(packed) // 2], raw=True)),
    fault(".nii.gz cut in its header", "damaged", image(lambda packed: packed[:60], raw=True)),
    fault("the last 8 bytes of .nii.gz missing", "damaged", image(lambda packed: packed[:-8], raw=True)),
    fault("the last 6 bytes of .nii.gz missing", "damaged", image(lambda packed: packed[:-6], raw=True)),
    fault("the last byte of .nii.gz missing", "damaged", image(lambda packed: packed[:-1], raw=True)),
    fault("a wrong CRC in .nii.gz", "damaged", image(wrong_sum, raw=True)),
    fault("a wrong length in .nii.gz", "damaged", image(wrong_length, raw=True)),
    fault("a flipped bit in .nii.gz", "damaged", image(flipped, raw=True)),
    fault("voxels missing in a whole .nii.gz", "damaged", image(lambda content: content[:-1000])),
    fault("voxels missing in .nii", "damaged", image(lambda content: content[:-4], suffix=".nii")),
    fault("a header alone", "damaged", image(lambda content: content[:HEADER])),
    fault("a hundred bytes of a header", "damaged not_an_image", image(lambda content: content[:100], suffix=".nii")),
    fault("gzip in gzip", "not_an_image damaged", image(pack)),
    fault("Analyze, by its magic", "not_an_image damaged not_supported", image(patched(magic=b"\0\0\0\0"))),
    fault("a wrong magic", "not_an_image damaged not_supported", image(patched(magic=b"abc\0"))),
    fault("the magic of a header beside its voxels", "not_an_image damaged not_supported", image(patched(magic=b"ni1\0"))),
    fault("a wrong size of the header", "not_an_image damaged", image(patched(sizeof_hdr=999))),
    fault("voxels said to start past the end", "damaged", image(patched(vox_offset=1e9))),
    fault("voxels said to start within the header", "damaged", image(patched(vox_offset=16.0))),
    fault("voxels said to start nowhere", "damaged", image(patched(vox_offset=float("nan")))),
    fault("voxels said to start before the file", "damaged", image(patched(vox_offset=-352.0))),
    fault("an unknown type of voxels", "damaged not_real not_supported", image(patched(datatype=9999))),
    fault("a type that its bits contradict", "damaged not_real", image(patched(bitpix=64))),
    fault("a negative side", "damaged wrong_axes not_an_image", image(patched(dim=(3, -13, 12, 10, 1, 1, 1, 1)))),
    fault("a side of zero", "damaged wrong_axes too_small not_an_image", image(patched(dim=(3, 0, 12, 10, 1, 1, 1, 1)))),
    fault("a count of axes that there is not", "damaged wrong_axes not_an_image",
          image(patched(dim=(99, 13, 12, 10, 1, 1, 1, 1)))),
    fault("an infinite slope", "damaged not_finite", image(patched(scl_slope=float("inf")))),
    fault("a slope beyond float32", "not_finite", image(patched(scl_slope=3e38))),
    # Size
    fault("a header of 32,000 voxels a side", "too_large", image(patched(dim=LARGE)), also="sizes_differ"),
    fault("labels of 32,000 voxels a side", "too_large", labels(patched(dim=LARGE)), also="sizes_differ"),
    fault("a volume of one slice", "too_small wrong_axes unlike", one_slice, also="empty_mask"),
    # Voxels
    fault("one NaN voxel", "not_finite", image(voxels(one(float("nan"))))),
    fault("one infinite voxel", "not_finite", image(voxels(one(float("-inf"))))),
    fault("1e300 in float64", "not_finite", image(voxels(one(1e300), np.float64))),
    fault("a volume of one value", "constant", image(voxels(lambda array: np.full_like(array, 7)))),
    fault("the same volume twice", "identical", twice),
    fault("complex voxels", "not_real", image(lambda _: encode(draw_volume(PLANTED).astype(np.complex64)))),
    fault("RGB voxels", "not_real", image(lambda _: encode(np.zeros(SHAPE, RGB)))),
    # Axes
    fault("a slice for a volume", "wrong_axes sizes_differ unlike", slice_for_a_volume),
    fault("three time points", "undeclared_channels",
          image(lambda _: encode(np.stack([draw_volume(number) for number in (1, 2, 3)], -1)))),
    fault("five axes", "wrong_axes unlike", image(lambda _: encode(draw_volume(PLANTED)[..., None, None].repeat(2, -1)))),
    fault("a fourth axis of one", "fourth_axis", image(lambda _: encode(draw_volume(PLANTED)[..., None]))),
    fault("labels of four axes", "wrong_axes sizes_differ", labels(labels_as(lambda array: np.stack([array, array], -1)))),
    fault("labels off by one", "sizes_differ", labels(labels_as(lambda array: array[:, :, :-1]))),
    fault("labels off by four", "sizes_differ", labels(labels_as(lambda array: np.pad(array, (0, 4))))),
    fault("labels with their axes turned round", "sizes_differ elsewhere", labels(labels_as(lambda array: array.T))),
    # Place
    fault("labels 30 mm away", "elsewhere", labels(labels_as(lambda array: array, affine(origin=(-20, -10, 35))))),
    fault("labels half a millimetre away", "elsewhere", labels(labels_as(lambda array: array, affine(origin=(-20, -9.5, 5))))),
    fault("labels with a flipped axis", "elsewhere", labels(labels_as(lambda array: array, FLIPPED))),
    fault("labels turned by five degrees", "elsewhere", labels(labels_as(lambda array: array, rotated(5)))),
    fault("labels of other spacing", "elsewhere",
          labels(labels_as(lambda array: array, affine(spacing_mm=(0.5, 1.0, 2.5))))),
    fault("qform and sform that disagree", "two_places", image(patched(qoffset=(-20.0, -10.0, 45.0))), also="elsewhere"),
    fault("qform and sform of image and labels that disagree", "two_places", both(patched(qoffset=(-20.0, -10.0, 45.0)))),
    fault("a spacing of zero", "bad_spacing", both(patched(pixdim=(1.0, 0.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0), sform_code=0))),
    fault("a negative spacing", "bad_spacing two_places",
          both(patched(pixdim=(1.0, -0.5, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0), sform_code=0))),
    fault("a spacing of NaN", "bad_spacing", both(patched(pixdim=(1.0, float("nan"), 1.0, 2.0, 1.0, 1.0, 1.0, 1.0)))),
    fault("an sform of zeros", "bad_spacing", both(patched(**NO_SFORM))),
    fault("a sheared sform", "bad_spacing", both(patched(qform_code=0, srow=as_rows(SHEARED)))),
    fault("an sform with NaN", "bad_spacing", both(patched(qform_code=0, srow=(float("nan"), *as_rows(affine())[1:])))),
    fault("a quaternion longer than one", "bad_spacing two_places damaged",
          both(patched(sform_code=0, quatern=(0.9, 0.9, 0.9)))),
    fault("sizes in micron", "converted_unit",
          both(patched(xyzt_units=3, pixdim=(1.0, 500.0, 1000.0, 2000.0, 0.0, 0.0, 0.0, 0.0),
                       qoffset=(-20000.0, -10000.0, 5000.0),
                       srow=as_rows(affine(spacing_mm=(500, 1000, 2000), origin=(-20000, -10000, 5000)))))),
    # Labels
    fault("no labels", "no_mask bad_table wrong_count", without("labelsTr"), also="no_mask bad_table wrong_count"),
    fault("no volume", "no_image bad_table wrong_count", without("imagesTr"), also="no_image bad_table wrong_count"),
    fault("volume and labels swapped", "not_whole not_declared", swapped, also="unlike inverted full_mask"),
    fault("a label of 0.3", "not_whole", labels(label_voxels(0.3, np.float32))),
    fault("a label of 1.0000001", "not_whole", labels(label_voxels(1.0000001, np.float64, every=True))),
    fault("a label of 0.9999999", "not_whole", labels(label_voxels(0.9999999, np.float64, every=True))),
    fault("a label of -1", "not_whole not_declared", labels(label_voxels(-1, np.int16))),
    fault("a label of 7", "not_declared", labels(label_voxels(7, np.uint8))),
    fault("a label of 255", "not_declared", labels(label_voxels(255, np.uint8))),
    fault("a label of 70,000", "not_declared not_whole", labels(label_voxels(70_000, np.int32))),
    fault("a label of NaN", "not_whole not_finite", labels(label_voxels(float("nan"), np.float32))),
    fault("an infinite label", "not_whole not_finite", labels(label_voxels(float("inf"), np.float32))),
    fault("labels with a slope of a half", "not_whole", labels(patched(scl_slope=0.5, scl_inter=0.0))),
    fault("empty labels", "empty_mask", labels(labels_as(np.zeros_like))),
    fault("a label that one case alone has, where no table tells", "rare_label", stray_label),
    fault("a label left out between others, where no table tells", "not_declared", gap_in_the_labels),
    fault("labels everywhere", "full_mask", labels(labels_as(np.ones_like)), also="inverted"),
    fault("labels as RGB", "not_real", labels(lambda _: encode(np.zeros(SHAPE, RGB)))),
    fault("labels cut in half", "damaged", labels(lambda content: content[: len(content) // 2])),
    # Names
    fault("not gzipped though named .gz", "wrong_suffix", image(gzip.decompress, raw=True)),
    fault("gzipped though named .nii", "wrong_suffix", image(pack, suffix=".nii")),
    fault("a volume as .nii and as .nii.gz", "two_files", two_suffixes),
    fault("an Analyze pair's header", "not_supported no_image",
          image(lambda content: content, suffix=".hdr"), also="no_mask"),
]  # fmt: skip
"""The list of them."""
