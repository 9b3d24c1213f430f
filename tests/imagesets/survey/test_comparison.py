"""What is said of masks that are written in several ways, and of cases beside one another, is true of the files."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.comparison import describe_duplicates, find_labels, find_marks, find_unlike
from focalseg.imagesets.survey.duplicates import Pair
from focalseg.imagesets.survey.summary import summarise
from focalseg.imagesets.survey.survey import survey_dataset
from imagesets.survey.test_survey import Held, draw


def write(folder, values):
    """A plain folder whose masks hold 0 and that value each; a colour where it is three numbers."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number, value in enumerate(values):
        image, mask = draw(number)
        Image.fromarray(image.transpose(1, 2, 0).copy()).save(folder / "images" / f"case_{number}.png")
        written = mask[..., None] * np.array(value, np.uint8) if isinstance(value, tuple) else mask * np.uint8(value)
        Image.fromarray(written).save(folder / "masks" / f"case_{number}.png")
    return str(folder)


def errors(source):
    return {finding.file.rpartition("_")[2][:-4]: finding for finding in survey_dataset(open_dataset(source)).errors}


def test_numbers_of_objects_are_called_so_and_the_mend_can_be_followed(tmp_path):
    values = [1, 2, 3, 4, 5, 6, 7]
    found = errors(write(tmp_path / "data", values))
    assert sorted(found) == [str(number) for number in range(1, 7)]
    assert found["6"].found == "has 7 for foreground, the masks of 7 cases having 7 values: 1, 2, 3 and more"
    assert found["6"].mend.startswith("Write 1 wherever a mask is not 0 if the values number objects;")
    for path in (tmp_path / "data" / "masks").iterdir():
        Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8)).save(path)
    assert errors(str(tmp_path / "data")) == {}


def test_the_other_mend_declares_the_values_as_labels(tmp_path):
    source = write(tmp_path / "data", [1, 2, 3, 4])
    lines = [f"object {number},{number}" for number in range(1, 5)]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(["label,value", *lines]) + "\n")
    assert errors(source) == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([255, 255, 255, 128], {"3": "has 128 for foreground where 3 cases have 255"}),
        ([1, 1, 1, 128], {"3": "has 128 for foreground where 3 cases have 1"}),
        ([1, 255, 255, 128], {"3": "has 128 for foreground where 2 cases have 255 and 1 case has 1"}),
        ([128, 128, 1, 255], {"0": "has 128 for foreground where 1 case has 1 and 1 case has 255",
                              "1": "has 128 for foreground where 1 case has 1 and 1 case has 255"}),
        ([128, 128, 128, 1], {"3": "has 1 for foreground where 3 cases have 128"}),
        ([128, 1], {"0": "has 128 for foreground where 1 case has 1"}),
        ([255, (255, 0, 0)], {"1": "has #FF0000 for foreground where 1 case has 255"}),
        ([1, 255, 1, 255], {}),
    ],
)  # fmt: skip
def test_every_count_and_value_in_the_sentence_is_that_of_the_files(values, said, tmp_path):
    found = errors(write(tmp_path / "data", values))
    assert {name: finding.found for name, finding in found.items()} == said
    for finding in found.values():  # a second source: the files themselves
        for count, value in re.findall(r"(\d+) cases? ha(?:s|ve) (\d+)", finding.found):
            assert values.count(int(value)) == int(count)


def test_a_mask_of_several_files_is_not_said_to_hold_what_another_of_them_holds():
    cases = [replace(describe(number), marks=("255",)) for number in range(2)]
    cases.append(replace(describe(2), marks=("255", "9"), masks=2))
    (finding,) = find_marks(cases)
    assert finding.found == "is one of 2 masks of a case that has 9 for foreground where 3 cases have 255"


def describe(number, **changes):
    image, mask = draw(number, **changes)
    return summarise(Held([(image, mask)]).read_case(0))


def test_as_most_cases_is_said_only_where_they_are_most():
    (finding,) = find_unlike([describe(0), describe(1, channels=1)])
    assert finding.expected == "a colour image (3 channels) of uint8, as 1 case has"
    three = [describe(0), describe(1, channels=1), describe(2), describe(3, channels=2)]
    assert {finding.expected for finding in find_unlike(three)} == {"a colour image (3 channels) of uint8, as 2 cases have"}
    assert [finding.found for finding in find_unlike([describe(0), describe(1), describe(2, size=(64,))])] == [
        "has 1 spatial axis"
    ]


def test_a_label_that_is_absent_from_the_only_mask_is_said_of_one():
    _, (finding,) = find_labels([describe(0)], ("one", "two"), "labels.csv")
    assert finding.found == "declares two, which the mask of the one case does not hold"
    _, (finding,) = find_labels([describe(0), describe(1)], ("one", "two"), "labels.csv")
    assert finding.found == "declares two, which no mask of the 2 cases holds"


def test_a_chain_of_near_duplicates_is_said_as_far_as_it_is_known():
    survey = survey_dataset(Held([draw(number) for number in range(4)]))
    groups = {case.name: case.group for case in survey.cases}
    pairs = [Pair(first=one, second=one + 1, identical=False, correlation=0.98) for one in range(3)]
    (finding,) = describe_duplicates(survey.cases, pairs, groups)
    assert finding.found == "is nearly the same image as case_1, and that in turn like case_2, case_3"
    image, mask = draw(0)
    again = survey_dataset(Held([(image, mask), (image, mask), (image, 1 - mask), draw(3)]))
    assert [one.found for one in again.notes if one.kind == "identical"] == [
        "is the same image as case_1, case_2, and their masks differ"
    ]
