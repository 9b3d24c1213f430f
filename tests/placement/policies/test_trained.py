"""Policies that train layouts, on tables of scores small enough to follow by hand."""

import numpy as np
import pytest
from scipy import stats

from focalseg.errors import SettingError
from focalseg.placement.policies.at_random import choose_at_random
from focalseg.placement.policies.by_depth import deepest_first
from focalseg.placement.policies.questions import choose_leanest, mean_dice
from placement.policies.planned import PlannedSearch, draw_search, list_subsets, name_sites, plan_dice


def choose(policy, dice):
    """The choice by a table of layouts of sites with one letter each, and the layouts that were trained for it."""
    names = sorted(max(dice, key=len))
    search = PlannedSearch(everywhere=name_sites(*names), dice=dice)
    return search.choose(policy), ["".join(sorted(layout)) for layout in search.trainings]


TWO_NEEDED_TOGETHER = plan_dice("abc", otherwise=0.5, ab=0.8, abc=0.8)
STAND_INS = plan_dice("abc", otherwise=0.8, _=0.5, c=0.5)


class SearchWithBadLuck(PlannedSearch):
    """The second of three trainings of some layouts collapsed: its scores are nan."""

    unlucky = (frozenset("ab"),)

    def score(self, layouts):
        scores = [np.repeat(one, 3, axis=0)[:3] for one in super().score(layouts)]
        for layout, one in zip(layouts, scores, strict=True):
            if frozenset(layout) in self.unlucky:
                one[1] = np.nan
        return scores


@pytest.mark.parametrize("policy", ["leave_one_out", "one_at_a_time", "greedy_forward", "greedy_backward", "exhaustive"])
def test_a_training_that_collapsed_changes_no_decision(policy):
    dice = plan_dice("ab", otherwise=0.5, a=0.8, ab=0.8)
    search = SearchWithBadLuck(everywhere=name_sites("a", "b"), dice=dice)
    assert search.choose(policy).kept == ("a",)


def test_layouts_are_compared_on_the_trainings_that_collapsed_for_none_of_them():
    class Uneven(SearchWithBadLuck):
        def score(self, layouts):
            return [one + np.array([[0.0], [0.3], [0.0]]) for one in super().score(layouts)]

    search = Uneven(everywhere=name_sites("a", "b"), dice=plan_dice("ab", otherwise=0.5))
    assert mean_dice(search.score([{"a": "se"}, {"a": "se", "b": "se"}])) == pytest.approx([0.5, 0.5])  # not 0.6 and 0.5


@pytest.mark.parametrize("policy", ["greedy_forward", "greedy_backward", "one_at_a_time", "exhaustive"])
def test_a_collapse_in_one_turn_is_not_held_against_what_an_earlier_turn_reached(policy):
    class Uneven(SearchWithBadLuck):
        unlucky = (frozenset("b"),)

        def score(self, layouts):
            return [one + np.array([[0.0], [0.3], [0.0]]) for one in super().score(layouts)]

    dice = plan_dice("ab", otherwise=0.5, a=0.55, ab=0.55)
    assert Uneven(everywhere=name_sites("a", "b"), dice=dice).choose(policy).kept == ("a",)


def test_a_layout_whose_trainings_all_collapsed_is_worth_nothing():
    class Hopeless(PlannedSearch):
        def score(self, layouts):
            return [np.full_like(one, np.nan) for one in super().score(layouts)]

    search = Hopeless(everywhere=name_sites("a"), dice=plan_dice("a", otherwise=0.5))
    assert mean_dice(search.score([{}, {"a": "se"}])) == [0.0, 0.0]


def test_greedy_forward_is_fooled_by_two_sites_needed_together():
    choice, trained = choose("greedy_forward", TWO_NEEDED_TOGETHER)
    assert choice.kept == ()
    assert trained == ["", "a", "b", "c"]
    assert set(choice.reasons.values()) == {"adding it gains less than 0.01 Dice"}


def test_greedy_backward_is_not_fooled_by_two_sites_needed_together():
    choice, trained = choose("greedy_backward", TWO_NEEDED_TOGETHER)
    assert choice.kept == ("a", "b")
    assert trained == ["abc", "bc", "ac", "ab", "b", "a"]
    assert choice.reasons == {
        "a": "taking it away costs at least 0.01 Dice",
        "b": "taking it away costs at least 0.01 Dice",
        "c": "without it the network reaches 0.800 Dice, the best so far 0.800",
    }


def test_exhaustive_finds_two_sites_needed_together():
    choice, trained = choose("exhaustive", TWO_NEEDED_TOGETHER)
    assert choice.kept == ("a", "b")
    assert sorted(trained) == sorted("".join(sorted(some)) for some in list_subsets("abc"))
    assert set(choice.reasons.values()) == {"of 8 layouts this one reaches 0.800 Dice, the best 0.800"}


