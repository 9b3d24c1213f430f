"""CVC-ClinicDB: frames of one sequence are one group, in both layouts, and on the real frames."""

import csv

import numpy as np
import pytest
from PIL import Image

from focalseg.data.reading import read_dataset
from focalseg.data.splits import split_by_group
from focalseg.errors import DataError


def write_frames(folder, images, masks, numbers):
    for part in (images, masks):
        (folder / part).mkdir(parents=True)
    for number in numbers:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / images / f"{number}.tif")
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / masks / f"{number}.tif")


def test_the_official_release_is_grouped_by_its_table(tmp_path):
    write_frames(tmp_path, "Original", "Ground Truth", [1, 25, 26, 50, 51, 591, 592, 612])
    dataset = read_dataset(str(tmp_path))
    assert dict(zip(dataset.names, dataset.groups, strict=True)) == {
        "1": "sequence_1",
        "25": "sequence_1",
        "26": "sequence_2",
        "50": "sequence_2",
        "51": "sequence_3",
        "591": "sequence_28",
        "592": "sequence_29",
        "612": "sequence_29",
    }


def test_a_frame_outside_the_table_is_refused(tmp_path):
    write_frames(tmp_path, "Original", "Ground Truth", [1, 613])
    with pytest.raises(DataError, match=r"613\.tif: is not named by a frame number from 1 to 612"):
        read_dataset(str(tmp_path))


def test_a_frame_that_the_sequence_table_lacks_is_named(tmp_path):
    write_frames(tmp_path, "images", "masks", [1, 2])
    (tmp_path / "sequences.csv").write_text("frame,sequence\n1,1\n")
    with pytest.raises(DataError, match=r"2\.tif: is not in .*sequences\.csv; add a line"):
        read_dataset(str(tmp_path))


def test_a_table_without_the_columns_is_refused(tmp_path):
    write_frames(tmp_path, "images", "masks", [1, 2])
    (tmp_path / "sequences.csv").write_text("a,b\n1,1\n")
    with pytest.raises(DataError, match="has no columns frame and sequence"):
        read_dataset(str(tmp_path))


def test_sequences_are_compared_without_blanks_and_contradictions_are_refused(tmp_path):
    write_frames(tmp_path, "images", "masks", [1, 2])
    (tmp_path / "sequences.csv").write_text("frame,sequence\n1, 4\n2,4 \n")
    assert read_dataset(str(tmp_path)).groups == ("sequence_4", "sequence_4")
    (tmp_path / "sequences.csv").write_text("frame,sequence\n1,4\n2,\n1,5\n")
    with pytest.raises(DataError) as caught:
        read_dataset(str(tmp_path))
    assert caught.value.faults == (
        f"{tmp_path}/sequences.csv, line 3: names no frame or no sequence; expected both. Complete the line.",
        f"{tmp_path}/sequences.csv, line 4: puts frame 1 into a second sequence; expected one. Take a line out.",
    )


def test_the_real_frames_split_without_cutting_a_sequence(real_data):
    folder = real_data("cvc_clinicdb")
    dataset = read_dataset(str(folder))
    assert len(dataset) == 612
    with (folder / "sequences.csv").open() as file:
        sequence = {row["frame"]: row["sequence"] for row in csv.DictReader(file)}
    assert len(set(sequence.values())) == 29
    for split in split_by_group(dataset.names, dataset.groups, folds=5, seed=3):
        parts = [{sequence[name] for name in part} for part in (split.train, split.validation, split.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert len(split.train) + len(split.validation) + len(split.test) == 612
    case = dataset.read_case(0)
    assert case.image.shape == (3, 288, 384)
    assert 0 < case.mask.mean() < 0.5


@pytest.mark.parametrize(("name", "count"), [("chase_db1", 28), ("busi", 310)])
def test_other_real_folders_of_images_and_masks_are_read(real_data, name, count):
    dataset = read_dataset(str(real_data(name)))
    assert len(dataset) == count
    assert dataset.read_case(count - 1).mask.shape == dataset.read_case(count - 1).image.shape[1:]
