"""Policies that decide on what a training shows of its sites, on evidence small enough to follow by hand."""

import pytest

from focalseg.placement.policies.gamma_path import leanest_point
from focalseg.records.evidence import Evidence, PathPoint
from placement.policies.planned import PlannedSearch, name_sites, record_site

REGIME = {
    "removal": "dropout",
    "removal_from_all": "free",
    "gamma_threshold": "free",
    "hard_concrete": "hard_concrete",
    "gamma_path": "path",
}


def choose(policy, *trainings):
    """The choice on these trainings, each a list of records, and nothing else."""
    names = [record.site for record in trainings[0]]
    evidence = tuple(Evidence(sites=tuple(records)) for records in trainings)
    search = PlannedSearch(everywhere=name_sites(*names), evidence={REGIME[policy]: evidence})
    choice = search.choose(policy)
    assert search.questions == [REGIME[policy]]
    return choice


MEASURED = "(1 training, 1 validation case)"

removal = pytest.mark.parametrize("policy", ["removal", "removal_from_all"])


@removal
@pytest.mark.parametrize(("cost", "kept"), [(0.01, True), (0.00999, False), (0.0, False), (-0.5, False), (1.0, True)])
def test_removal_keeps_a_site_from_a_cost_of_a_hundredth_of_dice_on(policy, cost, kept):
    assert choose(policy, [record_site("encoder.0", cost=cost)]).kept == (("encoder.0",) if kept else ())


@removal
def test_removal_keeps_the_last_of_those_that_stand_in_for_one_another(policy):
    records = [record_site("encoder.0", cost=0.004), record_site("bottleneck", cost=0.005, joint=0.3), record_site("decoder.0")]
    choice = choose(policy, records)
    assert choice.kept == ("bottleneck",)
    assert choice.reasons == {
        "encoder.0": f"taking it away costs 0.004 Dice {MEASURED}, less than 0.01",
        "bottleneck": f"taking it away costs 0.005 Dice {MEASURED}, but 0.300 with those that cost less",
        "decoder.0": f"taking it away costs 0.000 Dice {MEASURED}, less than 0.01",
    }


@removal
def test_of_stand_ins_one_stays_though_trainings_differ_in_which_is_the_last(policy):
    def training(last):
        return [record_site(name, cost=0.001, joint=0.3 if name == last else 0.001) for name in ("encoder.0", "bottleneck")]

    choice = choose(policy, training("encoder.0"), training("bottleneck"), training("encoder.0"))
    costs = "taking it away costs 0.001 Dice (0.001, 0.001 and 0.001 in 3 trainings, 1 validation case)"
    assert choice.kept == ("encoder.0",)
    assert choice.reasons["encoder.0"] == f"{costs}, but 0.300 with those that cost less"
    assert choice.reasons["bottleneck"] == f"{costs}, less than 0.01 in all"


@removal
def test_of_stand_ins_one_stays_though_every_training_has_another_last_one(policy):
    names = ("encoder.0", "bottleneck", "decoder.0")
    trainings = [[record_site(name, joint=0.3 if name == last else 0.0) for name in names] for last in names]
    assert len(choose(policy, *trainings).kept) == 1


@removal
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_training_that_learned_to_use_none_of_the_stand_ins_takes_nothing_from_one_that_did(policy, order):
    trainings = [
        [record_site("encoder.0", cost=0.001, joint=0.3), record_site("bottleneck", cost=0.001)],
        [record_site("encoder.0"), record_site("bottleneck")],
    ]
    assert choose(policy, *(trainings[place] for place in order)).kept == ("encoder.0",)


@removal
def test_a_cost_of_stand_ins_that_trainings_average_away_keeps_nothing(policy):
    trainings = [[record_site("encoder.0", cost=0.001, joint=joint)] for joint in (0.012, 0.001, 0.001)]
    assert choose(policy, *trainings).kept == ()


@removal
def test_what_is_missed_on_its_own_needs_no_stand_in(policy):
    trainings = [
        [record_site("encoder.0", cost=0.2), record_site("bottleneck", cost=0.001, joint=joint)] for joint in (0.012, 0.0)
    ]
    assert choose(policy, *trainings).kept == ("encoder.0",)


@removal
def test_of_two_skips_that_might_be_shut_the_one_that_costs_less_is(policy):
    choice = choose(policy, [record_site("skip.0", cost=0.2, shut=0.005), record_site("skip.1", cost=0.1, shut=0.001)])
    assert (choice.kept, choice.shut) == (("skip.0",), ("skip.1",))


@removal
def test_removal_averages_costs_over_trainings_before_it_decides(policy):
    choice = choose(
        policy,
        [record_site("encoder.0", cost=0.04), record_site("bottleneck", cost=0.03)],
        [record_site("encoder.0", cost=-0.01), record_site("bottleneck", cost=-0.02)],
    )
    assert choice.kept == ("encoder.0",)
    costs = "taking it away costs 0.015 Dice (0.040 and -0.010 in 2 trainings, 1 validation case)"
    assert choice.reasons == {
        "encoder.0": f"{costs}, at least 0.01 on average, though not in 1 of 2",
        "bottleneck": f"{costs.replace('0.015', '0.005').replace('0.040 and -0.010', '0.030 and -0.020')}, "
        "less than 0.01 on average, though not in 1 of 2",
    }


