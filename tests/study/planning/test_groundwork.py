"""From a data set and settings to a run that can start: what is read, split, told and refused beforehand."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from focalseg.errors import DataError, SettingError
from focalseg.records.record import write_record
from focalseg.study.planning.folds import remark_few_groups
from focalseg.study.planning.groundwork import lay_groundwork, plan_groundwork
from focalseg.study.planning.splits_file import record_splits
from focalseg.study.presets import DataSettings, SplitSettings
from focalseg.study.running.listeners import Listeners

pytestmark = pytest.mark.slow


def lay(folder, settings, **changes):
    return lay_groundwork(str(folder), replace(settings, **changes), 0, "cpu")


def few(ground):
    return remark_few_groups([fold.split for fold in ground.folds], ground.splits, ground.groups)


def sides(split):
    return {name: side for side in ("train", "validation", "test") for name in getattr(split, side)}


def test_notes_are_told_and_the_reading_is_counted(make_folder, tiny_settings):
    folder = make_folder()
    for number in (2, 5):
        Image.fromarray(np.zeros((24, 24), np.uint8)).save(folder / "masks" / f"case_{number}.png")
    counted = []

    @contextmanager
    def count(title):
        yield lambda done, total: counted.append((title, done, total))

    ground = lay_groundwork(str(folder), tiny_settings, 0, "cpu", Listeners(count=count))
    assert list(ground.remarks) == [
        "10 cases in 10 groups that stay together: 6 to train on, 2 to validate on, 2 to test on.",
        f"2 x an empty mask: {folder}/masks/case_2.png, {folder}/masks/case_5.png; see focalseg check.",
    ]
    assert counted[:10] == [("reading the cases", number, 10) for number in range(1, 11)]


def test_the_groups_to_test_on_are_counted_where_cases_share_them(make_folder, tiny_settings):
    grouped = {"group_pattern": r"_(\d)", "folds": 5}
    folder = make_folder(count=18)  # case_0 ... case_9 alone, case_10 ... case_17 with case_1
    ground = lay(folder, tiny_settings, split=SplitSettings(**grouped))
    assert ground.remarks == (
        "18 cases in 10 groups that stay together: 6 to train on, 3 to validate on, 9 to test on (1 group).",
    )
    assert few(ground) == [
        "the test cases are of 1 group, which shows no difference however large; --set split.test_folds=5 tests all 10."
    ]
    assert few(lay(folder, tiny_settings, split=SplitSettings(**grouped, test_folds=2))) == [
        "the test cases are of 4 groups, which makes wide intervals; --set split.test_folds=5 tests all 10."
    ]
    every = lay(folder, tiny_settings, split=SplitSettings(**grouped, test_folds=5))
    assert few(every) == []
    assert every.remarks[0].endswith("; 5 folds like this one are tested in turn.")


def test_groundwork_for_other_settings_is_planned_from_the_same_reading(make_folder, tiny_settings, monkeypatch):
    folder, training = make_folder(count=15), replace(tiny_settings.training, steps=5)
    wide = lay(folder, tiny_settings, split=SplitSettings(test_folds=3))
    expected = lay(folder, tiny_settings, training=training)
    monkeypatch.setattr("focalseg.study.planning.groundwork.survey_dataset", pytest.fail)
    settings = replace(tiny_settings, training=training)
    found = plan_groundwork(wide, settings, source=str(folder), seed=0)
    assert len(wide.folds) == 3
    for name in ("folds", "frame", "splits", "groups", "remarks"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.slow
def test_images_that_are_the_same_are_never_on_two_sides(make_folder, tiny_settings):
    folder = make_folder(count=12)
    for copy, original in ((10, 0), (11, 0), (9, 4)):
        for part in ("images", "masks"):
            (folder / part / f"case_{copy}.png").write_bytes((folder / part / f"case_{original}.png").read_bytes())
    for seed in range(8):
        ground = lay(folder, tiny_settings, split=SplitSettings(seed=seed))
        for split in ground.splits:
            side = sides(split)
            assert len(side) == 12
            assert side["case_0"] == side["case_10"] == side["case_11"]
            assert side["case_4"] == side["case_9"]


def test_a_pattern_in_the_names_groups_cases(make_folder, tiny_settings):
    folder = make_folder(count=12)
    for part in ("images", "masks"):
        for number in range(12):
            (folder / part / f"case_{number}.png").rename(folder / part / f"patient{number // 2}_{number % 2}.png")
    ground = lay(folder, tiny_settings, split=SplitSettings(group_pattern=r"^(patient\d+)_"))
    for split in ground.splits:
        side = sides(split)
        assert all(side[f"patient{number}_0"] == side[f"patient{number}_1"] for number in range(6))
    with pytest.raises(SettingError, match="group_pattern|pattern"):
        lay(folder, tiny_settings, split=SplitSettings(group_pattern=r"^(subject\d+)_"))


def test_a_column_of_the_sets_table_groups_cases(make_folder, tiny_settings):
    folder = make_folder(count=12)
    lines = ["id,subject,scanner", *(f"case_{number},s{number},m{number % 6}" for number in range(12))]
    (folder / "cases.csv").write_text("\n".join(lines))
    ground = lay(folder, tiny_settings, split=SplitSettings(group_column="scanner"))
    for split in ground.splits:
        side = sides(split)
        assert all(side[f"case_{number}"] == side[f"case_{number + 6}"] for number in range(6))
    with pytest.raises((SettingError, DataError), match="camera"):
        lay(folder, tiny_settings, split=SplitSettings(group_column="camera"))


def test_a_split_that_was_written_is_read_back_and_one_that_leaks_is_refused_with_the_pair(
    make_folder, tiny_settings, tmp_path
):
    folder = make_folder()
    first = lay(folder, tiny_settings, split=SplitSettings(seed=7))
    path = tmp_path / "splits.json"
    write_record(path, record_splits(first))
    again = lay(folder, tiny_settings, split=SplitSettings(file=str(path)))
    assert again.splits == first.splits
    train, test = first.split.train[0], first.split.test[0]
    for part in ("images", "masks"):
        (folder / part / f"{test}.png").write_bytes((folder / part / f"{train}.png").read_bytes())
    with pytest.raises(DataError) as caught:
        lay(folder, tiny_settings, split=SplitSettings(file=str(path)))
    assert {finding.kind for finding in caught.value.findings} == {"leak"}
    assert train in str(caught.value)
    assert test in str(caught.value)


@pytest.mark.slow
def test_parts_have_alike_shares_of_foreground(write_folder, tiny_settings, tmp_path):
    folder = write_folder(tmp_path / "data", count=20)
    for number in range(20):
        mask = np.zeros((24, 24), np.uint8)
        mask[: 2 if number % 4 else 20, 1:] = 255
        Image.fromarray(mask).save(folder / "masks" / f"case_{number}.png")
    for seed in range(5):
        ground = lay(folder, tiny_settings, split=SplitSettings(seed=seed))
        for split in ground.splits:
            assert sum(int(name.split("_")[1]) % 4 == 0 for name in split.test) == 1


def test_a_patch_is_what_the_network_sees_and_the_image_keeps_its_size(write_folder, tiny_settings, tmp_path):
    folder = write_folder(tmp_path / "data", size=60)
    ground = lay(folder, tiny_settings, data=DataSettings(longest_side=60, patch_side=32))
    assert ground.config.preparation.size == (60, 60)
    assert ground.config.preparation.patch == (32, 32)
    assert ground.config.image_shape == (3, 32, 32)
    whole = lay(folder, tiny_settings, data=DataSettings(longest_side=60, patch_side=64))
    assert whole.config.preparation.patch is None


def test_volumes_know_the_size_of_their_voxels_once_resampled(write_volumes, tiny_settings, tmp_path):
    folder = write_volumes(tmp_path / "volumes")
    ground = lay(folder, tiny_settings, data=DataSettings(longest_side=16))
    # 13 x 12 x 10 voxels of 0.5 x 1 x 2 mm, kept as (10, 12, 13) or what the network takes of it.
    extents = np.multiply(ground.config.preparation.spacing_mm, ground.config.preparation.size)
    np.testing.assert_allclose(extents, (20.0, 12.0, 6.5))


def test_every_error_of_the_data_is_raised_at_once(make_folder, tiny_settings):
    folder = make_folder()
    (folder / "images" / "case_1.png").write_text("text")
    (folder / "masks" / "case_2.png").write_bytes(b"")
    (folder / "masks" / "case_3.png").unlink()
    with pytest.raises(DataError) as caught:
        lay(folder, tiny_settings)
    assert sorted(finding.kind for finding in caught.value.findings) == ["empty_file", "no_mask", "not_an_image"]


@pytest.mark.parametrize("side", ["train", "validation", "test"])
def test_one_case_on_another_scale_in_any_part_is_normalised_by_itself_and_said(side, write_volumes, tmp_path, tiny_settings):
    nibabel = pytest.importorskip("nibabel")
    folder = write_volumes(tmp_path / "data", count=15)
    for number in range(15):  # all on one scale first
        path = folder / "imagesTr" / f"case_{number}.nii.gz"
        volume = nibabel.load(path)
        voxels = np.asarray(volume.dataobj) / 4.0 ** (number % 5)
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), volume.affine), path)
    usual = lay(folder, tiny_settings)
    assert usual.frame.normalisation == "data_set"
    assert not any("scale" in remark or "enters" in remark for remark in usual.remarks)
    odd = getattr(usual.split, side)[0]
    path = folder / "imagesTr" / f"{odd}.nii.gz"
    volume = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(250 * np.asarray(volume.dataobj), volume.affine), path)
    ground = lay(folder, tiny_settings)
    assert ground.frame.normalisation == "case"
    assert any(remark.startswith(f"{path}: has a mean of") for remark in ground.remarks)
    assert any(remark.startswith("the images are on scales of their own;") for remark in ground.remarks)
    if side == "test":  # what is fitted is fitted to training cases, whatever test cases are like
        assert ground.config.preparation.mean == usual.config.preparation.mean
        assert ground.config.preparation.standard_deviation == usual.config.preparation.standard_deviation
    kept = lay(folder, tiny_settings, data=replace(tiny_settings.data, normalisation="data_set"))
    told = [remark for remark in kept.remarks if "enters the network" in remark]
    if side == "train":  # then the mean is largely its own, and the others hardly differ from one another
        assert kept.frame.normalisation == "data_set"
    else:
        (sentence,) = told
        assert sentence.startswith(f"{odd} ({side}) enters the network ")
        assert sentence.endswith("is not to be trusted; data.normalisation=case scales each by itself.")
