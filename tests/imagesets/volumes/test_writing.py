"""Masks and maps on the grid of a volume, with nibabel as the second source."""

import itertools

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from focalseg.errors import SettingError
from focalseg.imagesets.volumes.reading import read_volume
from focalseg.imagesets.volumes.writing import write_grid

SHAPE = (5, 6, 7)
ORIENTATIONS = [
    np.column_stack([axes, signs])
    for axes in itertools.permutations(range(3))
    for signs in itertools.product([1, -1], repeat=3)
]


def make_oblique():
    """An affine of right angles that is turned in space, as an oblique scan has it."""
    turn, _ = np.linalg.qr([[0.96, -0.1, 0.02], [0.2, 0.97, 0.05], [-0.12, -0.1, 0.99]])
    turn *= np.sign(np.diag(turn))
    affine = np.eye(4)
    affine[:3, :3] = turn * [0.5, 1.0, 2.0]
    affine[:3, 3] = [-20.0, 31.5, 7.25]
    return affine


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda axes: "".join(map(str, axes.astype(int).ravel())))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_was_read_lands_on_its_voxels_in_any_orientation(orientation, dtype, tmp_path):
    numbers = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.int16)
    affine = make_oblique() @ inv_ornt_aff(orientation, SHAPE)
    nibabel.save(nibabel.Nifti1Image(apply_orientation(numbers, orientation), affine), tmp_path / "image.nii.gz")
    volume = read_volume(tmp_path / "image.nii.gz")
    write_grid(tmp_path / "mask.nii.gz", volume.image[0].astype(dtype), volume.header)
    image, mask = nibabel.load(tmp_path / "image.nii.gz"), nibabel.load(tmp_path / "mask.nii.gz")
    assert mask.get_data_dtype() == dtype
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(image.dataobj))
    assert np.array_equal(mask.affine, image.affine)
    canonical = nibabel.as_closest_canonical(mask).get_fdata()
    assert np.array_equal(canonical, nibabel.as_closest_canonical(image).get_fdata())


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 0), (0, 3), (4, 1), (0, 0)])
@pytest.mark.parametrize("unit", ["mm", "micron", "unknown"])
def test_codes_and_units_are_kept(sform, qform, unit, tmp_path):
    affine = np.diag([-2.0, 1.0, 4.0, 1.0])
    image = nibabel.Nifti1Image(np.zeros(SHAPE, np.float32), affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "image.nii")
    volume = read_volume(tmp_path / "image.nii")
    write_grid(tmp_path / "mask.nii.gz", np.zeros(volume.header.canonical_shape, np.uint8), volume.header)
    before, after = nibabel.load(tmp_path / "image.nii"), nibabel.load(tmp_path / "mask.nii.gz")
    assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (sform, qform)
    assert after.header.get_xyzt_units()[0] == unit
    assert after.header.get_zooms() == before.header.get_zooms()
    assert np.array_equal(after.affine, before.affine)


def test_a_fourth_axis_of_one_point_in_time_is_dropped_and_channels_become_one(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((*SHAPE, 1), np.float32), np.diag([-1, 2, 3, 1])), tmp_path / "image.nii.gz")
    volume = read_volume(tmp_path / "image.nii.gz")
    maps = np.random.default_rng(0).random((4, *volume.header.canonical_shape)).astype(np.float32)
    write_grid(tmp_path / "mask.nii.gz", maps[0], volume.header)
    write_grid(tmp_path / "maps.nii.gz", maps, volume.header)
    assert nibabel.load(tmp_path / "mask.nii.gz").shape == SHAPE
    written = nibabel.load(tmp_path / "maps.nii.gz")
    assert written.shape == (*SHAPE, 4)
    again = read_volume(tmp_path / "maps.nii.gz")
    assert np.array_equal(again.image, maps)
    assert np.array_equal(written.affine, nibabel.load(tmp_path / "image.nii.gz").affine)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
def test_two_axes_stay_two_axes(shape, tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.float32), np.diag([-1, 2, 3, 1])), tmp_path / "image.nii.gz")
    volume = read_volume(tmp_path / "image.nii.gz")
    maps = np.random.default_rng(0).random((2, *volume.header.canonical_shape)).astype(np.float32)
    write_grid(tmp_path / "mask.nii.gz", maps[0], volume.header)
    write_grid(tmp_path / "maps.nii.gz", maps, volume.header)
    assert nibabel.load(tmp_path / "mask.nii.gz").shape == shape
    assert nibabel.load(tmp_path / "maps.nii.gz").shape == (5, 6, 1, 2)
    assert np.array_equal(read_volume(tmp_path / "maps.nii.gz").image, maps)


def test_numbers_that_are_not_written_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4)), tmp_path / "image.nii")
    header = read_volume(tmp_path / "image.nii").header
    with pytest.raises(SettingError, match="convert them to uint8, uint16 or float32"):
        write_grid(tmp_path / "mask.nii", np.zeros(header.canonical_shape, np.float64), header)
    assert not (tmp_path / "mask.nii").exists()
