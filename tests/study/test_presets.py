"""What a person does not say follows from what is said."""

import pytest

from focalseg.errors import SettingError
from focalseg.study.presets import build_settings


@pytest.mark.parametrize(
    ("preset", "said", "design"),
    [
        ("quick", {}, (5, 1, 3)),
        ("thorough", {}, (5, 1, 5)),
        ("quick", {"split": {"test_folds": 10}}, (10, 10, 2)),
        ("thorough", {"split": {"test_folds": 10}}, (10, 10, 2)),
        ("quick", {"split": {"test_folds": 3}}, (5, 3, 2)),
        ("quick", {"split": {"test_folds": 1}}, (5, 1, 3)),
        ("quick", {"split": {"test_folds": 10, "folds": 12}, "seeds": 1}, (12, 10, 1)),
        ("quick", {"split": {"test_folds": 10, "folds": 5}}, (5, 10, 2)),  # refused once the cases are dealt
    ],
)
def test_with_several_folds_as_many_are_dealt_and_each_has_few_trainings(preset, said, design):
    settings = build_settings(preset, said)
    assert (settings.split.folds, settings.split.test_folds, settings.seeds) == design
    assert build_settings(preset, *({name: value} for name, value in said.items())) == settings


@pytest.mark.parametrize("wrong", ["many", None, 2.5, {"a": 1}])
def test_a_number_of_folds_that_is_none_is_refused_as_what_it_is(wrong):
    with pytest.raises(SettingError, match=r"split\.test_folds"):
        build_settings("quick", {"split": {"test_folds": wrong}})


def test_a_job_is_looked_at_once_or_up_to_a_number_of_trainings_and_not_both():
    with pytest.raises(SettingError) as raised:
        build_settings("quick", {"looks": {"once": True, "most_trainings": 8}})
    assert str(raised.value) == "looks.once was true and most_trainings 8; expected one of the two. Leave one out."
