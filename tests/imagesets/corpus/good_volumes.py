"""Good sets of volumes of every legal kind."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff

from imagesets.corpus.good_pictures import GoodSet
from imagesets.corpus.volumes import (
    COUNT,
    affine,
    draw_labels,
    draw_volume,
    encode,
    encode_image,
    encode_labels,
    pack,
    patched,
    write_decathlon,
    write_raw,
    write_table,
)

Files = Callable[[int], tuple[str, bytes, str, bytes]]
"""File names and contents of a volume and its labels, by number."""


def decathlon(
    name: str,
    count: int,
    files: Files,
    *,
    table: bool = True,
    note: str = "",
    truth: Callable[[int], np.ndarray] = draw_labels,
    **changes: Any,
) -> GoodSet:
    """A Decathlon folder of those files. note: the kind that each image gets, and its labels where the kind ends in +."""

    def make(folder: Path) -> dict[Path, set[str]]:
        for part in ("imagesTr", "labelsTr"):
            (folder / part).mkdir(parents=True)
        cases, notes = [], {}
        for number in range(count):
            image_name, image, labels_name, labels = files(number)
            (folder / "imagesTr" / image_name).write_bytes(image)
            (folder / "labelsTr" / labels_name).write_bytes(labels)
            cases.append({"image": f"./imagesTr/{image_name}", "label": f"./labelsTr/{labels_name}"})
            if note:
                notes[folder / "imagesTr" / image_name] = {note.rstrip("+")}
            if note.endswith("+"):
                notes[folder / "labelsTr" / labels_name] = {note.rstrip("+")}
        if table:
            write_table(folder, count, {"training": cases, **changes})
        return notes

    masks = {files(number)[0].lower().removesuffix(".gz").removesuffix(".nii"): truth(number) for number in range(count)}
    return GoodSet(name, masks, make)


def both(number: int, write: Callable[[np.ndarray], bytes], *, dtype: type = np.float32) -> tuple[str, bytes, str, bytes]:
    """Volume and labels through the same writer, packed."""
    name = f"case_{number}.nii.gz"
    return name, pack(write(draw_volume(number).astype(dtype))), name, pack(write(draw_labels(number)))


ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product([1, -1], repeat=3)
]
"""All 48 ways in which voxels can run through the body."""


def oriented(number: int) -> tuple[str, bytes, str, bytes]:
    """One of the orientations: voxels and affine changed together, so that the body stays where it is."""
    way = ORIENTATIONS[number]

    def write(voxels: np.ndarray) -> bytes:
        place = affine() @ inv_ornt_aff(way, voxels.shape)
        return encode(np.ascontiguousarray(apply_orientation(voxels, way)), place)

    return both(number, write)


def of_type(dtype: type) -> Files:
    """Voxels of that type."""
    scale = 0.4 if np.dtype(dtype).itemsize == 1 else 1
    return lambda number: (
        f"case_{number}.nii.gz",
        pack(encode(np.clip(draw_volume(number) * scale, 0, 255 if scale < 1 else None).astype(dtype))),
        f"case_{number}.nii.gz",
        pack(encode_labels(number)),
    )


def of_any_type(number: int) -> tuple[str, bytes, str, bytes]:
    """Voxels of another type from case to case, as of several sites."""
    return of_type((np.int16, np.float32, np.uint16)[number % 3])(number)


def with_slope(number: int) -> tuple[str, bytes, str, bytes]:
    """Whole numbers with a slope and an intercept, as scanners write them."""
    content = patched(scl_slope=0.25, scl_inter=-1024.0)(encode((draw_volume(number) * 4).astype(np.int16)))
    labels = patched(scl_slope=1.0, scl_inter=0.0)(encode(draw_labels(number).astype(np.int16)))
    return f"case_{number}.nii.gz", pack(content), f"case_{number}.nii.gz", pack(labels)


def other_forms(number: int) -> tuple[str, bytes, str, bytes]:
    """The same float32 volume in every form of a NIfTI file."""
    image, labels = encode_image(number), encode_labels(number)
    half = len(image) // 2
    big = nibabel.Nifti1Image(draw_volume(number), affine()).as_reoriented([[0, 1], [1, 1], [2, 1]])
    ways: list[Callable[[], tuple[str, bytes]]] = [
        lambda: (".nii.gz", pack(image)),
        lambda: (".nii", image),
        lambda: (".nii.gz", pack(encode(draw_volume(number), kind=nibabel.Nifti2Image))),
        lambda: (".nii", encode(draw_volume(number), kind=nibabel.Nifti2Image)),
        lambda: (".nii.gz", pack(big_endian(big))),
        lambda: (".nii.gz", pack(image[:half]) + pack(image[half:])),
        lambda: (".nii.gz", pack(patched(sform_code=0)(image))),
        lambda: (".nii.gz", pack(patched(qform_code=0)(image))),
        lambda: (".nii.gz", pack(patched(scl_slope=float("nan"), scl_inter=float("nan"))(image))),
        lambda: (".nii.gz", pack(patched(scl_slope=0.0)(image))),
        lambda: (".nii.gz", pack(with_extension(number))),
        lambda: (".NII.GZ", pack(image)),
        lambda: (".nii.gz", pack(patched(qoffset=(-20.0002, -10.0001, 5.0001))(image))),
        lambda: (".nii.gz", pack(patched(xyzt_units=2)(image))),
        lambda: (".nii.gz", pack(patched(xyzt_units=0)(image))),
        lambda: (".nii", patched(vox_offset=1024.0)(image[:352] + bytes(1024 - 352) + image[352:])),
    ]
    suffix, content = ways[number]()
    return f"form_{number}{suffix}", content, f"form_{number}.nii.gz", pack(labels)


def big_endian(image: Any) -> bytes:
    """The bytes of a file of the other order."""
    header = nibabel.Nifti1Header(endianness=">")
    header.set_xyzt_units("mm", "sec")
    turned = nibabel.Nifti1Image(np.asarray(image.dataobj), affine(), header)
    turned.header.set_data_dtype(">f4")
    turned.set_qform(affine(), 1)
    turned.set_sform(affine(), 1)
    return turned.to_bytes()


def with_extension(number: int) -> bytes:
    """With a comment in the header's extension."""
    image = nibabel.Nifti1Image(draw_volume(number), affine())
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"from scanner 2" * 9))
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine(), 1)
    return image.to_bytes()


