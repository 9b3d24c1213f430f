"""Volumes on canonical axes and masks written back, against nibabel; labels, and pairs that do not fit."""

import hashlib
import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff
from nibabel.quaternions import quat2mat
from scipy.ndimage import affine_transform

from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.imagesets.masks import MaskCoding
from focalseg.imagesets.volumes.reading import (
    compare_headers,
    read_header,
    read_labels,
    read_volume,
)
from focalseg.imagesets.volumes.writing import to_file_axes, write_grid
from imagesets.corpus.volumes import affine, encode, pack, patched

CODING = MaskCoding(labels=("a", "b"), values={0: 0, 1: 1, 2: 2})
ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product([1, -1], repeat=3)
]
SPACINGS = [(0.5, 1.0, 2.0), (3.3, 0.7, 1.1), (0.001, 0.001, 0.005)]
SHAPE = (5, 6, 7)
RAS = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
"""Each voxel another number, along R, A and S."""


@pytest.fixture
def save(tmp_path):
    def write(content, name="a.nii"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refusal(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    assert len(caught.value.findings) == 1
    return str(caught.value)


def oblique():
    place = affine(spacing_mm=(0.5, 1.0, 2.0))
    place[:3, :3] = quat2mat([0.9, 0.2, -0.1, 0.3]) @ place[:3, :3]
    return place


# Axes


@pytest.mark.slow
@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("way", ORIENTATIONS, ids=lambda way: "".join(f"{'-' if flip < 0 else ''}{axis}" for axis, flip in way))
def test_every_orientation_is_read_alike_and_written_back(way, spacing_mm, save, tmp_path):
    stored = apply_orientation(RAS, way)
    place = affine(spacing_mm=spacing_mm) @ inv_ornt_aff(way, SHAPE)
    path = save(encode(stored, place))
    volume = read_volume(path)
    assert np.array_equal(volume.image, RAS.T[None])
    assert volume.spacing_mm == pytest.approx(spacing_mm[::-1], rel=1e-6)

    labels = (volume.image[0] % 3).astype(np.uint8)
    write_grid(tmp_path / "out.nii.gz", labels, volume.header)
    written = nibabel.load(tmp_path / "out.nii.gz")
    assert np.array_equal(np.asarray(written.dataobj), stored % 3)
    assert np.abs(written.affine - nibabel.load(path).affine).max() <= 1e-6
    assert np.array_equal(read_labels(tmp_path / "out.nii.gz", CODING)[0], labels)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 4), (0, 0)])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_mask_has_the_forms_of_its_image_to_the_bit(codes, kind, save, tmp_path):
    content = bytearray(encode(RAS, oblique(), kind))
    for code, place in zip(codes, {348: (252, 254), 540: (344, 348)}[kind.header_class.sizeof_hdr], strict=True):
        content[place] = code
    path = save(content)
    volume = read_volume(path)
    write_grid(tmp_path / "out.nii", np.zeros((7, 6, 5), np.uint8), volume.header)
    image, mask = nibabel.load(path), nibabel.load(tmp_path / "out.nii")
    assert type(mask) is kind
    assert np.array_equal(mask.affine, image.affine)
    for name in ("qform_code", "sform_code", "quatern_b", "qoffset_x", "srow_x", "xyzt_units"):
        assert np.array_equal(mask.header[name], image.header[name])
    assert (int(mask.header["qform_code"]), int(mask.header["sform_code"])) == codes
    assert np.array_equal(mask.header["pixdim"][:4], image.header["pixdim"][:4])
    mask_path = tmp_path / "out.nii"
    assert compare_headers(volume.header, read_header(mask_path), path, mask_path) == []


def test_oblique_volumes_come_on_the_nearest_axes(save):
    path = save(encode(RAS, oblique()))
    theirs = nibabel.as_closest_canonical(nibabel.load(path))
    assert np.array_equal(read_volume(path).image[0], np.asarray(theirs.dataobj).T)