def test_one_at_a_time_is_fooled_by_two_sites_needed_together():
    choice, trained = choose("one_at_a_time", TWO_NEEDED_TOGETHER)
    assert (choice.kept, trained) == ((), ["", "a", "b", "c"])
    assert choice.reasons["a"] == "by itself it gains 0.000 Dice"


def test_leave_one_out_keeps_two_sites_needed_together():
    choice, trained = choose("leave_one_out", TWO_NEEDED_TOGETHER)
    assert (choice.kept, trained) == (("a", "b"), ["abc", "bc", "ac", "ab"])
    assert choice.reasons == {
        "a": "training without it costs 0.300 Dice",
        "b": "training without it costs 0.300 Dice",
        "c": "training without it costs 0.000 Dice",
    }


def test_leave_one_out_drops_both_of_two_stand_ins_though_one_is_needed():
    assert choose("leave_one_out", STAND_INS)[0].kept == ()


def test_one_at_a_time_keeps_both_of_two_stand_ins_though_one_would_do():
    assert choose("one_at_a_time", STAND_INS)[0].kept == ("a", "b")


@pytest.mark.parametrize("policy", ["greedy_forward", "greedy_backward", "exhaustive"])
def test_one_of_two_stand_ins_is_kept_by_the_policies_that_try_sets(policy):
    (kept,) = choose(policy, STAND_INS)[0].kept
    assert kept in ("a", "b")


def test_greedy_forward_goes_on_while_a_site_pays_and_adds_the_best_first():
    dice = plan_dice("abc", otherwise=0.0, a=0.25, b=0.5, ab=0.625, bc=0.5, abc=0.6)
    choice, trained = choose("greedy_forward", dice)
    assert choice.kept == ("a", "b")
    assert trained == ["", "a", "b", "c", "ab", "bc", "abc"]
    assert choice.reasons == {
        "a": "adding it gained 0.125 Dice",
        "b": "adding it gained 0.500 Dice",
        "c": "adding it gains less than 0.01 Dice",
    }


def test_greedy_backward_compares_with_the_best_so_far_so_that_small_losses_do_not_add_up():
    dice = plan_dice("abc", otherwise=0.0, abc=0.5, ab=0.508, a=0.499, _=0.45)
    choice, _ = choose("greedy_backward", dice)
    assert choice.kept == ("a",)  # 0.009 below the best
    dice = plan_dice("abc", otherwise=0.0, abc=0.5, ab=0.508, a=0.497, _=0.5)
    choice, _ = choose("greedy_backward", dice)
    assert choice.kept == ("a", "b")  # a alone: 0.011 below the best, though 0.003 below all sites


def test_greedy_backward_may_end_with_no_site():
    choice, trained = choose("greedy_backward", plan_dice("ab", otherwise=0.5))
    assert choice.kept == ()
    assert trained == ["ab", "b", "a", ""]


MARGIN = {  # by policy: what a alone scores where nothing scores 0, and whether it is kept
    "leave_one_out": [(0.01, True), (0.00999, False)],
    "one_at_a_time": [(0.01, True), (0.00999, False)],
    "greedy_forward": [(0.01, True), (0.00999, False)],
    "greedy_backward": [(0.01, False), (0.01001, True)],
    "deep_first": [(0.01, False), (0.01001, True)],
    "shallow_first": [(0.01, False), (0.01001, True)],
    "exhaustive": [(0.01, False), (0.01001, True)],
}


@pytest.mark.parametrize(("policy", "gain", "kept"), [(name, *edge) for name, edges in MARGIN.items() for edge in edges])
def test_a_hundredth_of_dice_is_enough_to_keep_what_is_asked_to_gain_and_to_drop_what_need_be_as_good(policy, gain, kept):
    assert choose(policy, plan_dice("a", otherwise=gain, _=0.0))[0].kept == (("a",) if kept else ())


@pytest.mark.parametrize("seed", range(20))
def test_exhaustive_is_the_smallest_good_layout_and_among_those_the_best_by_a_plain_search(seed):
    names = ("encoder.0", "bottleneck", "skip.0", "decoder.0")
    search = draw_search(names, seed)
    best = max(search.dice.values())
    good = {some: value for some, value in search.dice.items() if best - value <= 0.01}
    fewest = min(map(len, good))
    expected = max((some for some in good if len(some) == fewest), key=lambda some: good[some])
    assert frozenset(search.choose("exhaustive").kept) == expected