def in_micron(number: int) -> tuple[str, bytes, str, bytes]:
    """Sizes in micron, as of microscopes."""
    place = affine(spacing_mm=(500, 1000, 2000), origin=(0, 0, 0))
    return both(number, lambda voxels: patched(xyzt_units=3)(encode(voxels, place)))


def channels_last(number: int) -> tuple[str, bytes, str, bytes]:
    """Two contrasts along the fourth axis."""
    both_contrasts = np.stack([draw_volume(number), draw_volume(number + 100)], -1)
    return f"case_{number}.nii.gz", pack(encode(both_contrasts)), f"case_{number}.nii.gz", pack(encode_labels(number))


def axis_of_one(number: int) -> tuple[str, bytes, str, bytes]:
    """A fourth axis of length 1."""
    return both(number, lambda voxels: encode(voxels[..., None] if voxels.dtype == np.float32 else voxels))


def numbered_labels(number: int) -> tuple[str, bytes, str, bytes]:
    """Labels of every type of numbers."""
    dtype = (np.int8, np.int16, np.uint16, np.int32, np.int64, np.uint64, np.float32, np.float64)[number]
    name = f"case_{number}.nii.gz"
    image = nibabel.Nifti1Image(draw_labels(number).astype(dtype), affine(origin=(-20 + 1e-5, -10, 5)), dtype=dtype)
    return name, pack(encode_image(number)), name, pack(image.to_bytes())


