"""What the focal parameter is measured to do: curves by NumPy's power, maps by closed forms, trainings by their plan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from focalseg.errors import SettingError
from focalseg.focal_role.curves import compute_curves
from focalseg.focal_role.effect import measure_effect
from focalseg.focal_role.maps import (
    ARMS,
    FocalMaps,
    Subject,
    compute_maps,
    map_factor,
    map_gradients,
    map_weight,
    measure_shift,
)
from focalseg.focal_role.trainings import (
    MapBudget,
    Outcome,
    TrainingBudget,
    load_task,
    plan_config,
    plan_trials,
    run_trials,
    score_held_out,
    train_in_passing,
    train_trial,
    turn_gammas,
)

BUDGET = TrainingBudget(
    longest_side=32, train_cases=8, held_out_cases=3, widths=(4, 8), steps=4, batch_size=2, seeds=2,
    loss_gammas=(0.0, 0.5), network_gammas=(0.0, 1.0, 4.0),
)  # fmt: skip


def curves_of(use):
    panel = next(panel for panel in compute_curves() if panel.use == use)
    return np.array(panel.axis), [(curve.gamma, np.array(curve.values)) for curve in panel.curves]


def test_the_network_curves_are_powers_of_the_coefficient():
    logits, curves = curves_of("network")
    for gamma, values in curves:
        np.testing.assert_allclose(values, np.power(1 / (1 + np.exp(-logits)), gamma), rtol=1e-12)


def test_the_loss_curves_are_powers_of_one_minus_the_probability():
    probabilities, curves = curves_of("loss")
    for gamma, values in curves:
        np.testing.assert_allclose(values, np.power(1 - probabilities, gamma), rtol=1e-12)


def test_the_cross_entropy_curves_are_the_focal_loss_of_lin_et_al():
    probabilities, curves = curves_of("cross_entropy")
    for gamma, values in curves:
        np.testing.assert_allclose(values, -np.power(1 - probabilities, gamma) * np.log(probabilities), rtol=1e-12)


def test_the_boundary_curves_are_powers_of_the_closeness():
    distance, curves = curves_of("boundary")
    for gamma, values in curves:
        np.testing.assert_allclose(values, np.power(1 - distance, gamma), rtol=1e-12)


@pytest.fixture
def subject():
    random = np.random.default_rng(0)
    mask = np.zeros((16, 16), bool)
    mask[4:9, 5:12] = True
    logits = (2.0 * mask - 1 + random.normal(0, 1.5, mask.shape)).astype(np.float32)
    log_coefficients = np.log(random.uniform(0.05, 0.95, mask.shape)).astype(np.float32)
    return Subject(
        case="drawn", dice=0.5, image=np.zeros((1, 16, 16)), mask=mask, predicted=logits > 0,
        logits=logits, log_coefficients=log_coefficients,
    )  # fmt: skip


def test_the_gradient_of_the_plain_cross_entropy_arm_is_the_weighted_error_of_the_probability(subject):
    (drawn,) = map_gradients(subject, "cross_entropy", (0.0,))
    probabilities = 1 / (1 + np.exp(-subject.logits.astype(float)))
    weights = np.where(subject.mask, 0.6, 0.4)  # delta for the foreground, 1 - delta for the background
    np.testing.assert_allclose(drawn.pixels, weights * np.abs(probabilities - subject.mask) / subject.mask.size, rtol=1e-4)


def test_the_asymmetric_cross_entropy_arm_leaves_the_foreground_alone(subject):
    plain, focused = map_gradients(subject, "cross_entropy", (0.0, 0.75))
    np.testing.assert_allclose(focused.pixels[subject.mask], plain.pixels[subject.mask], rtol=1e-5)
    assert focused.on_foreground > plain.on_foreground
    assert focused.total < plain.total == 1


def test_shares_are_those_of_the_pixels(subject):
    for arm in ARMS:
        for drawn in map_gradients(subject, arm, (0.0, 0.5)):
            assert drawn.on_foreground == pytest.approx(drawn.pixels[subject.mask].sum() / drawn.pixels.sum())
            assert drawn.on_wrong == pytest.approx(
                drawn.pixels[subject.mask != (subject.logits > 0)].sum() / drawn.pixels.sum()
            )


def test_a_shift_averages_the_images_and_counts_those_that_rise(subject):
    other = replace(subject, logits=-subject.logits, predicted=subject.logits < 0)
    shift = measure_shift([subject, other], "cross_entropy", (0.0, 0.25, 0.75))
    (one, one_last), (two, two_last) = (map_gradients(each, "cross_entropy", (0.0, 0.75)) for each in (subject, other))
    assert shift.images == 2
    assert shift.foreground_first == pytest.approx((one.on_foreground + two.on_foreground) / 2)
    assert shift.wrong_last == pytest.approx((one_last.on_wrong + two_last.on_wrong) / 2)
    rises = (one_last.on_foreground > one.on_foreground, two_last.on_foreground > two.on_foreground)
    assert shift.foreground_rises == sum(rises) == 1  # not where the background is mostly taken for foreground
    assert shift.wrong_rises == (one_last.on_wrong > one.on_wrong) + (two_last.on_wrong > two.on_wrong)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 4.0])
def test_the_factor_is_the_coefficient_to_the_power_of_gamma(subject, gamma):
    drawn = map_factor(subject, gamma)
    expected = np.power(np.exp(subject.log_coefficients.astype(float)), gamma)
    np.testing.assert_allclose(drawn.pixels, expected, rtol=1e-5)
    assert drawn.foreground == pytest.approx(expected[subject.mask].mean(), rel=1e-5)


def test_the_weight_is_full_on_both_sides_of_the_border_and_gone_at_the_farthest_pixel(subject):
    near = np.zeros((16, 16), bool)
    near[4, 5] = True
    drawn = map_weight(subject, 4.0, 3.0, near)
    assert drawn.pixels[4, 5] == drawn.pixels[3, 5] == 4
    assert drawn.pixels.min() == 1
    assert drawn.near_border == pytest.approx(3 / (drawn.pixels - 1).sum())


def test_maps_take_a_case_that_the_network_never_saw():
    budget = MapBudget(longest_side=32, train_cases=6, held_out_cases=4, widths=(4, 8), steps=3, batch_size=2)
    maps = compute_maps(budget)
    assert isinstance(maps, FocalMaps)
    assert int(maps.subject.case.split()[-1]) >= budget.train_cases
    assert {shift.images for shift in maps.shifts} <= {3, 4}  # one image in six has no lesion
    assert maps.subject.mask.any()
    assert [one.gamma for one in maps.weights] == list(budget.boundary_gammas)
    assert maps.factors[0].foreground == maps.factors[0].background == 1  # gamma 0


def test_the_plan_trains_every_pair_once_and_the_one_they_share_only_once():
    trials = plan_trials(BUDGET)
    pairs = [(trial.loss_gamma, trial.network_gamma) for trial in trials if trial.seed == 0]
    assert sorted(pairs) == [(0.0, 1.0), (0.5, 0.0), (0.5, 1.0), (0.5, 4.0)]
    assert len(trials) == 4 * BUDGET.seeds


def test_a_training_is_the_same_again():
    trial = plan_trials(BUDGET)[0]
    assert train_trial(trial) == train_trial(trial)


@pytest.mark.slow
def test_the_effect_has_every_gamma_of_every_knob_and_its_seeds():
    effect = measure_effect(run_trials(BUDGET, workers=1, tell=lambda _done, _of: None))
    assert [one.gamma for one in effect.loss] == list(BUDGET.loss_gammas)
    assert [one.gamma for one in effect.network] == [one.gamma for one in effect.turned] == list(BUDGET.network_gammas)
    for settings in (effect.loss, effect.network, effect.turned):
        assert settings[0].against_zero is not None
        assert settings[0].against_zero.mean == 0
        for one in settings:
            assert len(one.dice.seeds) == BUDGET.seeds
            assert one.dice.lowest <= one.dice.mean <= one.dice.highest
            assert one.predictions == BUDGET.seeds * BUDGET.held_out_cases
    assert effect.loss[1].dice == effect.network[1].dice  # where the knobs meet


@pytest.mark.slow
def test_several_workers_give_what_one_gives():
    budget = TrainingBudget(
        longest_side=16, train_cases=4, held_out_cases=2, widths=(2, 4), steps=2, batch_size=2, seeds=1,
        loss_gammas=(0.0,), network_gammas=(1.0,),
    )  # fmt: skip
    counts: list[tuple[int, int]] = []
    one = run_trials(budget, workers=1, tell=lambda done, of: counts.append((done, of)))
    assert counts == [(1, 2), (2, 2)]
    assert run_trials(budget, workers=2, tell=lambda _done, _of: None) == one


def test_turning_leaves_the_run_as_it_was():
    trial = plan_trials(BUDGET)[-1]
    data = load_task(BUDGET)
    run = train_in_passing(plan_config(trial, data), data, gamma=1.0)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    scores = score_held_out(run, data)
    turn_gammas(run, data, 4.0)
    assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())
    assert score_held_out(run, data) == scores


def test_a_network_held_at_gamma_zero_is_the_plain_one():
    trial = next(trial for trial in plan_trials(BUDGET) if trial.network_gamma == 0)
    data = load_task(BUDGET)
    plain = train_in_passing(replace(plan_config(trial, data), attention={}), data, gamma=0.0)
    assert isinstance(train_trial(trial), Outcome)
    assert train_trial(trial).overlaps == score_held_out(plain, data)


def test_a_budget_refuses_nonsense():
    with pytest.raises(SettingError, match="seeds was 0; expected a finite number at least 1"):
        TrainingBudget(seeds=0)
