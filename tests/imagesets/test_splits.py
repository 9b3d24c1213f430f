"""No group on two sides, every case tested once, the same seed the same split; official and given splits kept, leaks found."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalseg.errors import DataError, SettingError
from focalseg.imagesets.splits import check_leaks, find_leaks, read_splits, regroup, split_by_group, split_officially
from focalseg.records.splits import Split

pytestmark = pytest.mark.slow

SIDES = ("train", "validation", "test")


@st.composite
def group_tables(draw):
    """Case names, groups and foreground: some without a group, at times one giant group, singletons."""
    count = draw(st.integers(3, 60))
    groups = [draw(st.sampled_from(["", "", "a", "b", "c", *map(str, range(20))])) for _ in range(count)]
    giant = draw(st.integers(0, count))
    groups = ["giant"] * giant + groups[giant:]
    foreground = [draw(st.floats(0, 1)) for _ in range(count)]
    names = draw(st.permutations([f"case {number}" for number in range(count)]))
    return names, groups, draw(st.sampled_from([None, foreground]))


def count_whole(names, groups):
    return len(set(groups) - {""}) + groups.count("")


@settings(max_examples=1000, deadline=None)
@given(group_tables(), st.integers(3, 6), st.integers(0, 5))
def test_groups_stay_whole_and_every_case_is_tested_once_and_validated_once(table, folds, seed):
    names, groups, foreground = table
    whole = count_whole(names, groups)
    if whole < folds:
        with pytest.raises(DataError, match=f"{whole} groups? that stays? together; {folds} folds need {folds} groups"):
            split_by_group(names, groups, folds=folds, seed=seed, foreground=foreground)
        return
    splits = split_by_group(names, groups, folds=folds, seed=seed, foreground=foreground)
    group_of = {name: group or name for name, group in zip(names, groups, strict=True)}
    order = {name: number for number, name in enumerate(names)}
    assert [split.fold for split in splits] == list(range(folds))
    assert sorted(name for split in splits for name in split.test) == sorted(names)
    assert sorted(name for split in splits for name in split.validation) == sorted(names)
    for split in splits:
        parts = [getattr(split, side) for side in SIDES]
        assert sorted(name for part in parts for name in part) == sorted(names)
        assert all(parts)
        assert sum(len({group_of[name] for name in part}) for part in parts) == whole
        assert all(list(part) == sorted(part, key=order.__getitem__) for part in parts)
        assert find_leaks(split, dict(zip(names, groups, strict=True))) == []
    assert splits == split_by_group(names, groups, folds=folds, seed=seed, foreground=foreground)


def spread(splits, foreground, names):
    by_name = dict(zip(names, foreground, strict=True))
    return np.ptp([np.mean([by_name[name] for name in split.test]) for split in splits])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(group_tables(), st.integers(0, 5))
def test_stratified_parts_have_the_sizes_of_others_and_means_at_most_as_far_apart(table, seed):
    names, groups, foreground = table
    if foreground is None or count_whole(names, groups) < 5:
        return
    plain = split_by_group(names, groups, seed=seed)
    stratified = split_by_group(names, groups, seed=seed, foreground=foreground)
    assert sorted(len(split.test) for split in plain) == sorted(len(split.test) for split in stratified)
    assert spread(stratified, foreground, names) <= spread(plain, foreground, names) + 1e-12


def test_stratification_brings_the_means_of_skewed_data_together():
    names = [f"case {number}" for number in range(100)]
    ratios = []
    for seed in range(20):
        foreground = np.random.default_rng(seed).lognormal(-3, 1.2, 100).tolist()
        for groups in (names, [str(number // 3) for number in range(100)]):
            plain = spread(split_by_group(names, groups, seed=seed), foreground, names)
            ratios.append(spread(split_by_group(names, groups, seed=seed, foreground=foreground), foreground, names) / plain)
    assert np.median(ratios) < 0.3


@pytest.mark.parametrize("foreground", [None, [number / 100 for number in range(100)]])
def test_parts_are_of_nearly_equal_size_and_another_seed_splits_otherwise(foreground):
    names = [f"case_{number}" for number in range(100)]
    groups = [str(number // 4) for number in range(100)]
    splits = split_by_group(names, groups, folds=5, seed=0, foreground=foreground)
    assert {len(split.test) for split in splits} == {20}
    assert splits != split_by_group(names, groups, folds=5, seed=1, foreground=foreground)


def test_a_giant_group_fills_a_part_alone():
    names = [f"case {number}" for number in range(100)]
    splits = split_by_group(names, ["giant"] * 80 + [""] * 20, folds=5)
    assert sorted(len(split.test) for split in splits) == [5, 5, 5, 5, 80]


def test_too_few_groups_are_refused_with_a_mend_that_works():
    with pytest.raises(DataError) as caught:
        split_by_group(["a", "b", "c", "d"], ["x", "x", "y", "z"], folds=5)
    assert str(caught.value) == (
        "The data has 4 cases in 3 groups that stay together; 5 folds need 5 groups. "
        "Add cases of other groups or ask for fewer folds (split.folds, at least 3)."
    )
    assert len(split_by_group(["a", "b", "c", "d"], ["x", "x", "y", "z"], folds=3)) == 3
    with pytest.raises(DataError) as caught:
        split_by_group(["a", "b"], ["x", "x"], folds=3)
    assert str(caught.value) == (
        "The data has 2 cases in 1 group that stays together; 3 folds need 3 groups. Add cases of other groups; where the "
        "groups are not what belongs together, say what does (split.group_pattern, split.group_column, or a column group in "
        "cases.csv)."
    )
    with pytest.raises(SettingError, match="2 folds were asked for; training, validation and test need at least 3"):
        split_by_group(["a", "b", "c"], ["x", "y", "z"], folds=2)


# The official split


def official(validation):
    names = [f"case {number}" for number in range(30)]
    parts = ["test" if number < 10 else "train" for number in range(30)]
    if validation:
        parts[10:15] = ["validation"] * 5
    return names, [str(number // 2) for number in range(30)], parts


def test_an_official_split_with_validation_cases_is_kept_as_it_is():
    names, groups, parts = official(validation=True)
    (split,) = split_officially(names, groups, parts)
    assert split == Split(fold=0, train=tuple(names[15:]), validation=tuple(names[10:15]), test=tuple(names[:10]))


@pytest.mark.parametrize("foreground", [None, [number / 30 for number in range(30)]])
def test_without_validation_cases_the_training_cases_are_divided_by_group_and_the_test_stays(foreground):
    names, groups, parts = official(validation=False)
    splits = split_officially(names, groups, parts, folds=5, seed=3, foreground=foreground)
    assert [split.fold for split in splits] == [0, 1, 2, 3, 4]
    assert sorted(name for split in splits for name in split.validation) == sorted(names[10:])
    for split in splits:
        assert split.test == tuple(names[:10])
        assert len(split.validation) == 4
        assert sorted(split.train + split.validation) == sorted(names[10:])
        check_leaks(split, dict(zip(names, groups, strict=True)))
    assert splits == split_officially(names, groups, parts, folds=5, seed=3, foreground=foreground)
    assert splits != split_officially(names, groups, parts, folds=5, seed=4, foreground=foreground)


def test_cases_without_a_part_are_refused_by_name():
    names, groups, parts = official(validation=False)
    parts[20] = parts[22] = ""
    with pytest.raises(DataError) as caught:
        split_officially(names, groups, parts)
    assert str(caught.value) == (
        "case 20: is without a part in the official split, as 2 of the 30 cases are; "
        "expected train, validation or test for every case. Give each its part or take it out: case 20, case 22."
    )


def test_an_official_split_without_training_or_test_cases_or_with_too_few_groups_is_refused():
    with pytest.raises(DataError, match="official split of the 2 cases has no train and no test cases; expected both"):
        split_officially(["a", "b"], ["", ""], ["", ""])
    with pytest.raises(DataError, match="has no test cases"):
        split_officially(["a", "b"], ["", ""], ["train", "validation"])
    with pytest.raises(DataError, match="3 cases in 2 groups that stay together; 5 folds need 5 groups"):
        split_officially(["a", "b", "c", "d"], ["x", "x", "y", "z"], ["train", "train", "train", "test"])
    with pytest.raises(SettingError, match="1 folds were asked for"):
        split_officially(["a", "b"], ["", ""], ["train", "test"], folds=1)


# Leaks


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_every_planted_leak_is_found_and_nothing_else(data):
    count = data.draw(st.integers(3, 40))
    names = [f"case {number}" for number in range(count)]
    side_of = {name: data.draw(st.sampled_from(SIDES)) for name in names}
    groups = {name: data.draw(st.sampled_from(["", "a", "b", "c"])) for name in names}
    case = st.sampled_from(names)
    pairs = data.draw(st.lists(st.tuples(case, case), max_size=8))
    split = Split(fold=0, **{side: tuple(name for name in names if side_of[name] == side) for side in SIDES})
    leaks = find_leaks(split, groups, pairs[4:], pairs[:4])
    told = {frozenset((leak.file, *leak.others)) for leak in leaks}
    assert len(told) == len(leaks)
    assert {frozenset(pair) for pair in pairs if side_of[pair[0]] != side_of[pair[1]]} <= told
    for pair in told:
        one, other = pair
        assert side_of[one] != side_of[other]
        assert groups[one] == groups[other] != "" or pair in [frozenset(each) for each in pairs]
    for group in ("a", "b", "c"):
        sides = {side: [name for name in names if groups[name] == group and side_of[name] == side] for side in SIDES}
        if sum(map(bool, sides.values())) > 1:
            largest = max(sides.values(), key=len)
            off = [name for side in sides.values() if len(side) < len(largest) for name in side]
            assert all(any(name in pair for pair in told) for name in off)


def test_a_leak_names_both_cases_their_sides_and_the_reason():
    split = Split(fold=2, train=("a", "b"), validation=("c", "d"), test=("e",))
    with pytest.raises(DataError) as caught:
        check_leaks(split, {"a": "subject_3", "b": "subject_3", "e": "subject_3"}, [("a", "c"), ("b", "a")], [("d", "e")])
    mend = "expected what belongs together on one side. Move one to the other's side or take it out."
    assert caught.value.faults == (
        f"d: is in validation of fold 2, and e with the same image in test; {mend}",
        f"a: is in train of fold 2, and c with nearly the same image in validation; {mend}",
        f"e: is in test of fold 2, and a with the same group `subject_3` in train; {mend}",
    )
    assert {finding.kind for finding in caught.value.findings} == {"leak"}


def test_of_many_leaks_the_first_twenty_are_told_and_the_number_of_the_others():
    names = [f"case {number}" for number in range(70)]
    split = Split(fold=0, train=tuple(names[:40]), validation=("v",), test=tuple(names[40:]))
    with pytest.raises(DataError) as caught:
        check_leaks(split, dict.fromkeys(names, "one video"))
    assert len(caught.value.faults) == 21
    assert caught.value.faults[-1] == "and 10 more pairs."
    check_leaks(Split(fold=0, train=("a",), validation=("b",), test=("c",)), {"a": "", "b": ""}, [("a", "elsewhere")])


# Splits that a person gives


NAMES = ["a", "b", "c", "d"]
FOLD = {"fold": 0, "train": ["a", "b"], "validation": ["c"], "test": ["d"]}
EXPECTED = 'expected splits such as {"folds": [{"fold": 0, "train": ["a"], "validation": ["b"], "test": ["c"]}]}'


def write(tmp_path, content):
    path = tmp_path / "splits.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_our_own_file_and_one_like_nnu_net_with_test_cases_are_read(tmp_path):
    split = Split(fold=0, train=("a", "b"), validation=("c",), test=("d",))
    own = {"schema": 1, "data": "somewhere", "sha256": "0", "folds": [FOLD], "groups": {}}
    assert read_splits(write(tmp_path, own), NAMES) == (split,)
    marked = b"\xef\xbb\xbf" + json.dumps(own).encode()
    assert read_splits(write(tmp_path, marked), NAMES) == (split,)
    other = [{"train": ["a", "b"], "val": ["c"], "test": ["d"]}, {"train": ["a", "c"], "val": ["b"], "test": ["d"]}]
    second = Split(fold=1, train=("a", "c"), validation=("b",), test=("d",))
    assert read_splits(write(tmp_path, other), NAMES) == (split, second)


def test_what_split_by_group_makes_is_read_back_as_it_was(tmp_path):
    names = [f"case {number}" for number in range(17)]
    splits = split_by_group(names, [""] * 17, folds=4)
    folds = [{"fold": split.fold, **{side: getattr(split, side) for side in SIDES}} for split in splits]
    assert read_splits(write(tmp_path, {"schema": 1, "folds": folds}), names) == splits


def test_nnu_nets_own_file_is_refused_with_the_mend(tmp_path):
    path = write(tmp_path, [{"train": ["a", "b", "c"], "val": ["d"]}])
    with pytest.raises(DataError) as caught:
        read_splits(path, NAMES)
    assert str(caught.value) == (
        f'{path}: has "train" and "val" alone in every fold, as nnU-Net has it; expected "test" beside them. '
        'Move some cases of each fold to "test", which training never sees.'
    )


def test_every_fault_of_every_fold_is_told_at_once(tmp_path):
    folds = [
        {"fold": 0, "train": ["a", "z"], "validation": ["a"], "test": [], "trian": ["b"]},
        {"fold": 0, "train": ["a", "a"], "validation": "c", "test": [4]},
        {"fold": True, "train": ["a", "b"], "validation": ["c"], "test": ["d"]},
    ]
    path = write(tmp_path, {"folds": folds})
    with pytest.raises(DataError) as caught:
        read_splits(path, NAMES)
    once, listed = "expected every case on one side", "expected a list of at least one case name. Mend the file."
    assert caught.value.faults == (
        f"{path}: has 'trian' in fold 0; expected fold, train, validation, test. Mend the file.",
        f"{path}: has no cases in test of fold 0; {listed}",
        f"{path}: names cases that the data has not in fold 0 (1: z); {once}. Take them out or mend the names.",
        f"{path}: names cases more than once in fold 0 (1: a); {once}. Leave each on one side.",
        f"{path}: leaves cases out in fold 0 (3: b, c, d); {once}. Put each on one side, or take it out of the data.",
        f"{path}: has no cases in validation of fold 0; {listed}",
        f"{path}: has no cases in test of fold 0; {listed}",
        f"{path}: names cases more than once in fold 0 (1: a); {once}. Leave each on one side.",
        f"{path}: leaves cases out in fold 0 (3: b, c, d); {once}. Put each on one side, or take it out of the data.",
        f"{path}: has a fold called True; expected a number from 0 to 999. Mend the file.",
        f"{path}: has fold 0 twice; {EXPECTED}. Number the folds from 0.",
    )
    assert all(finding.file == str(path) for finding in caught.value.findings)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "cannot be read as JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"\xff\xfe{", "cannot be read as JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
        (b'{"folds": [', "cannot be read as JSON (Expecting value: line 1 column 12 (char 11))"),
        (b'{"folds": [], "folds": []}', "cannot be read as JSON (the key 'folds' is given twice)"),
        (b'{"folds": [{"fold": NaN}]}', "cannot be read as JSON (NaN is no JSON)"),
        (b'{"folds": [{"fold": -Infinity}]}', "cannot be read as JSON (-Infinity is no JSON)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"folds": []}', "has no folds"),
        (b'{"fold": []}', "has no folds"),
        (b"[]", "has no folds"),
        (b"[[]]", "has no folds"),
        (b"3", "has no folds"),
        (b'"folds"', "has no folds"),
    ],
)
def test_a_file_that_is_no_split_is_refused_with_what_was_found(tmp_path, content, found):
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_splits(path, NAMES)
    assert str(caught.value) == f"{path}: {found}; {EXPECTED}. Mend the file."


def test_files_that_are_absent_of_another_schema_or_without_end_are_refused(tmp_path):
    with pytest.raises(DataError, match="is no file; expected splits such as .* Check the path."):
        read_splits(tmp_path / "absent.json", NAMES)
    with pytest.raises(DataError, match="is a folder"):
        read_splits(tmp_path, NAMES)
    with pytest.raises(DataError, match="has the schema 2; expected schema 1"):
        read_splits(write(tmp_path, {"schema": 2, "folds": [FOLD]}), NAMES)
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read_splits(write(tmp_path, b'{"folds": [{"fold": ' + b"9" * 10_000 + b"}]}"), NAMES)
    with (tmp_path / "endless.json").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(DataError, match="has more than 32 MiB; expected at most 32 MiB"):
        read_splits(tmp_path / "endless.json", NAMES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["folds", "fold", "schema", "val", *SIDES]), inner, max_size=5)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(json_values)
def test_whatever_a_file_holds_it_is_read_whole_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("given") / "splits.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    splits, faults = (), ()
    try:
        splits = read_splits(path, NAMES)
    except DataError as error:
        faults = error.faults
    assert splits or faults
    assert all(fault.startswith(f"{path}: ") for fault in faults)
    assert all(sorted(split.train + split.validation + split.test) == NAMES for split in splits)


# Groups as a person names them


TABLE = [{"subject": "1", "eye": "L"}, {"subject": "1", "eye": "R"}, {"subject": " 2 ", "eye": "L"}]
EYES = ["Image_01L", "Image_01R", "Image_02L"]


def test_groups_come_from_a_column_or_from_a_pattern():
    assert regroup(EYES, TABLE, column="subject") == {"Image_01L": "1", "Image_01R": "1", "Image_02L": "2"}
    assert regroup(EYES, [{}] * 3, pattern="_([0-9]+)") == {"Image_01L": "01", "Image_01R": "01", "Image_02L": "02"}
    assert regroup(EYES, [{}] * 3, pattern="[0-9]+") == {"Image_01L": "01", "Image_01R": "01", "Image_02L": "02"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"column": "subjet"}, "No column named 'subjet'; known are subject, eye. Did you mean 'subject'?"),
        (
            {"pattern": "([0-9]+"},
            "'([0-9]+' is no regular expression (missing ), unterminated subpattern at position 0); "
            "expected one such as 'patient_([0-9]+)'.",
        ),
        (
            {"pattern": "02"},
            "The pattern '02' finds nothing in 2 of 3 names: Image_01L, Image_01R. "
            "Change it so that it finds the group in every name.",
        ),
        (
            {"pattern": "Image_(x?)"},
            "The pattern 'Image_(x?)' finds nothing in 3 of 3 names: Image_01L, Image_01R, Image_02L. "
            "Change it so that it finds the group in every name.",
        ),
        ({}, "Groups come from a column or from a pattern on the names; give one of the two."),
        (
            {"column": "eye", "pattern": "x"},
            "Groups come from a column or from a pattern on the names; give one of the two.",
        ),
    ],
)
def test_columns_that_are_not_there_and_patterns_that_do_not_match_are_refused(arguments, message):
    with pytest.raises(SettingError) as caught:
        regroup(EYES, TABLE, **arguments)
    assert str(caught.value) == message


def test_without_a_table_there_is_no_column_and_a_missing_value_is_named():
    with pytest.raises(SettingError) as caught:
        regroup(EYES, [{}] * 3, column="subject")
    assert str(caught.value) == "No column named 'subject': the data has no table. Give a pattern on the names of the cases."
    with pytest.raises(DataError) as caught:
        regroup(EYES, [TABLE[0], {"subject": " "}, {}], column="subject")
    assert str(caught.value) == (
        "2 of 3 cases have no value in the column 'subject': Image_01R, Image_02L. Fill it in, or take them out."
    )
