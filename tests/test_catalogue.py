"""A named collection: the known names in order, and an error that helps for any other."""

import pytest

from focalseg.catalogue import Catalogue, unknown_name_message
from focalseg.errors import SettingError


@pytest.fixture
def fruits() -> Catalogue[int]:
    return Catalogue("fruit", {"pear": 1, "apple": 2, "plum": 3})


def test_members_are_found_by_name_and_listed_in_the_order_they_were_given(fruits: Catalogue[int]) -> None:
    assert fruits["apple"] == 2
    assert list(fruits) == ["pear", "apple", "plum"]
    assert len(fruits) == 3
    assert dict(fruits) == {"pear": 1, "apple": 2, "plum": 3}


def test_membership_answers_for_known_unknown_and_nonsense_names(fruits: Catalogue[int]) -> None:
    assert "pear" in fruits
    assert "aple" not in fruits
    assert None not in fruits


def test_a_misspelt_name_is_an_error_that_lists_the_known_ones_and_offers_the_nearest(fruits: Catalogue[int]) -> None:
    with pytest.raises(SettingError) as raised:
        fruits["aple"]
    assert str(raised.value) == "No fruit named 'aple'; known are pear, apple, plum. Did you mean 'apple'?"
    assert isinstance(raised.value, ValueError)


def test_a_name_like_none_of_the_known_ones_gets_no_offer(fruits: Catalogue[int]) -> None:
    with pytest.raises(SettingError) as raised:
        fruits["xyz"]
    assert str(raised.value) == "No fruit named 'xyz'; known are pear, apple, plum."


def test_a_catalogue_does_not_change_with_the_mapping_it_was_made_from() -> None:
    members = {"pear": 1}
    fruits = Catalogue("fruit", members)
    members["apple"] = 2
    assert list(fruits) == ["pear"]


def test_the_sentence_takes_any_iterable_of_names_once() -> None:
    known = (name for name in ("encoder.0", "skip.0"))
    assert unknown_name_message("site", "skip.9", known) == (
        "No site named 'skip.9'; known are encoder.0, skip.0. Did you mean 'skip.0'?"
    )


def test_a_catalogue_is_read_alone_and_never_answers_for_an_unknown_name(fruits: Catalogue[int]) -> None:
    with pytest.raises(TypeError):
        fruits["fig"] = 4  # type: ignore[index]
    with pytest.raises(SettingError):
        fruits.get("aple")