def test_channels_come_first_and_a_fourth_axis_of_one_is_dropped_with_a_note(save):
    channels = np.stack([RAS, RAS + 1000], -1)
    path = save(encode(channels, np.diag([-1.0, 1, 1, 1])))
    assert np.array_equal(read_volume(path).image, channels.T[..., ::-1])
    volume = read_volume(save(encode(RAS[..., None])))
    assert volume.image.shape == (1, 7, 6, 5)
    assert [str(note) for note in volume.notes] == [
        f"{path}: has the shape 5 x 6 x 7 x 1; expected three axes. Nothing need be done: it is dropped."
    ]


@pytest.mark.parametrize("sides", [(5, 6), (5, 6, 1)])
def test_a_file_of_two_axes_or_of_one_slice_is_an_image_of_two(sides, save, tmp_path):
    stored = RAS[..., 0].reshape(sides)
    path = save(encode(stored, np.diag([-0.5, 2.0, 1, 1])))
    volume = read_volume(path)
    assert np.array_equal(volume.image, RAS[::-1, :, 0].T[None])
    assert volume.spacing_mm == (2.0, 0.5)
    write_grid(tmp_path / "out.nii", (volume.image[0] % 3).astype(np.uint8), volume.header)
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "out.nii").dataobj), stored % 3)


def test_a_sagittal_slice_lies_with_the_head_first(save):
    place = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1.0]])
    assert np.array_equal(read_volume(save(encode(RAS[..., 0], place))).image[0], RAS[::-1, :, 0].T)


def test_sizes_in_micron_become_mm_and_fit_a_mask_in_mm(save):
    image = save(patched(xyzt_units=3)(encode(RAS, affine(spacing_mm=(500, 1000, 2000), origin=(0, 0, 3000)))), "image.nii")
    mask = save(encode(RAS.astype(np.uint8), affine(origin=(0, 0, 3))), "mask.nii")
    volume = read_volume(image)
    assert volume.spacing_mm == (2.0, 1.0, 0.5)
    assert [str(note) for note in volume.notes] == [
        f"{image}: has sizes in micron; expected mm. Nothing need be done: they are converted."
    ]
    assert compare_headers(volume.header, read_header(mask), image, mask) == []


def test_an_array_of_another_size_does_not_get_the_axes_of_a_file(save, tmp_path):
    header = read_header(save(encode(RAS)))
    with pytest.raises(ShapeError) as caught:
        to_file_axes(np.zeros((2, 5, 6, 7)), header)
    assert str(caught.value) == "An array of 5 x 6 x 7 does not fit a volume that is read as 7 x 6 x 5; give it in that size."
    with pytest.raises(ShapeError, match="An array of 5 x 6 x 7 does not fit a volume that is read as 7 x 6 x 5; give it"):
        write_grid(tmp_path / "out.nii", np.zeros(SHAPE, np.uint8), header)
    with pytest.raises(SettingError, match="Numbers of int64 are not written as a volume; convert them to uint8, "):
        write_grid(tmp_path / "out.nii", np.zeros((7, 6, 5), np.int64), header)
    with pytest.raises(SettingError, match="out.png names no NIfTI volume; end it in .nii.gz or .nii."):
        write_grid(tmp_path / "out.png", np.zeros((7, 6, 5), np.uint8), header)
    assert not list(tmp_path.glob("out*"))


def test_the_same_mask_gives_the_same_bytes_and_reading_leaves_a_file_as_it_is(save, tmp_path):
    path = save(encode(RAS))
    before = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
    header = read_volume(path).header
    for name in ("one.nii.gz", "two.nii.gz"):
        write_grid(tmp_path / name, np.ones((7, 6, 5), np.uint8), header)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) == before


# Numbers


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i1", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_small_whole_numbers_keep_their_type_and_others_become_float32(dtype, order, save):
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    voxels = (RAS % 120).astype(dtype)
    image = read_volume(save(nibabel.Nifti1Image(voxels, affine(), header, dtype=header.get_data_dtype()).to_bytes())).image
    assert image.dtype == (dtype if dtype in ("u1", "i2", "u2") else np.float32)
    assert image.dtype.isnative
    assert np.array_equal(image[0], voxels.T)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 7.0), (float("nan"), float("nan")), (1.0, 0.0)])
