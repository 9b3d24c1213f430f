"""The axes of a volume and its place in space, against nibabel's orientations and quaternions."""

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.orientations import aff2axcodes, inv_ornt_aff, io_orientation
from nibabel.quaternions import quat2mat

from focalseg.errors import DataError
from focalseg.imagesets.volumes.orientation import (
    canonical_affine,
    decide_orientation,
    describe_differences,
    from_canonical_axes,
    read_place,
    to_canonical_axes,
)

PATH, SHAPE = Path("a.nii"), (256, 300, 180)
ORIENTATIONS = [(order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)]


def turn(order, signs, spacing=(1.0, 2.0, 3.0), origin=(-5.0, 7.0, 11.0)):
    """(4, 4): axis n of the file runs along order[n] of R, A, S, in the direction of signs[n]."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign, step) in enumerate(zip(order, signs, spacing, strict=True)):
        affine[world, axis] = sign * step
    affine[:3, 3] = origin
    return affine


def draw_affine(random, *, real=None):
    """An oblique place; real: the part of its quaternion that NIfTI does not keep, near 0 for half a turn."""
    quaternion = random.normal(size=4)
    if real is not None:
        quaternion[1:] /= np.linalg.norm(quaternion[1:])
        quaternion[0] = real
    affine = np.eye(4)
    affine[:3, :3] = quat2mat(quaternion) * random.choice([1, -1], 3) * 10 ** random.uniform(-1, 1, 3)
    affine[:3, 3] = random.uniform(-300, 300, 3)
    return affine


def record(qform=None, sform=None, shape=SHAPE):
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    if qform is not None:
        header.set_qform(qform, 1)
    if sform is not None:
        header.set_sform(sform, 1)
    return header.structarr


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_canonical_axes_run_to_the_head_the_front_and_the_right(order, signs):
    affine = turn(order, signs)
    orientation = decide_orientation(affine, 3)
    names = [aff2axcodes(np.eye(4))[order[axis]] for axis in orientation.order]
    assert names == ["S", "A", "R"]
    assert list(orientation.flipped) == [signs[axis] < 0 for axis in orientation.order]


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_the_axes_of_the_file_come_back(order, signs):
    orientation = decide_orientation(turn(order, signs), 3)
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    canonical = to_canonical_axes(array, orientation)
    assert canonical.flags.c_contiguous
    assert np.array_equal(from_canonical_axes(canonical, orientation), array)


def test_oblique_axes_are_named_as_nibabel_names_them():
    random = np.random.default_rng(0)
    for _ in range(500):
        affine = draw_affine(random)
        orientation = decide_orientation(affine, 3)
        theirs = io_orientation(affine)
        assert [theirs[axis, 0] for axis in orientation.order] == [2, 1, 0]
        assert [theirs[axis, 1] < 0 for axis in orientation.order] == list(orientation.flipped)


def test_rounding_does_not_decide_between_two_axes_at_45_degrees():
    turned = {
        decide_orientation(np.block([[quat2mat([np.cos(angle / 2), 0, 0, np.sin(angle / 2)]), np.zeros((3, 1))],
                                     [np.zeros((1, 3)), 1]]), 3)
        for angle in np.pi / 4 + np.array([-1e-6, -1e-9, 0, 1e-9, 1e-6])
    }  # fmt: skip
    assert len(turned) == 1


def test_a_canonical_affine_takes_voxels_where_the_affine_of_the_file_does():
    random = np.random.default_rng(1)
    for _ in range(50):
        affine, shape = draw_affine(random), (4, 5, 6)
        orientation = decide_orientation(affine, 3)
        mine = canonical_affine(affine, shape, orientation)
        theirs = affine @ inv_ornt_aff(io_orientation(affine), shape)
        assert np.allclose(mine[:3, [2, 1, 0, 3]], theirs[:3], rtol=0, atol=1e-9)


@pytest.mark.parametrize("real", [None, 0.0, 1e-8, 1e-6, 3e-5, 1e-4, 1e-3, 1e-2])
def test_a_qform_and_an_sform_that_differ_by_rounding_agree(real):
    random = np.random.default_rng(2)
    for _ in range(100):
        affine = draw_affine(random, real=real)
        place = read_place(PATH, record(affine, affine), SHAPE)
        assert np.allclose(place.affine, affine, rtol=0, atol=1e-4)
        assert len(place.affines) == 2


@pytest.mark.parametrize("real", [None, 0.0, 1e-3])
def test_a_quarter_of_a_degree_between_them_is_found(real):
    random = np.random.default_rng(3)
    for _ in range(50):
        affine = draw_affine(random, real=real)
        axis = random.normal(size=3)
        angle = np.radians(0.25)
        turned = affine.copy()
        turned[:3, :3] = quat2mat([np.cos(angle / 2), *(np.sin(angle / 2) * axis / np.linalg.norm(axis))]) @ affine[:3, :3]
        with pytest.raises(DataError, match="a.nii: has a qform that disagrees with its sform: it is turned by 0.2"):
            read_place(PATH, record(affine, turned), SHAPE)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_a_voxel_between_them_is_found_in_a_file_that_is_turned_by_half_a_turn(axis):
    """Most scanners write so: the part of the quaternion that is not kept is 0, which blurs directions but no offset."""
    sform = np.diag([-1.0, -1, 1, 1])
    sform[:3, 3] = 90, 126, -72
    qform = sform.copy()
    qform[axis, 3] += 0.5
    with pytest.raises(DataError, match="a.nii: has a qform that disagrees with its sform: its first voxel is 0.5 mm away"):
        read_place(PATH, record(qform, sform, (180, 216, 180)), (180, 216, 180))


def test_the_sform_is_taken_where_both_are_stated():
    affine = draw_affine(np.random.default_rng(4), real=1e-5)
    fields = record(affine, affine)
    place = read_place(PATH, fields, SHAPE)
    rows = [fields[name].astype(float) for name in ("srow_x", "srow_y", "srow_z")]
    assert np.array_equal(place.affine[:3], rows)
    assert not np.array_equal(place.affines[1][:3], rows)


@pytest.mark.parametrize("shape", [(7, 8, 9), (7, 8)])
def test_a_header_without_a_place_is_read_as_nibabel_reads_it(shape):
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_zooms((0.5, 2, 3)[: len(shape)])
    place = read_place(PATH, header.structarr, shape)
    assert not place.stated
    columns = [*range(len(shape)), 3]
    assert np.allclose(place.affine[:, columns], header.get_best_affine()[:, columns])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (np.eye(4), []),
        (np.diag([1 + 1e-4, 1, 1, 1]), []),
        (np.diag([1, 1, 1.25, 1]), ["its voxels are 1 x 2 x 3 mm against 1 x 2 x 3.75 mm"]),
        (np.diag([-1, 1, 1, 1]), ["its first axis runs the other way"]),
        (np.diag([-1, 1, -1, 1]), ["its first axis runs the other way", "its third axis runs the other way"]),
    ],
)
def test_what_sets_two_places_apart_is_said(change, said):
    one = np.diag([1.0, 2, 3, 1])
    assert describe_differences(one, one @ change, (10, 10, 10)) == said


def test_a_shift_and_a_turn_are_said_with_their_size():
    one = np.diag([1.0, 2, 3, 1])
    other = one.copy()
    other[:3, 3] = (0, -3, 4)
    assert describe_differences(one, other, (9, 9, 9)) == ["its first voxel is 5 mm away (R, A, S: 0, 3, -4)"]
    angle = np.radians(10)
    other = np.eye(4)
    other[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert describe_differences(one, other @ one, (9, 9, 9)) == ["it is turned by 10 degrees"]


@pytest.mark.parametrize(
    ("shift", "apart"), [(9e-4, False), (5e-3, False), (0.049, False), (0.06, True), (0.5, True), (1.0, True)]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_twentieth_of_a_voxel_is_let_pass_along_every_axis(shift, apart, axis):
    one = np.diag([0.5, 1.0, 4.0, 1.0])
    other = one.copy()
    other[axis, 3] = shift * one[axis, axis]
    assert bool(describe_differences(one, other, (9, 9, 9))) is apart


@pytest.mark.parametrize("written", [0.977, 0.9766, 0.97656])
def test_sizes_that_were_rounded_add_up_over_hundreds_of_slices_and_are_let_pass_from_either_end(written):
    """Of 1000 / 1024 mm; the corner that stays is the first where the file begins there, and the last where it is flipped."""
    for end in (0, 1):
        one, other = np.diag([0.9765625, 1, 1, 1]), np.diag([written, 1, 1, 1])
        one[0, 3], other[0, 3] = (-499 * end * size for size in (0.9765625, written))
        assert describe_differences(one, other, (500, 9, 9)) == []


def test_a_drift_of_half_a_voxel_is_found_though_sizes_differ_by_less_than_a_thousandth():
    one, other = np.diag([1, 1, 1, 1.0]), np.diag([1.0009, 1, 1, 1])
    (said,) = describe_differences(one, other, (600, 9, 9))
    assert said == "its voxels drift away, by 0.54 of a voxel at one corner"  # 600 * 0.0009


def test_a_picture_in_space_may_leave_its_plane_by_a_twentieth_of_a_pixel():
    one = np.array([[0.5, 0, 3], [0, 0.5, 4], [0, 0, 5], [0, 0, 1]])
    for shift, apart in ((0.02, False), (0.03, True)):
        other = one.copy()
        other[2, 2] += shift
        assert bool(describe_differences(one, other, (9, 9))) is apart


def test_oblique_grids_that_differ_by_the_rounding_of_float32_or_of_six_digits_are_one():
    random = np.random.default_rng(5)
    for _ in range(50):
        affine = draw_affine(random, real=None)
        affine[:3, 3] *= 10
        for rounded in (affine.astype(np.float32).astype(float), np.vectorize(lambda value: float(f"{value:.6g}"))(affine)):
            assert describe_differences(affine, rounded, (512, 512, 500)) == []
