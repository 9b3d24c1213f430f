"""Volumes in the Decathlon's layout: what is read from a NIfTI file, and what is refused by name."""

import gzip
import json

import nibabel
import numpy as np
import pytest

from focalseg.data.decathlon import read_labels, read_volume
from focalseg.data.preparation import on_common_scale
from focalseg.data.reading import read_dataset
from focalseg.errors import DataError
from focalseg.study.runs import read_cases


@pytest.fixture
def make_volumes(tmp_path, write_volumes):
    return lambda **changes: write_volumes(tmp_path / "data", **changes)


def save(path, voxels, affine=None, **header):
    image = nibabel.Nifti1Image(voxels, np.diag([0.5, 1.0, 2.0, 1.0]) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)


def refusal(folder):
    """What is said of the folder, when it is opened or when its first case is read."""
    with pytest.raises(DataError) as caught:
        read_dataset(str(folder)).read_case(0)
    return str(caught.value)


def test_cases_come_in_natural_order_with_the_slices_first(make_volumes):
    folder = make_volumes(count=12)
    dataset = read_dataset(str(folder))
    assert dataset.names == dataset.groups == tuple(f"case_{number}" for number in range(12))
    assert dataset.labels == ("label_1", "label_2")
    case = dataset.read_case(10)
    stored = nibabel.load(folder / "imagesTr" / "case_10.nii.gz").get_fdata()
    labels = nibabel.load(folder / "labelsTr" / "case_10.nii.gz").get_fdata()
    assert (case.image.shape, case.image.dtype, case.mask.dtype) == ((1, 10, 12, 13), np.float32, np.uint8)
    assert case.spacing_mm == (2.0, 1.0, 0.5)
    for x, y, z in ((0, 0, 0), (7, 3, 5), (12, 11, 9)):
        assert case.image[0, z, y, x] == stored[x, y, z]
        assert case.mask[z, y, x] == labels[x, y, z]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_every_number_type_comes_as_float32_so_that_a_set_may_mix_them(make_volumes, dtype):
    case = read_dataset(str(make_volumes(dtype=dtype))).read_case(0)
    assert case.image.dtype == np.float32


def test_the_slope_of_the_header_is_applied(make_volumes):
    folder = make_volumes()
    path = folder / "imagesTr" / "case_0.nii.gz"
    image = nibabel.Nifti1Image(np.full((13, 12, 10), 3, np.int16), np.diag([0.5, 1.0, 2.0, 1.0]))
    image.header.set_slope_inter(2.0, -1.0)
    nibabel.save(image, path)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[112:120] = np.array([2.0, -1.0], "<f4").tobytes()  # scl_slope and scl_inter; nibabel rescales what it saves
    raw[352:] = np.full(13 * 12 * 10, 3, "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    assert (read_dataset(str(folder)).read_case(0).image == 5).all()


def test_the_last_of_four_axes_is_channels(make_volumes):
    folder = make_volumes()
    voxels = np.random.default_rng(0).random((13, 12, 10, 2)).astype(np.float32)
    save(folder / "imagesTr" / "case_0.nii.gz", voxels)
    image = read_dataset(str(folder)).read_case(0).image
    assert np.array_equal(image[1], voxels[..., 1].T)


def test_spacing_is_in_mm_whatever_the_unit_of_the_file(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.float32), np.diag([500.0, 1000.0, 2000.0, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.spacing_mm == (2.0, 1.0, 0.5)
    assert volume.image.shape == (1, 6, 5, 4)


def test_labels_are_named_by_the_table_beside_them(make_volumes):
    folder = make_volumes()
    (folder / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "head", "2": "tail"}}))
    assert read_dataset(str(folder)).labels == ("head", "tail")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "cannot be read as JSON (JSONDecodeError)"),
        ("[]", "names no labels"),
        ('{"labels": {"0": "background"}}', "names no labels"),
        ('{"labels": {"0": "background", "2": "b"}}', "has the labels {'0': 'background', '2': 'b'}"),
        ('{"labels": {"0": "background", "1": "b", "2": "b"}}', "has the labels {'0': 'background', '1': 'b', '2': 'b'}"),
    ],
)
def test_a_table_that_names_no_labels_is_refused(make_volumes, content, found):
    folder = make_volumes()
    (folder / "dataset.json").write_text(content)
    assert refusal(folder) == (
        f'{folder}/dataset.json: {found}; expected "labels": {{"0": "background", "1": "a name", ...}}, '
        "numbered without gaps. Mend or remove the file."
    )