@removal
@pytest.mark.parametrize(
    ("cost", "shut", "kept", "closed"),
    [(0.2, 0.005, (), ("skip.0",)), (0.2, 0.01, ("skip.0",), ()), (0.0, 0.0, (), ()), (0.2, -0.1, (), ("skip.0",))],
)
def test_a_skip_is_shut_where_its_gate_is_missed_and_what_passes_is_not(policy, cost, shut, kept, closed):
    choice = choose(policy, [record_site("skip.0", cost=cost, shut=shut)])
    assert (choice.kept, choice.shut) == (kept, closed)


@removal
def test_the_reason_for_shutting_a_skip_holds_both_costs(policy):
    choice = choose(policy, [record_site("skip.0", cost=0.2, shut=0.005)])
    assert choice.reasons == {
        "skip.0": f"taking it away costs 0.200 Dice {MEASURED}, at least 0.01; letting nothing pass costs 0.005"
    }


@removal
def test_a_stage_is_never_shut(policy):
    assert choose(policy, [record_site("encoder.0", cost=0.2)]).shut == ()


@pytest.mark.parametrize(("gamma", "kept"), [(1.0, False), (1.0001, True), (0.0, False), (4.0, True)])
def test_the_gamma_threshold_keeps_exponents_that_grew(gamma, kept):
    assert choose("gamma_threshold", [record_site("skip.0", gamma=gamma)]).kept == (("skip.0",) if kept else ())


def test_the_gamma_threshold_averages_over_trainings():
    records = [[record_site("a", gamma=2.5), record_site("b", gamma=1.5)], [record_site("a"), record_site("b", gamma=0.25)]]
    choice = choose("gamma_threshold", *records)
    assert choice.kept == ("a",)
    assert choice.reasons == {
        "a": "its gamma grew to 1.75 (2.50 and 1.00 in 2 trainings), above 1.0",
        "b": "its gamma is 0.88 (1.50 and 0.25 in 2 trainings), not above 1.0",
    }


@pytest.mark.parametrize(("on", "kept"), [((0.5,), False), ((0.51,), True), ((0.25, 1.0), True), ((0.0, 1.0), False)])
def test_hard_concrete_keeps_what_is_on_more_often_than_off_over_trainings(on, kept):
    choice = choose("hard_concrete", *([record_site("a", on=probability)] for probability in on))
    assert choice.kept == (("a",) if kept else ())
    assert choice.reasons == {"a": f"it stayed on with probability {sum(on) / len(on):.2f}"}


def follow(*points):
    """A path by hand: the sites open, a letter each, and Dice."""
    return tuple(PathPoint(open=tuple(letters), dice=dice) for letters, dice in points)


def choose_on_paths(*paths):
    sites = tuple(record_site(name, gamma=0.0) for name in "abc")
    evidence = {"path": tuple(Evidence(sites=sites, path=path) for path in paths)}
    return PlannedSearch(everywhere=name_sites("a", "b", "c"), evidence=evidence).choose("gamma_path")


def test_the_gamma_path_keeps_what_was_open_before_pressing_harder_hurt():
    choice = choose_on_paths(follow(("abc", 0.3), ("abc", 0.8), ("bc", 0.81), ("c", 0.805), ("", 0.6)))
    assert choice.kept == ("c",)
    assert choice.reasons == {
        "a": "it was open at the leanest good point of 0 of 1 paths",
        "b": "it was open at the leanest good point of 0 of 1 paths",
        "c": "it was open at the leanest good point of 1 of 1 paths",
    }


def test_the_gamma_path_keeps_nothing_where_the_end_is_as_good():
    assert choose_on_paths(follow(("abc", 0.8), ("b", 0.6), ("", 0.8))).kept == ()


def test_the_gamma_path_keeps_what_half_of_the_trainings_kept():
    paths = [follow(("abc", 0.5), (letters, 0.8), ("", 0.5)) for letters in ("ab", "a", "c", "a")]
    choice = choose_on_paths(*paths)
    assert choice.kept == ("a",)  # 3 of 4; b and c 1 of 4
    assert choose_on_paths(*paths[1:3]).kept == ("a", "c")  # 1 of 2 each
    assert choice.reasons["a"] == "it was open at the leanest good point of 3 of 4 paths"


@pytest.mark.parametrize(("dice", "leanest"), [(0.0, ()), (-0.001, ("a",))])
def test_a_point_of_the_path_is_good_down_to_a_hundredth_below_the_best(dice, leanest):
    assert leanest_point(follow(("a", 0.01), ("", dice))).open == leanest


def test_of_points_with_as_few_sites_the_last_is_taken_whose_network_was_pressed_longest():
    assert leanest_point(follow(("ab", 0.8), ("a", 0.8), ("b", 0.795), ("", 0.1))).open == ("b",)