def test_no_slope_leaves_numbers_as_they_are(slope, intercept, save):
    volume = read_volume(save(patched(scl_slope=slope, scl_inter=intercept)(encode(RAS))))
    assert volume.image.dtype == np.int16
    assert np.array_equal(volume.image[0], RAS.T)


def test_a_slope_is_applied_with_one_rounding(save):
    slope, intercept = np.float32(0.1), np.float32(-1024.3)
    image = read_volume(save(patched(scl_slope=slope, scl_inter=intercept)(encode(RAS)))).image
    assert image.dtype == np.float32
    assert np.array_equal(image[0], (RAS.T * float(slope) + float(intercept)).astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "values", "found"),
    [
        (np.float32, [np.nan], "NaN or infinity in 1 voxel"),
        (np.float32, [np.inf, -np.inf, np.nan], "NaN or infinity in 3 voxels"),
        (np.float64, [1e300, 1e39], "values beyond those of float32 (3.4e38) in 2 voxels"),
        (np.float64, [np.nan, -1e300], "NaN or infinity in 1 voxel and values beyond those of float32 (3.4e38) in 1 voxel"),
    ],
)
def test_numbers_that_are_not_finite_are_counted(dtype, values, found, save):
    voxels = RAS.astype(dtype)
    voxels.flat[3 : 3 + len(values)] = values
    path = save(encode(voxels))
    assert refusal(read_volume, path) == f"{path}: has {found}; expected finite intensities. Mend or remove the case."


# Labels


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64, np.float32, np.float64])
def test_labels_are_whole_numbers_of_any_type(dtype, save):
    labels, notes = read_labels(save(nibabel.Nifti1Image((RAS % 3).astype(dtype), affine(), dtype=dtype).to_bytes()), CODING)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, RAS.T % 3)
    assert notes == ()


def test_labels_are_whole_where_a_slope_is_rounded_to_float32(save):
    content = patched(scl_slope=1 / 255, scl_inter=0.0)(encode((RAS % 3 * 255).astype(np.int16)))
    assert np.array_equal(read_labels(save(content), CODING)[0], RAS.T % 3)
    stored = nibabel.Nifti1Image((RAS % 3).astype(np.float64), affine(), dtype=np.int16)  # nibabel chooses a slope for it
    path = save(stored.to_bytes())
    assert nibabel.load(path).dataobj.slope < 1e-3
    assert np.abs(nibabel.load(path).get_fdata() - RAS % 3).max() > 1e-6
    assert np.array_equal(read_labels(path, CODING)[0], RAS.T % 3)


@pytest.mark.parametrize(
    ("dtype", "value", "fields", "said"),
    [
        (np.float32, 0.3, {}, "has numbers that are no labels in 1 voxel, such as 0.3; expected whole numbers from 0 on. "
         "Export the labels again."),
        (np.float64, 1.0000001, {}, "has numbers that are no labels in 1 voxel, such as 1.0000001; "
         "expected whole numbers from 0 on. Export the labels again."),
        (np.float64, 0.9999999, {}, "has numbers that are no labels in 1 voxel, such as 0.9999999; "
         "expected whole numbers from 0 on. Export the labels again."),
        (np.float64, 1e300, {}, "has numbers that are no labels in 1 voxel, such as 1e+300; "
         "expected whole numbers from 0 on. Export the labels again."),
        (np.int16, 1, {"scl_slope": 0.3}, "has numbers that are no labels in 1 voxel, such as 0.3; "
         "expected whole numbers from 0 on. Export the labels again."),
        (np.int16, 10001, {"scl_slope": 1e-4}, "has numbers that are no labels in 1 voxel, such as 1.0001; "
         "expected whole numbers from 0 on. Export the labels again."),
        (np.float32, np.nan, {}, "has NaN or infinity in 1 voxel; expected labels. Mend or remove the case."),
        (np.int16, -1, {}, "holds -1; expected 0, 1, 2. Mend the mask or declare the label."),
        (np.float32, 7, {}, "holds 7; expected 0, 1, 2. Mend the mask or declare the label."),
        (np.uint8, 255, {}, "holds 255; expected 0, 1, 2. Write 1 where it has 255."),
    ],
)  # fmt: skip
def test_a_number_that_is_no_label_is_refused(dtype, value, fields, said, save):
    voxels = np.zeros(SHAPE, dtype)
    voxels[2, 3, 4] = value
    path = save(patched(**fields)(encode(voxels)))
    assert refusal(read_labels, path, CODING) == f"{path}: {said}"


