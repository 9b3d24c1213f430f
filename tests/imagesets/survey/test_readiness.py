"""Whether a job could start on a set that can be read, found without starting one."""

import numpy as np
import pytest

from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.survey.readiness import FEWEST_FOLDS, USUAL_FOLDS, find_folds
from focalseg.imagesets.survey.survey import Survey, survey_dataset
from focalseg.study.presets import SplitSettings


class Noise(Dataset):
    """Images of noise; a mask has foreground where its number is not in `empty`."""

    source, layout = "noise", "made for a test"

    def __init__(self, groups: str, empty: str = "", parts: str = "") -> None:
        self.names = [f"case_{number}" for number in range(len(groups))]
        self.groups, self.empty = list(groups), set(empty)
        self.parts = [{"t": "train", "v": "validation", "s": "test"}[part] for part in parts]

    def read_case(self, number: int) -> Case:
        image = np.random.default_rng(number).integers(0, 255, (1, 16, 16)).astype(np.uint8)
        mask = np.zeros((16, 16), np.uint8)
        mask[2:6, 2:6] = str(number) not in self.empty
        return Case(name=self.names[number], group=self.groups[number], image=image, mask=mask)


def survey(*given: str) -> Survey:
    return survey_dataset(Noise(*given))


def test_the_folds_are_those_of_a_job():
    assert SplitSettings().folds == USUAL_FOLDS
    with pytest.raises(ValueError, match="at least 3"):
        SplitSettings(folds=FEWEST_FOLDS - 1)


@pytest.mark.parametrize(("groups", "folds"), [("abcdefgh", 5), ("aabbccdd", 4), ("aabbcc", 3)])
def test_enough_groups_give_the_usual_folds_or_as_many_as_there_are(groups, folds):
    assert find_folds(survey(groups)) == (folds, "")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("aabb",), "The data has 4 cases in 2 groups that stay together; 3 folds need 3 groups."),
        (("aaaa",), "The data has 4 cases in 1 group that stays together; 3 folds need 3 groups."),
        (("abcdef", "012345"), "noise: every mask of the 3 training cases is empty; expected foreground in some."),
        (("abcdef", "5", "ttttts"), "noise: every mask of the 1 test case is empty; expected foreground in some."),
    ],
)
def test_what_would_stop_a_job_is_told(given, reason):
    folds, obstacle = find_folds(survey(*given))
    assert folds == 0
    assert obstacle.startswith(reason)
