"""The real sets beside the repository: read, surveyed with what their READMEs state, and split without a leak."""

import csv
from collections import Counter

import numpy as np
import pytest

from focalseg.feeding.preparation import on_common_scale
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.splits import check_leaks, split_by_group
from focalseg.imagesets.survey.survey import survey_dataset

pytestmark = pytest.mark.slow

EMPTY_MASKS = 51
"""Of BUSI, here: those of the class `normal`."""


@pytest.fixture(scope="module")
def survey_of(request):
    """Surveys by name, each made once."""
    surveys = {}

    def survey(folder):
        if folder not in surveys:
            surveys[folder] = survey_dataset(open_dataset(str(folder)))
        return surveys[folder]

    return survey


def read_table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("name", "cases", "groups", "kinds"), [
    ("cvc_clinicdb", 612, 29, {}),
    ("chase_db1", 28, 14, {}),
    ("hippocampus", 40, 40, {"off_scale": 4}),  # means of 63, 65, 68 and 179,025 where the others have 361 to 765
    ("busi", 310, None, {"empty_mask": EMPTY_MASKS}),
])  # fmt: skip
def test_a_real_set_passes_with_the_notes_its_readme_states(real_data, survey_of, name, cases, groups, kinds):
    survey = survey_of(real_data(name))
    assert len(survey.cases) == cases
    assert survey.errors == ()
    counts = Counter(finding.kind for finding in survey.notes)
    near = counts.pop("near_duplicate", 0)
    assert counts == kinds
    assert groups is None or len(set(survey.groups.values())) == groups
    assert near == 0 or name == "busi"


@pytest.mark.parametrize("name", ["cvc_clinicdb", "chase_db1", "hippocampus", "busi"])
def test_no_split_of_a_real_set_leaks(real_data, survey_of, name):
    survey = survey_of(real_data(name))
    names = [case.name for case in survey.cases]
    for seed in range(3):
        groups = [survey.groups[name] for name in names]
        for split in split_by_group(names, groups, seed=seed, foreground=[case.foreground for case in survey.cases]):
            check_leaks(split, survey.groups, survey.duplicates)
            assert sorted((*split.train, *split.validation, *split.test)) == sorted(names)


def test_cvc_clinicdb_keeps_its_sequences_whole_and_its_share_of_polyp(real_data, survey_of):
    folder = real_data("cvc_clinicdb")
    survey = survey_of(folder)
    rows = {row["frame"]: row for row in read_table(folder / "sequences.csv")}
    sequences = {}
    for case in survey.cases:
        sequences.setdefault(survey.groups[case.name], set()).add(rows[case.name]["sequence"])
        assert case.foreground == pytest.approx(float(rows[case.name]["polyp_fraction"]), abs=1e-4)
    assert all(len(among) == 1 for among in sequences.values())
    assert np.mean([case.foreground for case in survey.cases]) == pytest.approx(0.0917, abs=5e-5)


def test_both_eyes_of_a_child_are_one_group_and_the_observers_agree_as_published(real_data, survey_of):
    survey = survey_of(real_data("chase_db1"))
    assert sorted(Counter(survey.groups.values()).values()) == [2] * 14
    assert survey.observer_dice == pytest.approx(0.777, abs=1e-3)


def test_near_duplicates_of_busi_are_together_as_its_table_groups_them(real_data, survey_of):
    folder = real_data("busi")
    survey = survey_of(folder)
    stated = {}
    for row in read_table(folder / "cases.csv"):
        if row["near_duplicate_group"]:
            stated.setdefault(row["near_duplicate_group"], set()).add(survey.groups[row["id"]])
    assert len(stated) > 30
    assert all(len(groups) == 1 for groups in stated.values())


def test_hippocampus_volumes_have_their_two_labels_and_scales_of_their_own(real_data, survey_of):
    survey = survey_of(real_data("hippocampus"))
    assert survey.labels == ("label_1", "label_2")
    shares = np.mean([np.divide(case.label_pixels, sum(case.label_pixels)) for case in survey.cases], axis=0)
    np.testing.assert_allclose(shares, (0.9465, 0.0280, 0.0255), atol=5e-5)
    assert all(case.spacing_mm == (1, 1, 1) for case in survey.cases)
    assert {case.dtype for case in survey.cases} == {"uint8", "float32"}
    assert not on_common_scale(survey.cases)