def test_labels_in_several_volumes_are_refused(save):
    path = save(encode(np.zeros((5, 6, 7, 2), np.uint8)))
    said = f"{path}: has 2 volumes in one file; expected one volume of labels. Save one volume a file."
    assert refusal(read_labels, path, CODING) == said
    image = read_header(save(encode(RAS), "image.nii"))
    assert [str(finding) for finding in compare_headers(image, read_header(path), Path("image.nii"), path)] == [said]


# Pairs

MEND = "Resample the labels onto the image's grid, or copy its qform and sform where only they are wrong."


def compare(save, image, mask):
    one, other = save(image, "image.nii"), save(mask, "mask.nii")
    findings = compare_headers(read_header(one), read_header(other), one, other)
    assert all((finding.file, finding.others) == (str(other), (str(one),)) for finding in findings)
    return [f"{finding.kind} {str(finding).removeprefix(f'{other}: ')}" for finding in findings]


@pytest.mark.parametrize("way", ORIENTATIONS[::5], ids=str)
def test_one_grid_stored_along_other_axes_is_one_place(way, save):
    mask = encode(apply_orientation(RAS, way).astype(np.uint8), oblique() @ inv_ornt_aff(way, SHAPE))
    assert compare(save, encode(RAS, oblique()), mask) == []


@pytest.mark.parametrize("real", [0.0, 1e-6, 1e-4, 1e-3])
def test_a_mask_by_a_writer_that_goes_by_the_qform_fits(real, save):
    place = affine()
    place[:3, :3] = quat2mat([real, 0.6, 0.8, 0.0]) @ place[:3, :3]
    image = encode(RAS, place)
    by_qform = nibabel.Nifti1Image.from_bytes(image).get_qform()
    assert compare(save, image, encode(RAS, by_qform)) == []


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 6, 8), "is 5 x 6 x 8 voxels but its image is 5 x 6 x 7; expected the same size. "
         "Export the mask again at the image's size."),
        ((6, 5, 7), "is 6 x 5 x 7 voxels but its image is 5 x 6 x 7; expected the same size. "
         "Turn the mask: its sides are those of the image in another order."),
        ((5, 6), "is 5 x 6 voxels but its image is 5 x 6 x 7; expected the same size. "
         "Export the mask again at the image's size."),
    ],
)  # fmt: skip
def test_another_size_is_said_with_both(shape, said, save):
    assert compare(save, encode(RAS), encode(np.zeros(shape, np.uint8))) == [f"sizes_differ {said}"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (affine(origin=(-20, -10, 35)), "its first voxel is 30 mm away (R, A, S: 0, 0, 30)"),
        (affine() @ np.diag([-1, 1, 1, 1]), "its first axis runs the other way"),
        (affine(spacing_mm=(0.5, 1, 2.5)), "its voxels are 0.5 x 1 x 2.5 mm against 0.5 x 1 x 2 mm"),
        (affine()[[1, 0, 2, 3]] @ np.diag([2, 0.5, 1, 1]), "its voxels are 1 x 0.5 x 2 mm against 0.5 x 1 x 2 mm, "
         "it is turned by 90 degrees, its first voxel is 14.1 mm away (R, A, S: 10, -10, 0)"),
    ],
)  # fmt: skip
def test_a_mask_elsewhere_is_refused(place, said, save):
    expected = f"elsewhere lies elsewhere in space than its image: {said}; expected the same affine. "
    assert compare(save, encode(RAS), encode(RAS, place)) == [f"{expected}{MEND}"]


def shifted(share):
    """The place of an image moved along its first axis by a share of a voxel of 0.5 mm."""
    return affine(origin=(-20 + 0.5 * share, -10, 5))


