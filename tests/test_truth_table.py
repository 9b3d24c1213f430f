"""The figures of the truth table of placements, on tables small enough to follow by hand."""

import importlib.util
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from focalseg.records.evidence import Evidence, SiteEvidence

PATH = Path(__file__).parents[1] / "benchmarks" / "truth_table.py"


@pytest.fixture(scope="module")
def table():
    """The module, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("truth_table", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["truth_table"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["truth_table"]


def make_truth(table, dice, *, needed=()):
    """dice: test Dice of four trainings by the letters of a subset."""
    by_sites = {frozenset(letters): np.array(values) for letters, values in dice.items()}
    everywhere = dict.fromkeys(sorted(max(dice, key=len)), "se")
    return table.Truth(name="by hand", everywhere=everywhere, needed=needed, validation=by_sites, test=by_sites)


def test_regret_is_what_a_subset_lacks_of_the_oracle_of_the_other_half(table):
    truth = make_truth(table, {"": [0.4] * 4, "a": [0.9, 0.7, 0.9, 0.7], "b": [0.6, 0.8, 0.6, 0.8], "ab": [0.5] * 4})
    regrets = truth.regrets(np.ones(4))
    # Even trainings pick a, whose odd ones have 0.7; odd ones pick b, whose even ones have 0.6.
    expected = {"": (0.7 + 0.6) / 2 - 0.4, "a": (0.7 + 0.6) / 2 - 0.8, "b": (0.7 + 0.6) / 2 - 0.7, "ab": (0.7 + 0.6) / 2 - 0.5}
    for letters, value in expected.items():
        assert regrets[truth.subsets[frozenset(letters)]] == pytest.approx(value)


def test_the_plug_in_regret_is_what_a_subset_lacks_of_the_best_of_all_trainings(table):
    truth = make_truth(table, {"": [0.4] * 4, "a": [0.9, 0.7, 0.9, 0.7], "b": [0.6, 0.8, 0.6, 0.8], "ab": [0.5] * 4})
    found = {"".join(sorted(sites)): truth.plug_in_regret(sites) for sites in truth.subsets}
    assert found == pytest.approx({"": 0.4, "a": 0.0, "b": 0.1, "ab": 0.3})
    assert truth.plug_in_regret(frozenset("a"), (0, 2)) == pytest.approx(0.1)  # of the others a has 0.7 and b 0.8


def test_where_all_subsets_are_alike_but_for_luck_no_regret_is_expected(table):
    random = np.random.default_rng(0)
    names = "abcd"
    subsets = ["".join(some) for count in range(5) for some in combinations(names, count)]
    means = []
    for _ in range(300):
        luck = {letters: random.normal(0.8, 0.03, 6) for letters in subsets}
        means.append(make_truth(table, luck).regrets(np.ones(6)).mean())
    assert np.mean(means) == pytest.approx(0, abs=3 * np.std(means) / np.sqrt(len(means)))


def test_what_a_site_adds_is_its_share_of_a_sum(table):
    worth = {"a": 0.3, "b": 0.05, "c": 0.0}
    dice = {
        "".join(some): [0.5 + sum(worth[one] for one in some)] * 2 for count in range(4) for some in combinations("abc", count)
    }
    assert make_truth(table, dice).marginal_values() == pytest.approx(worth)


@pytest.mark.parametrize(
    ("needed", "chosen", "served"),
    [
        ((), "", True),
        ((), "a", False),
        (("a",), "a", True),
        (("a",), "b", False),
        (("ab",), "b", True),
        (("a", "b"), "a", False),
        (("a", "b"), "ab", True),
    ],
)
def test_a_choice_serves_when_it_holds_a_site_of_every_need_and_nothing_where_there_is_none(table, needed, chosen, served):
    dice = {"": [0.5] * 2, "a": [0.5] * 2, "b": [0.5] * 2, "ab": [0.5] * 2}
    truth = make_truth(table, dice, needed=tuple(frozenset(one) for one in needed))
    assert truth.serves(frozenset(chosen)) is served


def test_a_training_that_a_decision_rests_on_has_no_part_in_its_regret(table):
    assert table.leave_out(np.ones(4), (1,)).tolist() == [1, 0, 1, 1]
    assert table.leave_out(np.ones(4), ()).tolist() == [1, 1, 1, 1]
    assert table.leave_out(np.array([1.0, 2, 1, 0]), (1,)).tolist() == [1, 0, 1, 1]


def test_decisions_share_no_training(table):
    dice = {"": [0.5, 0.6, 0.7, 0.8], "a": [0.6, 0.6, 0.9, 0.8]}
    truth = make_truth(table, dice)
    found = table.repeat_policy("one_at_a_time", truth, {}, probes_each=1)
    assert [(sorted(one.sites), one.rows, one.trainings) for one in found] == [
        (["a"], (0,), 2),
        ([], (1,), 2),
        (["a"], (2,), 2),
        ([], (3,), 2),
    ]
    records = [
        Evidence(sites=(SiteEvidence(site="a", gate="se", gamma=gamma, spread=0.1, case_costs=(0.0,)),))
        for gamma in (0.5, 2.0, 3.0, 0.1, 5.0)
    ]
    found = table.repeat_policy("gamma_threshold", truth, {"free": records}, probes_each=2)
    assert [(sorted(one.sites), one.rows, one.trainings) for one in found] == [(["a"], (), 2), (["a"], (), 2)]


def test_a_decision_on_several_trainings_a_layout_leaves_the_oracle_one_in_either_half(table):
    dice = {"": [0.5, 0.6, 0.7, 0.8], "a": [0.6, 0.6, 0.9, 0.8]}
    found = table.repeat_policy("one_at_a_time", make_truth(table, dice), {}, probes_each=1, layouts_each=2)
    assert [(sorted(one.sites), one.rows, one.trainings) for one in found] == [
        (["a"], (0, 1), 4),
        (["a"], (0, 3), 4),
        (["a"], (1, 2), 4),
        (["a"], (2, 3), 4),
    ]
    assert table.leave_out(np.ones(4), (0, 3)).tolist() == [0, 1, 1, 0]
    assert table.leave_out(np.array([1.0, 0, 2, 1]), (2, 3)).tolist() == [1, 1, 0, 0]


def test_collapsed_trainings_are_left_out_of_a_decision_and_make_none_alone(table):
    def grown(gamma):
        return Evidence(sites=(SiteEvidence(site="a", gate="se", gamma=gamma, spread=0.1, case_costs=(0.0,)),))

    truth = make_truth(table, {"": [0.5] * 4, "a": [0.6] * 4})
    probes = {"free": [None, grown(3.0), None, None, grown(0.2), grown(0.4), grown(3.0)]}
    found = table.repeat_policy("gamma_threshold", truth, probes, probes_each=2)
    assert [(sorted(one.sites), one.trainings) for one in found] == [(["a"], 2), ([], 2)]


def test_a_skip_that_a_choice_shuts_counts_as_kept(table):
    truth = make_truth(table, {"": [0.5] * 4, "s": [0.6] * 4})
    record = SiteEvidence(
        site="s", gate="ag", gamma=1.0, spread=0.1, case_costs=(0.2,), joint_case_costs=(0.2,), shut_case_costs=(0.001,)
    )
    (found,) = table.repeat_policy("removal", truth, {"dropout": [Evidence(sites=(record,))] * 2}, probes_each=2)
    assert found.sites == {"s"}


def test_the_regret_of_random_sites_is_the_mean_over_all_subsets_as_large(table):
    dice = {"": [0.5] * 4, "a": [0.9] * 4, "b": [0.7] * 4, "ab": [0.9] * 4}
    truth = make_truth(table, dice)
    decisions = [table.Decision(sites=frozenset("a"), trainings=1, rows=())] * 3
    figures = table.judge_policy(truth, decisions)
    assert figures["regret"] == pytest.approx({"policy": 0.0, "random": 0.1})
    assert figures["jaccard"] == 1.0
    assert figures["plug_in_regret"] == 0.0
    assert table.estimate_tasks([figures], "random") == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})


@pytest.mark.parametrize(
    ("witness", "worth", "expected"),
    [
        ([3.0, 2.0, 1.0], [0.3, 0.1, 0.0], 1.0),
        ([1.0, 2.0, 3.0], [0.3, 0.1, 0.0], -1.0),
        ([1.0, 1.0, 1.0], [0.3, 0.1, 0.0], 0.0),
        ([3.0, 1.0, 2.0], [0.3, 0.1, 0.0], 1 / 3),  # two pairs of three
        ([3.0, 1.0, 2.0], [0.3, 0.004, 0.0], 1.0),  # the pair that it orders wrongly differs by luck
        ([2.0, 2.0, 1.0], [0.3, 0.1, 0.0], 2 / 3),  # a tie is neither
    ],
)
def test_only_pairs_of_sites_whose_worth_differs_count_for_the_order_of_a_witness(table, witness, worth, expected):
    assert table.order_sites(np.array(witness), np.array(worth)) == pytest.approx(expected)
