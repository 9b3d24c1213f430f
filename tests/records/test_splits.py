"""How much folds have in common, by hand."""

import pytest

from focalseg.records.splits import Split, measure_overlap_of


def rotate(folds, *, validated):
    """Folds that test one of as many parts of two groups each, and validate on the next one."""
    parts = [(f"{part}a", f"{part}b") for part in range(folds)]
    splits = []
    for fold in range(folds):
        held = {fold, (fold + 1) % folds} if validated else {fold}
        train = tuple(name for part, names in enumerate(parts) if part not in held for name in names)
        splits.append(Split(fold=fold, train=train, validation=parts[(fold + 1) % folds] * validated, test=parts[fold]))
    return splits


@pytest.mark.parametrize("folds", [5, 10])
def test_folds_without_validation_share_all_but_two_parts(folds):
    assert measure_overlap_of(rotate(folds, validated=False), {}) == pytest.approx((folds - 2) / (folds - 1))


@pytest.mark.parametrize("folds", [5, 10])
def test_folds_with_validation_share_all_but_three_or_four_parts(folds):
    # Neighbours leave out three parts together, all others four; each trains on all but two.
    neighbours = 2 / (folds - 1)
    expected = (neighbours * (folds - 3) + (1 - neighbours) * (folds - 4)) / (folds - 2)
    assert measure_overlap_of(rotate(folds, validated=True), {}) == pytest.approx(expected)


def test_what_is_shared_are_groups_and_one_fold_shares_nothing():
    split = Split(fold=0, train=("a", "b", "c"), validation=(), test=("d",))
    other = Split(fold=1, train=("d", "e"), validation=(), test=("a",))
    assert measure_overlap_of([split], {}) == 0
    assert measure_overlap_of([split, other], {}) == 0
    # a and d are frames of one video: the first fold trains on videos 1, b and c, the other on 1 and e.
    assert measure_overlap_of([split, other], {"a": "1", "d": "1"}) == pytest.approx(1 / 2.5)
