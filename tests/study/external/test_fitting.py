"""Whether another set fits the networks of a job: every refusal, and that its mend works."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError
from focalseg.feeding.preparation import Preparation
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.survey import survey_dataset
from focalseg.study.external.fitting import find_fit
from inference.models import make_config
from study.external.conftest import write_squares

TWO = ("vein", "artery")


def fit(folder: Path, *configs):
    return find_fit(survey_dataset(open_dataset(str(folder))), configs or (make_config(),))


def refuse(folder: Path, *configs) -> str:
    with pytest.raises(DataError) as raised:
        fit(folder, *configs)
    (fault,) = raised.value.faults
    return fault


def rewrite(folder: Path, change) -> None:
    """Every image or mask of a folder, changed."""
    for path in folder.iterdir():
        changed = change(np.asarray(Image.open(path)))
        Image.fromarray(changed).save(path)


def write_labelled(folder: Path, table: str, *, values=(1, 2)) -> Path:
    """Masks with two labels, the left and the right half of each square, and a table of them."""
    write_squares(folder)
    left, right = values

    def halve(mask):
        column = np.flatnonzero(mask.any(axis=0)).mean()
        sides = np.where(np.arange(mask.shape[1]) < column, left, right)
        return np.where(mask > 0, sides, 0).astype(np.uint8)

    rewrite(folder / "masks", halve)
    if table:
        (folder / "labels.csv").write_text(table)
    return folder


def test_a_set_of_the_kind_that_the_networks_were_trained_on_fits_without_a_word(tmp_path: Path) -> None:
    found = fit(write_squares(tmp_path / "far"))
    assert (found.labels, found.channels, found.notes, found.moves) == (("lesion",), (0,), (), False)


def test_grey_images_for_networks_in_colour_are_refused_and_saved_in_colour_they_fit(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far", channels=1)
    assert refuse(folder) == (
        f"{folder}: its images have 1 channel, such as {folder / 'images/far_0.png'}; expected 3, as those that the networks "
        "were trained on. Save them in colour."
    )
    rewrite(folder / "images", lambda image: np.stack([image] * 3, axis=-1))
    assert fit(folder).labels == ("lesion",)


def test_pictures_for_networks_of_volumes_are_refused(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far")
    volumes = make_config(
        preparation=Preparation(size=(8, 8, 8), mean=(100.0,) * 3, standard_deviation=(50.0,) * 3), spatial_dims=3
    )
    assert refuse(folder, volumes) == (
        f"{folder}: its images are pictures, such as {folder / 'images/far_0.png'}; expected volumes, which the networks were "
        "trained on. Give a set of volumes."
    )


def test_labels_are_matched_by_name_in_whatever_order_the_set_has_them(tmp_path: Path) -> None:
    found = fit(write_labelled(tmp_path / "far", "label,value\nArtery,1\nvein,2\n"), make_config(labels=TWO))
    assert (found.labels, found.channels, found.moves, found.notes) == (("artery", "vein"), (1, 0), True, ())


def test_fewer_labels_are_scored_alone_where_a_table_names_them(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "far", "label,value\nvein,1\n", values=(1, 1))
    found = fit(folder, make_config(labels=("artery", "vein", "fovea")))
    assert (found.labels, found.channels) == (("vein",), (1, 0, 2))
    assert found.notes == (
        "its masks do not tell artery, fovea, so that only vein is scored; the job's own figures are of artery, vein, fovea.",
    )


def test_fewer_labels_that_nothing_names_are_refused_and_named_in_a_table_they_fit(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far")
    assert refuse(folder, make_config(labels=TWO)) == (
        f"{folder}: its masks tell 1 label apart (foreground); expected 2, as the networks do (vein, artery). Name the labels "
        "that its masks hold in a table, labels.csv with label,value, as vein, artery are called."
    )
    (folder / "labels.csv").write_text("label,value\nvein,255\n")
    assert fit(folder, make_config(labels=TWO)).labels == ("vein",)


def test_more_labels_than_the_networks_tell_are_refused_and_taken_out_they_fit(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "far", "label,value\nlesion,1\nvein,2\n")
    assert refuse(folder) == (
        f"{folder}: its masks have the label vein; expected labels that the networks tell: lesion. Write 0 for it in the masks "
        "and take it out of the table of the set."
    )
    rewrite(folder / "masks", lambda mask: np.where(mask == 2, 0, mask).astype(np.uint8))
    (folder / "labels.csv").write_text("label,value\nlesion,1\n")
    assert fit(folder).labels == ("lesion",)


def test_a_label_of_another_name_is_refused_and_called_alike_it_fits(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "far", "label,value\ntumour,1\n", values=(1, 1))
    assert refuse(folder) == (
        f"{folder}: its masks have the label tumour; expected labels that the networks tell: lesion. If these are the same "
        "under another name, call them so in the table of the set (labels.csv or dataset.json)."
    )
    (folder / "labels.csv").write_text("label,value\nlesion,1\n")
    assert fit(folder).labels == ("lesion",)


def test_a_set_on_another_scale_is_refused_and_saved_on_theirs_it_fits(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far")
    before = {path: path.read_bytes() for path in (folder / "images").iterdir()}
    rewrite(folder / "images", lambda image: image // 200)
    fault = refuse(folder)
    assert fault.startswith(
        f"{folder}: 8 of the 8 images are on another scale than those of the training: {folder / 'images'}/far_"
    )
    assert fault.endswith(
        "; expected intensities about those of the training, with the mean 100, 100, 100 and the standard deviation 50, 50, 50 "
        "(per channel). Save the images on that scale, such as 0 to 255 in place of 0 to 1."
    )
    for path, content in before.items():
        path.write_bytes(content)
    assert fit(folder).notes == ()


def test_a_few_images_on_another_scale_are_told_of(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far")
    path = folder / "images/far_3.png"
    Image.fromarray(np.asarray(Image.open(path)) // 200).save(path)
    (note,) = fit(folder).notes
    assert note.startswith(
        "1 of the 8 images are far from those of the training, so that their scores mean little: far_3 enters"
    )


def test_a_set_without_a_single_object_is_refused(tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "far")
    rewrite(folder / "masks", np.zeros_like)
    assert refuse(folder) == (
        f"{folder}: every mask of the 8 cases is empty; expected foreground in some. Check how the masks were "
        "exported (0 and 255)."
    )
