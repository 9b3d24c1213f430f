"""No group on two sides, every case tested once, the same seed the same split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalseg.data.splits import split_by_group
from focalseg.errors import DataError


@given(st.lists(st.integers(0, 20), min_size=3, max_size=200), st.integers(3, 6), st.integers(0, 5))
def test_groups_stay_whole_and_every_case_is_tested_once(group_numbers, folds, seed):
    names = [f"case_{number}" for number in range(len(group_numbers))]
    groups = [str(number) for number in group_numbers]
    if len(set(groups)) < folds:
        with pytest.raises(DataError, match=f"{folds} folds need {folds} groups"):
            split_by_group(names, groups, folds=folds, seed=seed)
        return
    splits = split_by_group(names, groups, folds=folds, seed=seed)
    group_of = dict(zip(names, groups, strict=True))
    assert sorted(name for split in splits for name in split.test) == sorted(names)
    assert sorted(name for split in splits for name in split.validation) == sorted(names)
    for split in splits:
        parts = (split.train, split.validation, split.test)
        assert sorted(name for part in parts for name in part) == sorted(names)
        sides = [{group_of[name] for name in part} for part in parts]
        assert sum(len(side) for side in sides) == len(set(groups))
        assert all(sides)
    assert splits == split_by_group(names, groups, folds=folds, seed=seed)


def test_parts_are_of_nearly_equal_size_and_another_seed_splits_otherwise():
    names = [f"case_{number}" for number in range(100)]
    groups = [str(number // 4) for number in range(100)]
    splits = split_by_group(names, groups, folds=5, seed=0)
    assert {len(split.test) for split in splits} == {20}
    assert splits != split_by_group(names, groups, folds=5, seed=1)


def test_too_few_groups_are_refused_with_the_mend():
    with pytest.raises(DataError) as caught:
        split_by_group(["a", "b", "c"], ["x", "x", "y"], folds=5)
    assert str(caught.value) == (
        "The data has 3 cases in 2 groups that stay together; 5 folds need 5 groups. "
        "Add cases of other groups or ask for fewer folds (split.folds, at least 3)."
    )
