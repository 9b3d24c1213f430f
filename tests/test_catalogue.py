"""A named collection: the known names in order, and an error that helps for any other."""

import sys

import pytest

from focalseg.attention import GATES
from focalseg.catalogue import Catalogue, DeferredCatalogue, unknown_name_message
from focalseg.errors import SettingError
from focalseg.placement.exponents import REGIMES


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


def test_a_deferred_catalogue_knows_its_names_and_imports_a_member_when_it_is_asked_for(monkeypatch):
    imported = []
    monkeypatch.setattr("focalseg.catalogue.import_module", lambda name: imported.append(name) or sys)
    catalogue = DeferredCatalogue("thing", {"prefix": "some.module:prefix", "path": "some.module:path"})
    assert (list(catalogue), len(catalogue), "path" in catalogue, "other" in catalogue) == (["prefix", "path"], 2, True, False)
    catalogue.check("path")
    for ask in (catalogue.check, catalogue.__getitem__):
        with pytest.raises(SettingError) as raised:
            ask("pathh")
        assert str(raised.value) == "No thing named 'pathh'; known are prefix, path. Did you mean 'path'?"
    assert imported == []
    assert catalogue["path"] is sys.path
    assert dict(catalogue) == {"prefix": sys.prefix, "path": sys.path}
    assert imported == ["some.module"] * 2  # once for each


@pytest.mark.parametrize("catalogue", [GATES, REGIMES], ids=["gates", "regimes"])
def test_every_name_of_a_deferred_catalogue_has_its_member(catalogue):
    members = [catalogue[name] for name in catalogue]
    assert all(isinstance(member, type) for member in members)
    assert len({*members}) == len(catalogue)