@pytest.mark.parametrize("share", [0.5, 1.0, -3.0])
def test_the_mend_of_a_shift_can_be_followed_in_both_ways(share, save):
    image, mask = save(encode(RAS), "image.nii"), save(encode(RAS, shifted(share)), "mask.nii")
    assert compare_headers(read_header(image), read_header(mask), image, mask)
    there, labels = nibabel.load(image), nibabel.load(mask)
    copied = nibabel.Nifti1Image(np.asarray(labels.dataobj), there.affine, there.header)
    path = save(copied.to_bytes(), "copied.nii")
    assert compare_headers(read_header(image), read_header(path), image, path) == []
    onto = np.linalg.inv(labels.affine) @ there.affine
    moved = affine_transform(np.asarray(labels.dataobj), onto[:3, :3], onto[:3, 3], there.shape, order=0)
    path = save(nibabel.Nifti1Image(moved, there.affine).to_bytes(), "resampled.nii")
    assert compare_headers(read_header(image), read_header(path), image, path) == []


def test_a_mask_apart_by_less_than_a_twentieth_of_a_voxel_fits_by_either_form_of_either_file(save):
    """As of tools that write the qform or the sform alone anew, with fewer digits."""
    for share in (0.01, -0.04):
        moved = nibabel.Nifti1Image(RAS, shifted(share))
        both = nibabel.Nifti1Image(RAS, affine())
        both.set_qform(shifted(share), 1)
        both.set_sform(affine(), 1)
        assert compare(save, encode(RAS), moved.to_bytes()) == []
        assert compare(save, both.to_bytes(), encode(RAS, shifted(2 * share))) == []
        assert compare(save, encode(RAS, shifted(2 * share)), both.to_bytes()) == []


def test_another_channel_elsewhere_is_called_a_channel_and_may_hold_several(save):
    image, other = save(encode(RAS), "case_0000.nii"), save(encode(RAS, shifted(1)), "case_0001.nii")
    (finding,) = compare_headers(read_header(image), read_header(other), image, other, labels=False)
    assert str(finding) == (
        f"{other}: lies elsewhere in space than case_0000.nii: its first voxel is 0.5 mm away (R, A, S: 0.5, 0, 0); expected "
        "the same affine. Resample the channel onto the grid of case_0000.nii, or copy the qform and sform of that file where "
        "only they are wrong."
    )
    other = save(encode(np.zeros((*RAS.shape, 2), np.uint8)), "case_0001.nii")
    assert compare_headers(read_header(image), read_header(other), image, other, labels=False) == []


def test_a_place_that_only_one_of_the_two_states_cannot_be_compared(save):
    ends = f"; expected a qform or an sform in both, or in neither. {MEND}"
    stated, not_stated = encode(RAS), patched(qform_code=0, sform_code=0)(encode(RAS))
    assert compare(save, stated, not_stated) == [f"elsewhere does not say where it lies in space but its image does{ends}"]
    assert compare(save, not_stated, stated) == [f"elsewhere says where it lies in space but its image does not{ends}"]
    assert compare(save, not_stated, not_stated) == []


@pytest.mark.slow
def test_real_volumes_are_read_as_nibabel_reads_them(real_data):
    paths = sorted(real_data("hippocampus").glob("imagesTr/*.nii.gz"))
    assert paths
    for path in paths:
        volume, mask_path = read_volume(path), path.parents[1] / "labelsTr" / path.name
        theirs = nibabel.as_closest_canonical(nibabel.load(path))
        assert np.array_equal(volume.image[0], np.asarray(theirs.dataobj).T)
        assert np.allclose(volume.spacing_mm, theirs.header.get_zooms()[::-1])
        labels, notes = read_labels(mask_path, CODING)
        assert np.array_equal(labels, np.asarray(nibabel.as_closest_canonical(nibabel.load(mask_path)).dataobj).T)
        assert compare_headers(volume.header, read_header(mask_path), path, mask_path) == []
        assert volume.notes == notes == ()


def test_both_files_packed_or_not_hold_the_same(save):
    plain, packed = read_volume(save(encode(RAS))), read_volume(save(pack(encode(RAS)), "a.nii.gz"))
    assert np.array_equal(plain.image, packed.image)
