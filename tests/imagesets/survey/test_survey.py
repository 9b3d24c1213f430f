"""What shows when every case of a set is looked at once."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from focalseg.errors import DataError
from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.survey.survey import cap_faults, summarise_notes, survey_dataset

SIZE = (32, 40)


@dataclass
class Held(Dataset):
    """Cases held in memory; where there is an error in the place of a case it is raised."""

    cases: list
    groups: list = field(default_factory=list)
    parts: tuple = ()
    labels: tuple | None = ("polyp",)
    seconds: dict = field(default_factory=dict)
    source: str = "held"
    layout: str = "in memory"

    def __post_init__(self):
        self.names = [f"case_{number}" for number in range(len(self.cases))]
        self.groups = self.groups or self.names

    def read_case(self, number):
        case = self.cases[number]
        if isinstance(case, Exception):
            raise case
        image, mask, *rest = case
        spacing_mm = rest[0] if rest else None
        return Case(name=self.names[number], group=self.groups[number], image=image, mask=mask, spacing_mm=spacing_mm)

    def read_second_mask(self, number):
        return self.seconds.get(number)


def draw(seed, *, size=SIZE, channels=3, dtype=np.uint8, fill=0.1):
    """A picture of noise at several scales and a mask whose first `fill` of pixels are foreground."""
    random = np.random.default_rng(seed)
    coarse = random.random((channels, *(side // 4 for side in size)))
    for axis in range(1, coarse.ndim):
        coarse = coarse.repeat(4, axis)
    image = 100 * coarse + 100 * random.random(coarse.shape)
    mask = np.zeros(coarse.shape[1:], np.uint8)
    mask.ravel()[: round(fill * mask.size)] = 1
    return image.astype(dtype), mask


def found(survey, level="note"):
    return [(finding.kind, finding.file) for finding in survey.findings if finding.level == level]


def test_good_cases_give_no_finding_and_a_summary_each():
    cases = [draw(seed) for seed in range(6)]
    heard = []

    @contextmanager
    def count(title):
        yield lambda done, total: heard.append((title, done, total))

    survey = survey_dataset(Held(cases), count)
    assert survey.findings == ()
    assert heard[:6] == [("reading the cases", number + 1, 6) for number in range(6)]
    assert all(title == "comparing the images" and 0 < done <= total == 12 for title, done, total in heard[6:])
    for summary, (image, mask) in zip(survey.cases, cases, strict=True):
        assert summary.size == SIZE
        assert summary.channels == 3
        assert summary.foreground == mask.mean()
        assert summary.label_pixels == ((mask == 0).sum(), (mask == 1).sum())
        np.testing.assert_allclose(summary.mean, image.mean(axis=(1, 2)))
        np.testing.assert_allclose(summary.standard_deviation, image.std(axis=(1, 2)))
        assert (summary.minimum, summary.maximum) == (tuple(image.min(axis=(1, 2))), tuple(image.max(axis=(1, 2))))
    assert len({case.digest for case in survey.cases}) == 6
    assert survey.groups == {name: name for name in Held(cases).names}


def test_every_broken_case_is_listed_and_the_others_are_surveyed_all_the_same():
    faults = [KINDS["damaged"].at(f"{name}.png", "ends early") for name in "ab"]
    survey = survey_dataset(Held([draw(0), DataError(faults[0]), draw(1), DataError(faults[1]), draw(2)]))
    assert survey.errors == tuple(faults)
    assert [case.number for case in survey.cases] == [0, 2, 4]


@pytest.mark.parametrize(("kind", "odd"), [
    ("constant", (np.full((3, *SIZE), 7, np.uint8), draw(9)[1])),
    ("empty_mask", (draw(9)[0], np.zeros(SIZE, np.uint8))),
    ("full_mask", (draw(9)[0], np.ones(SIZE, np.uint8))),
    ("inverted", (draw(9)[0], np.pad(np.zeros((8, 10), np.uint8), ((12, 12), (15, 15)), constant_values=1))),
])  # fmt: skip
def test_what_is_legal_and_odd_is_a_note_on_that_case_alone(kind, odd):
    survey = survey_dataset(Held([*(draw(seed) for seed in range(4)), odd]))
    assert found(survey) == [(kind, "case_4")]
    assert not survey.errors


@pytest.mark.parametrize(("odd", "message"), [
    (draw(9, channels=1), "case_4: has a grey image (1 channel) of uint8; expected a colour image (3 channels) of uint8, "
     "as most cases have. Convert it."),
    (draw(9, dtype=np.uint16), "case_4: has a colour image (3 channels) of uint16; expected a colour image (3 channels) of "
     "uint8, as most cases have. Convert it."),
    (draw(9, size=(8, 32, 40)), "case_4: has 3 spatial axes; expected 2, as most cases have. Take it out."),
])  # fmt: skip
def test_a_case_unlike_most_is_an_error_that_says_how(odd, message):
    survey = survey_dataset(Held([*(draw(seed) for seed in range(4)), odd]))
    assert [str(finding) for finding in survey.findings] == [message]


def test_volumes_may_have_several_number_types_since_their_files_say_what_a_number_means():
    types = (np.uint8, np.int16, np.float32, np.float32)
    cases = [(*draw(seed, size=(8, 12, 16), channels=1, dtype=dtype), (1.0, 1.0, 1.0)) for seed, dtype in enumerate(types)]
    assert survey_dataset(Held(cases)).findings == ()


def with_labels(seed, *labels):
    image, mask = draw(seed, size=(8, 16, 16), channels=1)
    mask[:] = 0
    for number, label in enumerate(labels):
        mask[number] = label
    return image, mask, (1.0, 1.0, 1.0)


def test_labels_that_nothing_declares_are_counted_from_the_masks():
    survey = survey_dataset(Held([with_labels(seed, 1, 2) for seed in range(4)], labels=None))
    assert survey.labels == ("label_1", "label_2")
    assert survey.findings == ()


def test_a_gap_between_such_labels_is_an_error_and_a_label_of_one_case_alone_a_note():
    cases = [*(with_labels(seed, 1, 2) for seed in range(4)), with_labels(4, 1, 3), with_labels(5, 1, 7)]
    survey = survey_dataset(Held(cases, labels=None))
    assert [str(finding) for finding in survey.errors] == [
        "case_5: holds the label 7, but no mask holds 4; expected labels counted from 1 without a gap, or a table that "
        "declares them. Mend the mask or declare the label."
    ]
    assert found(survey) == [("rare_label", "case_4")]


def test_an_image_twice_is_one_note_and_both_are_of_one_group():
    image, mask = draw(0)
    survey = survey_dataset(Held([(image, mask), draw(1), (image.copy(), 1 - mask), draw(2)]))
    assert [str(finding) for finding in survey.notes] == [
        "case_0: is the same image as case_2, with another mask; expected different images. "
        "Take one out if it adds nothing; a split keeps them on one side."
    ]
    assert survey.groups["case_0"] == survey.groups["case_2"]
    assert len(set(survey.groups.values())) == 3


def test_frames_of_one_sequence_that_are_nearly_the_same_are_no_news():
    image, mask = draw(0)
    cases = [(image, mask), (np.clip(image + 1.0, 0, 255).astype(np.uint8), mask), draw(1), draw(2)]
    assert found(survey_dataset(Held(cases))) == [("near_duplicate", "case_0")]
    assert survey_dataset(Held(cases, groups=["one", "one", "two", "three"])).findings == ()


def test_an_official_split_that_leaks_is_an_error_for_images_and_for_groups():
    image, mask = draw(0)
    cases = [(image, mask), (image, mask), draw(1), draw(2)]
    survey = survey_dataset(Held(cases, parts=("train", "test", "train", "test")))
    assert [str(finding) for finding in survey.errors] == [
        "case_0: in train is the same image as case_1 in test; expected what belongs together on one side. "
        "Move one to the other's side or take it out."
    ]
    survey = survey_dataset(
        Held([draw(seed) for seed in range(4)], groups=[*"aabb"], parts=("train", "train", "train", "test"))
    )
    assert [str(finding) for finding in survey.errors] == [
        "case_3: in test belongs to b, as case_2 in train does; expected what belongs together on one side. "
        "Move one to the other's side or take it out."
    ]


def test_a_second_observer_is_compared_with_the_first():
    cases = [draw(seed, fill=0.5) for seed in range(2)]
    half = cases[0][1].copy()
    half.ravel()[: round(0.25 * half.size)] = 0
    survey = survey_dataset(Held(cases, seconds={0: half, 1: cases[1][1]}))
    assert survey.observer_dice == pytest.approx((2 * 0.25 / 0.75 + 1) / 2)
    survey = survey_dataset(Held(cases, seconds={0: half[:-1]}))
    assert str(survey.errors[0]).startswith("case_0: is 40 x 31 pixels but its image is 40 x 32; expected the same size.")


def test_an_empty_set_says_so():
    assert [str(finding) for finding in survey_dataset(Held([])).errors] == [
        "held: holds no images; expected image files, such as case_1.png. Put them there."
    ]


def test_many_notes_of_a_kind_become_one_line_and_many_errors_end_in_a_count():
    cases = [*(draw(seed) for seed in range(3)), *((draw(seed)[0], np.zeros(SIZE, np.uint8)) for seed in range(3, 8))]
    assert summarise_notes(survey_dataset(Held(cases)).notes) == [
        "5 x an empty mask: case_3, case_4, case_5 and 2 more; see focalseg check."
    ]
    broken = [DataError(KINDS["damaged"].at(f"{number}.png", "ends early")) for number in range(103)]
    survey = survey_dataset(Held(broken))
    assert len(survey.errors) == 103
    lines = cap_faults(survey.errors, survey.source)
    assert len(lines) == 101
    assert lines[-1] == "3 more errors in held; run focalseg check held for all of them."
