"""What removal costs are worth: noise from groups, trainings and folds, and shrinkage over sites."""

import numpy as np
import pytest

from focalseg.placement.total import judge_total
from focalseg.placement.worth import CostTable, find_chance_below, find_errors, pool_costs, weigh_costs

PRICE = 0.01


def draw_costs(random, *, mean, group=0.045, case=0.12, training=0.012, fold=0.008, folds=1, groups=6, trainings=2):
    """Costs of one site as noisy as on CVC-ClinicDB."""
    tables, names = [], []
    for number in range(folds):
        of_group = np.repeat(np.arange(groups), 20)
        common = mean + random.normal(0, fold) + random.normal(0, group, groups)[of_group]
        rows = [common + random.normal(0, training) + random.normal(0, case, len(of_group)) for _ in range(trainings)]
        tables.append(np.stack(rows))
        names.append(tuple(f"{number}/{name}" for name in of_group))
    return CostTable(folds=tuple(tables), groups=tuple(names))


def as_cases(*rows):
    """Costs of one fold whose every case is a group."""
    table = np.array(rows, dtype=float)
    return CostTable(folds=(table,), groups=(tuple(map(str, range(table.shape[1]))),))


@pytest.mark.parametrize(("cost", "pays"), [(0.01, True), (0.00999, False), (0.3, True), (-0.3, False)])
def test_what_does_not_vary_is_taken_at_its_word(cost, pays):
    found = weigh_costs({"site": as_cases([cost] * 3)}, PRICE)["site"]
    assert (found.expected, found.low, found.high) == (cost, cost, cost)
    assert found.pays(PRICE) == pays


@pytest.mark.parametrize(("folds", "groups"), [(1, 6), (4, 6), (9, 3)])
def test_of_sites_without_worth_hardly_any_job_keeps_one_though_their_means_often_are_large(folds, groups):
    random = np.random.default_rng(0)
    kept, large, jobs = 0, 0, 60
    for _ in range(jobs):
        costs = {str(site): draw_costs(random, mean=0.0, folds=folds, groups=groups) for site in range(7)}
        kept += any(found.pays(PRICE) for found in weigh_costs(costs, PRICE).values())
        large += any(table.mean >= PRICE for table in costs.values())
    assert kept <= 0.1 * jobs
    assert large > 0.4 * jobs


@pytest.mark.parametrize(("worth", "folds", "least"), [(0.1, 1, 0.6), (0.05, 9, 0.7)])
def test_a_site_that_is_worth_much_is_found_among_noisy_ones(worth, folds, least):
    random = np.random.default_rng(1)
    found = 0
    for _ in range(30):
        costs = {
            str(site): draw_costs(random, mean=worth * (site == 0), folds=folds, groups=29 // folds or 1) for site in range(7)
        }
        found += weigh_costs(costs, PRICE)["0"].pays(PRICE)
    assert found >= least * 30


def test_a_training_that_never_learned_to_use_a_site_is_no_argument_against_one_that_did():
    random = np.random.default_rng(2)
    costs = {name: as_cases(*random.normal(0, 0.005, (2, 80))) for name in "abc"}
    costs["needed"] = as_cases(random.normal(0.3, 0.1, 80), random.normal(0, 0.005, 80))
    found = weigh_costs(costs, PRICE)
    assert [name for name, one in found.items() if one.pays(PRICE)] == ["needed"]


def test_more_folds_make_a_cost_surer():
    random = np.random.default_rng(3)
    few, many = ({"site": draw_costs(random, mean=0.05, folds=folds)} for folds in (1, 9))
    assert find_errors(many)["site"][0] < find_errors(few)["site"][0] / 1.5


def test_what_is_expected_lies_between_nothing_and_what_was_measured_and_its_interval_holds_it():
    random = np.random.default_rng(4)
    costs = {str(site): draw_costs(random, mean=0.02 * site) for site in range(5)}
    for found in weigh_costs(costs, PRICE).values():
        assert abs(found.expected) <= abs(found.measured) + 1e-12
        assert found.low - 1e-6 <= found.expected <= found.high + 1e-6
        assert 0 <= found.probability <= 1


def test_the_chance_to_lie_below_is_that_of_students_t():
    # One degree of freedom: t is Cauchy's, above 1 in a quarter of cases.
    assert find_chance_below(0.0, 0.01, 1.0, 0.01) == pytest.approx(0.75)
    assert find_chance_below(0.02, 0.01, 1.0, 0.01) == pytest.approx(0.25)
    assert find_chance_below(0.0, 0.0, 1.0, 0.01) == 1.0


def test_trainings_of_several_folds_are_pooled_fold_by_fold():
    table = pool_costs([(1, [0.1, 0.3], ["a", "a"]), (0, [0.5], ["b"]), (1, [0.3, 0.5], ["a", "a"])])
    assert [one.shape for one in table.folds] == [(1, 1), (2, 2)]
    assert table.mean == pytest.approx((0.5 + 0.2 + 0.4) / 3)
    assert table.groups == (("b",), ("a", "a"))
    assert table.cases == 3


def test_a_gain_that_the_kept_sites_do_not_account_for_is_not_explained():
    random = np.random.default_rng(5)
    gain = draw_costs(random, mean=0.15, group=0.02, fold=0.002, folds=9)
    much, little = (draw_costs(random, mean=mean, group=0.02, folds=9) for mean in (0.12, 0.02))
    assert judge_total(gain, much, price=PRICE).explained
    assert not judge_total(gain, little, price=PRICE).explained
    assert not judge_total(gain, None, price=PRICE).explained


def test_a_gain_that_noise_could_have_made_needs_no_explanation():
    random = np.random.default_rng(6)
    unexplained = sum(
        not judge_total(draw_costs(random, mean=0.0, group=0.12, case=0.15, training=0.04), None, price=PRICE).explained
        for _ in range(60)
    )
    assert unexplained <= 2