def test_a_label_that_the_table_does_not_name_is_refused(make_volumes):
    folder = make_volumes()
    (folder / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "head"}}))
    assert refusal(folder) == (
        f"{folder}/labelsTr/case_0.nii.gz: holds the label 2; expected 0 to 1 (head). "
        f"Mend the mask, or name the label in {folder}/dataset.json."
    )


def test_every_file_without_a_partner_is_named_and_hidden_files_are_not(make_volumes):
    folder = make_volumes()
    (folder / "imagesTr" / "._case_0.nii.gz").write_bytes(b"left by an archive")
    (folder / "labelsTr" / "case_4.nii.gz").unlink()
    (folder / "imagesTr" / "case_7.nii.gz").unlink()
    with pytest.raises(DataError) as caught:
        read_dataset(str(folder))
    assert caught.value.faults == (
        f"{folder}/imagesTr/case_4.nii.gz: no labels of that name in {folder}/labelsTr/; expected case_4.nii.gz. "
        "Add them or take the image out.",
        f"{folder}/labelsTr/case_7.nii.gz: no image of that name in {folder}/imagesTr/; expected case_7.nii.gz. "
        "Add it or take the labels out.",
    )


def test_a_folder_without_volumes_and_two_files_for_one_case_are_refused(tmp_path, make_volumes):
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
    assert refusal(tmp_path) == (f"{tmp_path}/imagesTr holds no volumes; expected files such as case_1.nii.gz. Put them there.")
    folder = make_volumes()
    save(folder / "imagesTr" / "case_0.nii", np.zeros((13, 12, 10), np.float32))
    assert "case_0.nii.gz: has the same name as case_0.nii; expected one file a case" in refusal(folder)


def test_labels_of_another_shape_or_another_place_are_named_before_anything_is_decoded(make_volumes):
    folder = make_volumes()
    save(folder / "labelsTr" / "case_2.nii.gz", np.zeros((13, 12, 9), np.uint8))
    moved = np.diag([0.5, 1.0, 2.0, 1.0])
    moved[1, 3] = 7
    save(folder / "labelsTr" / "case_3.nii.gz", np.zeros((13, 12, 10), np.uint8), moved)
    with pytest.raises(DataError) as caught:
        read_dataset(str(folder))
    assert caught.value.faults == (
        f"{folder}/labelsTr/case_2.nii.gz: is 13 x 12 x 9 voxels but its image is 13 x 12 x 10; expected the same size. "
        "Export the labels again.",
        f"{folder}/labelsTr/case_3.nii.gz: lies elsewhere in space than its image (their affines differ by up to 7); "
        "expected the same place. Export the labels on the image's grid.",
    )


