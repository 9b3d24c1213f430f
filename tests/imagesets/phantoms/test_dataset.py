"""Phantoms as sources: `phantom:NAME` and `phantom:NAME@SEED`."""

import numpy as np
import pytest

from focalseg.configuration import LARGEST_SEED
from focalseg.errors import SettingError
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.phantoms.dataset import PHANTOMS, SEED, PhantomDataset


@pytest.mark.parametrize("name", PHANTOMS)
def test_a_seed_draws_other_images_of_cases_with_the_same_names_and_groups(name):
    usual, other = open_dataset(f"phantom:{name}"), open_dataset(f"phantom:{name}@7")
    assert other.names == usual.names
    assert other.groups == usual.groups
    assert not np.array_equal(other.read_case(0).image, usual.read_case(0).image)
    assert np.array_equal(other.read_case(1).image, PhantomDataset(name, seed=7).read_case(1).image)


@pytest.mark.parametrize("name", ["global-cue", "shortcut"])
def test_a_phantom_without_a_seed_has_the_usual_one(name):
    usual, named = open_dataset(f"phantom:{name}"), open_dataset(f"phantom:{name}@{SEED}")
    assert np.array_equal(usual.read_case(3).image, named.read_case(3).image)
    assert np.array_equal(usual.read_case(3).mask, named.read_case(3).mask)


@pytest.mark.parametrize("source", ["phantom:local", "phantom:local@0", f"phantom:local@{LARGEST_SEED}"])
def test_the_source_of_a_phantom_opens_it_again(source):
    dataset = open_dataset(source)
    assert dataset.source == source
    assert np.array_equal(open_dataset(dataset.source).read_case(0).image, dataset.read_case(0).image)


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "one", "1@2", " 1", "²", str(LARGEST_SEED + 1), "9" * 5000])
def test_a_seed_that_is_none_is_refused_with_what_was_expected(seed):
    with pytest.raises(SettingError) as caught:
        open_dataset(f"phantom:local@{seed}")
    assert str(caught.value) == (
        f"phantom:local@{seed} has the seed {seed!r}; expected a whole number from 0 to 2147483647, "
        "such as phantom:local@1, or phantom:local alone for the usual images."
    )


def test_an_unknown_phantom_with_a_seed_is_refused_by_its_name():
    with pytest.raises(SettingError, match=r"No phantom named 'locl'; known are .*Did you mean 'local'\?"):
        open_dataset("phantom:locl@3")


def test_groups_take_turns_and_a_case_without_one_stands_alone():
    assert PhantomDataset("shortcut", count=7).groups == tuple(f"shortcut_group_{number}" for number in (0, 1, 2, 3, 4, 0, 1))
    assert PhantomDataset("shortcut").grouped
    assert PhantomDataset("local", count=2).groups == ("local_0000", "local_0001")
