"""What cannot be scored: each fault is a sentence that names the mask, and its mend works."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from evaluation.masks.made_masks import draw_cases, draw_disc, write_both, write_pictures, write_volumes
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.masks.evaluating import evaluate

AFFINE = np.diag([0.5, 0.5, 2.0, 1.0])


def refuse(*arguments, kind=DataError, **named):
    """The lines of the error."""
    with pytest.raises(kind) as caught:
        evaluate(*arguments, **named)
    return str(caught.value).splitlines()


@pytest.fixture
def volumes(tmp_path):
    """Folders of three volumes each."""
    return write_both(tmp_path, draw_cases(3, shape=(12, 14, 10)), write=write_volumes)


def replace_volume(folder, change, *, affine=AFFINE, name="patient0_0"):
    path = folder / f"{name}.nii.gz"
    mask = np.asarray(nibabel.load(path).dataobj)
    nibabel.save(nibabel.Nifti1Image(change(mask), affine), path)
    return path


def test_a_missing_prediction_is_named_with_the_way_to_go_on(tmp_path):
    predicted, true = write_both(tmp_path)
    for name in ("patient0_1", "patient3_7"):
        (predicted / f"{name}.png").unlink()
    (line,) = refuse(predicted, true)
    assert line == (
        f"{predicted}: has no prediction of 2 cases of the 8 in {true} (patient0_1, patient3_7); expected one for every case, "
        "as those that are missing may be the hard ones. Predict them, or add --partial to score the others alone."
    )
    assert evaluate(predicted, true, partial=True).number_of_cases == 6


def test_a_prediction_of_nearly_the_name_is_offered(tmp_path):
    predicted, true = write_both(tmp_path)
    (predicted / "patient0_1.png").rename(predicted / "Patient0-1.png")
    (line,) = refuse(predicted, true)
    assert "Rename Patient0-1 if it is that of patient0_1, predict it, or add --partial" in line


def test_names_of_which_none_fits_are_one_fault(tmp_path):
    cases = draw_cases(4)
    predicted = write_pictures(tmp_path / "p", {f"x{number}": one for number, (one, _) in enumerate(cases.values())})
    true = write_pictures(tmp_path / "t", {name: other for name, (_, other) in cases.items()})
    (line,) = refuse(predicted, true)
    assert line.startswith(f"{predicted}: holds no mask whose name fits one of {true} (x0 and patient0_0, for example)")


def test_other_sizes_are_told_with_the_mend_for_each(tmp_path):
    predicted, true = write_both(tmp_path)
    Image.open(predicted / "patient0_0.png").resize((32, 24), Image.Resampling.NEAREST).save(predicted / "patient0_0.png")
    Image.open(predicted / "patient0_1.png").transpose(Image.Transpose.ROTATE_90).save(predicted / "patient0_1.png")
    lines = refuse(predicted, true)
    assert lines == [
        f"{predicted}/patient0_0.png: is 32 x 24 pixels but its reference {true}/patient0_0.png is 64 x 48; expected the same "
        "size. Resize the prediction to the size of the reference, labels by the nearest pixel.",
        f"{predicted}/patient0_1.png: is 48 x 64 pixels but its reference {true}/patient0_1.png is 64 x 48; expected the same "
        "size. Turn the prediction: its sides are those of the reference in another order.",
    ]


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (np.diag([0.5, 0.5, 3.0, 1.0]), "its voxels are 0.5 x 0.5 x 3 mm against 0.5 x 0.5 x 2 mm"),
        (np.diag([-0.5, 0.5, 2.0, 1.0]), "its first axis runs the other way"),
        (np.array([[0.5, 0, 0, 9], [0, 0.5, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]), "its first voxel is 9 mm away"),
    ],
)
def test_another_grid_in_space_is_told_by_what_differs(volumes, affine, expected):
    predicted, true = volumes
    path = replace_volume(predicted, lambda mask: mask, affine=affine)
    (line,) = refuse(predicted, true)
    assert line.startswith(f"{path}: lies elsewhere in space than patient0_0.nii.gz: ")
    assert expected in line
    assert line.endswith(
        "Resample the prediction onto the grid of the reference, labels by the nearest voxel, or copy its qform and sform "
        "where only they are wrong."
    )


def test_other_shapes_numbers_and_damage_are_all_told_at_once(volumes):
    predicted, true = volumes
    replace_volume(predicted, lambda mask: mask[:-1])
    replace_volume(predicted, lambda mask: np.where(mask > 0, np.nan, 0).astype(np.float32), name="patient0_1")
    (predicted / "patient1_2.nii.gz").write_bytes(b"nothing of the kind")
    lines = refuse(predicted, true)
    assert len(lines) == 3
    assert "is 11 x 14 x 10 voxels but patient0_0.nii.gz is 12 x 14 x 10" in lines[0]
    assert "has NaN or infinity in" in lines[1]
    assert "patient1_2.nii.gz: is no NIfTI volume" in lines[2]


def test_a_label_that_no_reference_has_is_told_for_every_mask(tmp_path):
    predicted, true = write_both(tmp_path, write=write_pictures, white=1)
    for name in ("patient0_0", "patient0_1"):
        Image.fromarray((draw_disc((20, 20), 5) * 2 + draw_disc((40, 50), 4)).astype(np.uint8)).save(predicted / f"{name}.png")
    lines = refuse(predicted, true)
    assert lines[0] == (
        f"{predicted}/patient0_0.png: holds 2, which no reference does; expected their labels, 1, and 0. Mend the mask; or, "
        "where it is a label that no reference has, name the labels: --label NAME=2 and so on."
    )
    assert len(lines) == 2
    assert evaluate(predicted, true, labels=["organ=1", "lesion=2"]).labels == ("organ", "lesion")


def test_soft_masks_are_refused_with_a_mend(tmp_path):
    predicted, true = write_both(tmp_path)
    soft = (draw_disc((24, 32), 9) * np.linspace(0, 255, 64)).astype(np.uint8)
    Image.fromarray(soft).save(predicted / "patient0_0.png")
    (line,) = refuse(predicted, true)
    assert line.startswith(f"{predicted}/patient0_0.png: ")
    assert "Where they are probabilities, cut them first, at 0.5." in line


def test_greys_that_are_labels_can_be_declared(tmp_path):
    masks = {"a": draw_disc((20, 20), 9) * 128 + draw_disc((20, 50), 9) * 255}
    folders = [write_pictures(tmp_path / side, masks) for side in "pt"]
    (line,) = refuse(*folders)[:1]
    assert "--label NAME=VALUE for each" in line
    assert evaluate(*folders, labels=["cup=128", "disc=255"]).labels == ("cup", "disc")


def test_what_nobody_judged_may_be_declared(tmp_path):
    mask = draw_disc((20, 20), 9) * 1 + draw_disc((20, 50), 9) * 255
    both = mask + draw_disc((40, 20), 5) * 2
    folders = [write_pictures(tmp_path / "p", {"a": both * (both < 255)}), write_pictures(tmp_path / "t", {"a": both})]
    (line,) = refuse(*folders)
    assert "--ignore VALUE" in line
    assert evaluate(*folders, ignore=255).summary["dice"].mean == 1.0


def test_one_folder_twice_is_refused(tmp_path):
    _, true = write_both(tmp_path)
    (line,) = refuse(true, true, kind=SettingError)
    assert "is both the predictions and the reference" in line


def test_a_copy_of_the_reference_is_told(tmp_path):
    cases = {name: other for name, (_, other) in draw_cases().items()}
    found = evaluate(write_pictures(tmp_path / "p", cases), write_pictures(tmp_path / "t", cases))
    assert any(note.startswith("Every prediction equals its reference to the pixel") for note in found.notes)


def test_two_files_of_one_name_are_refused(tmp_path):
    predicted, true = write_both(tmp_path)
    Image.open(predicted / "patient0_0.png").save(predicted / "patient0_0.tif")
    (line,) = refuse(predicted, true)
    assert line.startswith(f"{predicted}/patient0_0.tif: has the same name as patient0_0.png")


def test_texts_beside_masks_are_passed_over_and_pictures_that_are_none_are_told(tmp_path):
    predicted, true = write_both(tmp_path)
    (predicted / "notes.txt").write_text("by hand")
    (predicted / "summary.json").write_text("{}")
    (predicted / "patient0_0.npz").write_bytes(b"probabilities of nnU-Net")
    assert evaluate(predicted, true).number_of_cases == 8
    (predicted / "patient0_0.png").write_text("no picture")
    (predicted / "patient0_1.png").write_bytes((predicted / "patient1_2.png").read_bytes()[:60])
    lines = refuse(predicted, true)
    assert len(lines) == 2
    assert lines[0].startswith(f"{predicted}/patient0_0.png: is text, whatever its name says")


@pytest.mark.parametrize("place", [0, 1])
def test_folders_without_masks_files_and_paths_to_nothing_are_told(tmp_path, place):
    folders = list(write_both(tmp_path))
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    file = folders[0] / "patient0_0.png"
    for path, kind, said in (
        (hollow, DataError, f"{hollow}: holds no masks; expected a folder of masks"),
        (file, SettingError, f"{file} is a file; expected a folder of masks"),
        (tmp_path / "nowhere", SettingError, f"No folder {tmp_path / 'nowhere'}; expected a folder of masks"),
    ):
        given = [*folders]
        given[place] = path
        assert refuse(*given, kind=kind)[0].startswith(said)
    given = [*folders]
    given[place] = tmp_path
    assert f"Give one of the folders in it, such as {tmp_path}/predicted." in refuse(*given)[0]


def test_a_picture_is_no_volume(volumes, tmp_path):
    predicted, true = volumes
    (predicted / "patient0_0.nii.gz").unlink()
    write_pictures(predicted, {"patient0_0": draw_disc((7, 7), 3, (14, 12))})
    (line,) = refuse(predicted, true)
    assert "patient0_0.png: is a picture but its reference" in line


def test_spacing_is_of_pictures(volumes, tmp_path):
    (line,) = refuse(*volumes, spacing_mm=1.0, kind=SettingError)
    assert line == "--spacing is of pictures, and these masks are volumes, which say theirs. Leave --spacing out."
    pictures = write_both(tmp_path / "pictures")
    lines = refuse(*pictures, spacing_mm=(1, 1, 1))
    assert "has 2 axes and --spacing 3 numbers" in lines[0]
    assert len(lines) == 8


def test_settings_out_of_range_are_refused(tmp_path):
    folders = write_both(tmp_path)
    for named, said in (
        ({"empty": "two"}, "empty is 'two'"),
        ({"tolerance_mm": -1}, "tolerance_mm is -1"),
        ({"surface": "skin"}, "surface is 'skin'"),
        ({"ignore": 300}, "ignore was 300"),
        ({"labels": ["=3"]}, "The label was '=3'"),
        ({"labels": ["a", "a"]}, "The label 'a' is named twice"),
        ({"labels": ["a=1", "b=2"]}, "--label names a, b, and the masks hold 255 beside 0"),
        ({"groups": {}, "group_pattern": "x"}, "groups and group_pattern both say"),
        ({"inside": tmp_path / "nowhere"}, f"No folder {tmp_path / 'nowhere'}; expected masks of where scores count"),
        ({"group_pattern": "subject"}, "finds nothing in 8 of 8 names"),
    ):
        assert said in refuse(*folders, kind=SettingError, **named)[0]
    assert "7 cases of 8 without a group" in refuse(*folders, groups={"patient0_0": "p"})[0]


def test_a_label_that_a_table_does_not_name_is_refused(tmp_path):
    random = np.random.default_rng(0)
    masks = {"a": random.integers(0, 3, (16, 16))}
    folders = [write_pictures(tmp_path / side, masks) for side in ("p", "t")]
    (tmp_path / "t" / "labels.csv").write_text("label,value\nliver,1\ntumour,2\n")
    (line,) = refuse(*folders, labels=["kidney"], kind=SettingError)
    assert line == "There is no label 'kidney'; expected one of liver, tumour. Give one of these as --label, or NAME=VALUE."
    (line,) = refuse(*folders, labels=["kidney=7"], kind=SettingError)
    assert "was to be the value 7, which no label has; expected values of liver=1, tumour=2." in line
    assert evaluate(*folders, labels=["tumour", "all=1+2"]).labels == ("tumour", "all")


def test_of_many_faults_the_first_are_told(tmp_path):
    cases = draw_cases(30)
    predicted, true = write_both(tmp_path, cases)
    for name in cases:
        (predicted / f"{name}.png").write_text("no picture")
    lines = refuse(predicted, true)
    assert len(lines) == 21
    assert lines[-1] == "There are 10 more faults than these; mend these first."


def test_a_reference_that_nobody_judged_is_refused(tmp_path):
    folders = [write_pictures(tmp_path / side, {"a": np.full((20, 20), value)}) for side, value in (("p", 0), ("t", 7))]
    (line,) = refuse(*folders, ignore=7)
    assert line == (
        f"{tmp_path}/t/a.png: has no pixel that counts, as nobody judged any; expected some in every case. Take the case out."
    )