@pytest.mark.parametrize("policy", [name for name in MARGIN if name != "exhaustive"])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_leaner_than_the_layout_of_exhaustive_is_worse_than_the_best_by_more_than_the_margin(policy, seed):
    search = draw_search(("encoder.0", "bottleneck", "skip.0", "decoder.0"), seed)
    kept = frozenset(search.choose(policy).kept)
    oracle = frozenset(search.choose("exhaustive").kept)
    assert len(kept) >= len(oracle) or search.dice[kept] < max(search.dice.values()) - 0.01


def test_exhaustive_refuses_more_sites_than_can_be_tried():
    search = PlannedSearch(everywhere=name_sites(*(f"encoder.{level}" for level in range(11))))
    with pytest.raises(SettingError) as raised:
        search.choose("exhaustive")
    assert str(raised.value) == (
        "policy exhaustive would train 2^11 networks for the 11 sites; expected at most 10 sites. "
        "Name fewer gates, or take another policy."
    )
    assert search.questions == []


def test_the_deepest_site_is_the_bottleneck_and_then_come_the_levels():
    names = ("encoder.0", "encoder.1", "bottleneck", "skip.0", "skip.1", "decoder.0", "decoder.1")
    assert deepest_first(names) == ("bottleneck", "encoder.1", "skip.1", "decoder.1", "encoder.0", "skip.0", "decoder.0")
    assert deepest_first(("encoder.10", "encoder.9", "bottleneck")) == ("bottleneck", "encoder.10", "encoder.9")


def test_sites_that_a_person_named_are_as_deep_as_they_are_far_from_both_ends():
    assert deepest_first(("first", "second", "third", "fourth", "fifth")) == ("third", "second", "fourth", "first", "fifth")
    assert deepest_first(("layer.1", "layer.2", "middle", "up")) == ("layer.2", "middle", "layer.1", "up")


def test_by_depth_trains_ever_more_sites_from_its_end_on():
    names = ("encoder.0", "encoder.1", "bottleneck")
    dice = {some: 0.5 + 0.1 * len(some) for some in list_subsets(names)}
    expected = {
        "deep_first": [set(), {"bottleneck"}, {"bottleneck", "encoder.1"}, set(names)],
        "shallow_first": [set(), {"encoder.0"}, {"encoder.0", "encoder.1"}, set(names)],
    }
    for policy, layouts in expected.items():
        search = PlannedSearch(everywhere=name_sites(*names), dice=dice)
        assert search.choose(policy).kept == names
        assert search.trainings == layouts


def test_by_depth_keeps_the_leanest_good_number_of_sites():
    names = ("encoder.0", "encoder.1", "bottleneck")
    dice = {some: 0.7 if "encoder.1" in some else 0.5 for some in list_subsets(names)}
    for policy, kept, reason in (
        ("deep_first", ("encoder.1", "bottleneck"), "the 2 deepest sites reach 0.700 Dice, the best number of them 0.700"),
        ("shallow_first", ("encoder.0", "encoder.1"), "the 2 shallowest sites reach 0.700 Dice, the best number of them 0.700"),
    ):
        choice = PlannedSearch(everywhere=name_sites(*names), dice=dice).choose(policy)
        assert choice.kept == kept
        assert set(choice.reasons.values()) == {reason}


def test_of_layouts_that_are_as_good_the_leanest_wins_and_of_those_the_better_one():
    assert choose_leanest([{}, {"a": "se"}, {"b": "se"}, {"a": "se", "b": "se"}], [0.0, 0.495, 0.497, 0.5]) == 2


@pytest.mark.parametrize(("sites", "kept"), [(1, 1), (2, 1), (3, 2), (4, 2), (7, 4)])
def test_random_keeps_half_of_the_sites_rounded_up_and_trains_nothing(sites, kept):
    search = PlannedSearch(everywhere=name_sites(*(f"encoder.{level}" for level in range(sites))))
    choice = search.choose("random")
    assert len(choice.kept) == kept
    assert search.questions == []
    assert {name for name, why in choice.reasons.items() if why == "drawn"} == set(choice.kept)


def test_random_keeps_as_many_as_it_is_told():
    search = PlannedSearch(everywhere=name_sites("a", "b", "c", "d"))
    assert [len(search.follow(choose_at_random(search.start, count)).kept) for count in range(5)] == [0, 1, 2, 3, 4]


def test_random_draws_every_set_of_sites_alike_over_seeds():
    candidates = name_sites("a", "b", "c", "d")
    drawn = [PlannedSearch(everywhere=candidates, seed=seed).choose("random").kept for seed in range(1200)]
    _, counts = np.unique(["".join(kept) for kept in drawn], return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_all_and_none_train_nothing():
    for policy, kept in (("all", ("a", "b")), ("none", ())):
        search = PlannedSearch(everywhere=name_sites("a", "b"))
        assert search.choose(policy).kept == kept
        assert search.questions == []