@pytest.mark.parametrize("value", [0.5, -1, 300, np.nan])
def test_labels_that_are_no_whole_numbers_from_0_are_refused(make_volumes, value):
    folder = make_volumes()
    voxels = np.zeros((13, 12, 10), np.float32)
    voxels[3, 4, 5] = value
    save(folder / "labelsTr" / "case_0.nii.gz", voxels)
    assert refusal(folder) == (
        f"{folder}/labelsTr/case_0.nii.gz: holds {value:g}; expected labels, whole numbers from 0 on. Export the labels again."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_intensities_that_are_no_finite_float32_are_refused(make_volumes, value):
    folder = make_volumes()
    voxels = np.ones((13, 12, 10))
    voxels[0, 0, 0] = value
    save(folder / "imagesTr" / "case_0.nii.gz", voxels)
    assert refusal(folder) == (
        f"{folder}/imagesTr/case_0.nii.gz: has voxels that are no finite numbers; expected finite intensities. "
        "Mend or remove the case."
    )


def test_a_header_that_promises_too_much_is_refused_before_it_is_believed(make_volumes):
    folder = make_volumes()
    path = folder / "imagesTr" / "case_0.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[42:48] = np.array([30_000, 30_000, 30_000], "<i2").tobytes()  # dim[1] to dim[3]
    path.write_bytes(gzip.compress(bytes(raw)))
    assert refusal(folder) == (
        f"{path}: promises 30000 x 30000 x 30000 voxels; at most 100,000,000 are decoded. Make it smaller."
    )


@pytest.mark.parametrize("shape", [(8, 9), (3, 4, 5, 2, 2)])
def test_what_is_no_volume_is_refused(make_volumes, shape):
    folder = make_volumes()
    save(folder / "imagesTr" / "case_0.nii.gz", np.zeros(shape, np.float32))
    assert f"has the shape {' x '.join(map(str, shape))}; expected three axes, or four with the channels last." in refusal(
        folder
    )


def damage_middle(content):
    return content[: len(content) // 2] + bytes(64) + content[len(content) // 2 + 64 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"not a volume",
        lambda content: content[:40],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-9],  # the voxels are whole, the sum at the end is not
        lambda content: content[:-8] + bytes(8),
        damage_middle,
        lambda _: gzip.compress(b"too short for a header"),
        lambda content: gzip.compress(gzip.decompress(content)[:-100]),
        lambda content: gzip.compress(gzip.decompress(content) + bytes(2**22)),
    ],
)
@pytest.mark.parametrize("part", ["imagesTr", "labelsTr"])
def test_a_damaged_file_is_named(make_volumes, damage, part, capfd):
    folder = make_volumes()
    (folder / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "head", "2": "tail"}}))
    path = folder / part / "case_0.nii.gz"
    path.write_bytes(damage(path.read_bytes()))
    message = refusal(folder)
    assert message.startswith(f"{path}: cannot be decoded (")
    assert message.endswith("); expected an undamaged NIfTI volume. Replace the file.")
    assert capfd.readouterr() == ("", "")


def test_every_damaged_file_is_named_once(make_volumes):
    folder = make_volumes()
    for name in ("case_1", "case_3"):
        (folder / "labelsTr" / f"{name}.nii.gz").write_bytes(
            damage_middle((folder / "labelsTr" / f"{name}.nii.gz").read_bytes())
        )
    with pytest.raises(DataError) as caught:
        read_cases(str(folder))
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        f"{folder}/labelsTr/case_1.nii.gz",
        f"{folder}/labelsTr/case_3.nii.gz",
    ]


def test_the_real_volumes_are_read_whole(real_data):
    folder = real_data("hippocampus")
    dataset = read_dataset(str(folder))
    assert len(dataset) == 40
    assert dataset.labels == ("label_1", "label_2")
    cases = [dataset.read_case(number) for number in range(40)]
    assert all(case.spacing_mm == (1, 1, 1) for case in cases)
    assert all(np.array_equal(np.unique(case.mask), [0, 1, 2]) for case in cases)
    for label, share in ((0, 0.9465), (1, 0.0280), (2, 0.0255)):  # as the set's README has them
        assert np.mean([(case.mask == label).mean() for case in cases]) == pytest.approx(share, abs=5e-5)
    depths, heights, widths = zip(*(case.mask.shape for case in cases), strict=True)
    assert (min(widths), max(widths), min(heights), max(heights), min(depths), max(depths)) == (33, 42, 46, 54, 28, 43)
    assert not on_common_scale(cases)
    assert read_labels(folder / "labelsTr" / f"{dataset.names[0]}.nii.gz").shape == cases[0].mask.shape