def without_a_place(number: int) -> tuple[str, bytes, str, bytes]:
    """Neither qform nor sform, sizes alone."""
    return both(number, lambda voxels: patched(qform_code=0, sform_code=0)(encode(voxels)))


def shape_of(number: int) -> tuple[int, int, int]:
    """One for each."""
    return 13 + number, 20 - number, 10 + number % 3


def mixed(number: int) -> tuple[str, bytes, str, bytes]:
    """Shapes and spacings of their own."""
    shape = shape_of(number)
    place = affine(spacing_mm=(0.5 + 0.1 * number, 1.0, 3.0 - 0.2 * number))
    name = f"mixed {number}.nii.gz"
    return name, pack(encode(draw_volume(number, shape), place)), name, pack(encode(draw_labels(number, shape), place))


def float_labels(number: int) -> tuple[str, bytes, str, bytes]:
    """Labels as floats that are whole."""
    name = f"case_{number}.nii.gz"
    return name, pack(encode_image(number)), name, pack(encode(draw_labels(number).astype(np.float64)))


EMPTY = (0, 4)


def usual_labels() -> dict[str, np.ndarray]:
    """Those of `write_decathlon` and `write_raw`."""
    return {f"case_{number}": draw_labels(number) for number in range(COUNT)}


def empty_labels(folder: Path) -> dict[Path, set[str]]:
    """Two of the cases without any label, with hidden files as the Decathlon's archives have them."""
    write_decathlon(folder)
    for part in ("imagesTr", "labelsTr"):
        (folder / part / "._case_1.nii.gz").write_bytes(b"\0\5\26\7")
    notes = {}
    for number in EMPTY:
        path = folder / "labelsTr" / f"case_{number}.nii.gz"
        path.write_bytes(pack(encode(np.zeros_like(draw_labels(number)))))
        notes[path] = {"empty_mask"}
    return notes


def two_scanners(folder: Path) -> dict[Path, set[str]]:
    """Channels of different types of numbers, as of CT and PET."""
    write_raw(folder)
    for number in range(COUNT):
        path = folder / "imagesTr" / f"case_{number}_0000.nii.gz"
        path.write_bytes(pack(encode(draw_volume(number).astype(np.int16))))
    return {}


def two_channels(folder: Path) -> dict[Path, set[str]]:
    """A file a channel."""
    write_raw(folder)
    return {}


def volume_sets() -> list[GoodSet]:
    """All of them."""
    types = (np.uint8, np.int16, np.uint16, np.int32, np.float64)
    return [
        decathlon("48 orientations", 48, oriented),
        *(decathlon(f"{dtype.__name__} voxels", 6, of_type(dtype)) for dtype in types),
        decathlon("slopes", 6, with_slope),
        decathlon("every form of a NIfTI file", 16, other_forms),
        decathlon("sizes in micron", 6, in_micron, note="converted_unit+"),
        decathlon("channels last", 6, channels_last, modality={"0": "T1", "1": "T2"}),
        decathlon("a fourth axis of one", 6, axis_of_one, note="fourth_axis"),
        decathlon("shapes and spacings of their own", 6, mixed, truth=lambda number: draw_labels(number, shape_of(number))),
        decathlon("float labels without a table", 6, float_labels, table=False),
        decathlon("labels of every type", 8, numbered_labels),
        decathlon("sizes alone", 6, without_a_place),
        GoodSet(
            "empty labels",
            {**usual_labels(), **{f"case_{number}": np.zeros_like(draw_labels(0)) for number in EMPTY}},
            empty_labels,
        ),
        GoodSet("nnU-Net raw of two channels", usual_labels(), two_channels),
        GoodSet("nnU-Net raw of two scanners", usual_labels(), two_scanners),
        decathlon("a type of voxels for each case", 6, of_any_type),
    ]
