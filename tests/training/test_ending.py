"""Early stopping and the best weights: what ends a training, which weights it leaves, and that it resumes to the same bits."""

import csv
from dataclasses import replace

import pytest
import torch

from focalseg.errors import SettingError
from focalseg.evaluation.undertraining import find_rises
from focalseg.feeding.feed import Feed
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.training.ending import describe_ending, find_best, is_exhausted, read_curve
from focalseg.training.loop import METRICS, Run, StopRequested, train
from focalseg.training.run import RunConfig
from focalseg.training.training_config import TrainingConfig
from training.small import assert_same_bits, make_data, state_of

LAST = RunConfig(
    data="made up",
    seed=3,
    preparation=Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,)),
    network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8]}),
    attention={"encoder.0": "se"},
    training=TrainingConfig(steps=24, batch_size=4, validate_every=3, log_every=2, learning_rate=0.1),
)


def make_misleading_data():
    """Validation cases of other truths than the training cases: what is learned here is worth less and less there."""
    data, generator = make_data(), torch.Generator().manual_seed(0)
    images, masks = data.validation.gather(torch.arange(len(data.validation)))
    masks = torch.rand(masks.shape, generator=generator) > 0.5
    return replace(data, validation=Feed.from_tensors(images, masks))


def with_training(**changes):
    return replace(LAST, training=replace(LAST.training, **changes))


def read_dice(folder):
    with (folder / METRICS).open() as file:
        return {int(row["step"]): float(row["validation_dice"]) for row in csv.DictReader(file) if row["validation_dice"]}


def step_through(folder):
    """A training without any of it, with the state after each step."""
    run, states = Run(LAST, make_misleading_data(), folder, device="cpu"), {}
    while not run.finished:
        run.advance()
        states[run.step] = state_of(run)
    return states


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Dice by step and states by step of the training that takes all steps and keeps the last weights."""
    folder = tmp_path_factory.mktemp("plain")
    states = step_through(folder)
    return read_dice(folder), states


def test_the_best_weights_are_those_of_the_validation_with_the_highest_dice(plain, tmp_path):
    dice, states = plain
    best = max(dice, key=dice.get)
    assert 0 < best < 24
    run = train(with_training(keep_best=True), make_misleading_data(), tmp_path / "best", device="cpu")
    assert read_dice(tmp_path / "best") == dice
    assert_same_bits(state_of(run), states[best])
    assert f"{run.measure_validation_dice():.5f}" == f"{dice[best]:.5f}"


def test_it_stops_after_so_many_validations_without_a_better_one_and_not_before(plain, tmp_path):
    dice, states = plain
    patience, best, waited, expected = 2, -1.0, 0, 24
    for step, value in dice.items():
        best, waited = (value, 0) if value > best else (best, waited + 1)
        if waited == patience:
            expected = step
            break
    assert expected < 24
    run = train(with_training(early_stopping_patience=patience), make_misleading_data(), tmp_path / "stopped", device="cpu")
    assert run.step == expected
    assert read_dice(tmp_path / "stopped") == {step: value for step, value in dice.items() if step <= expected}
    assert_same_bits(state_of(run), states[expected])


@pytest.mark.parametrize("step", [1, 5, 6, 7, 12])
def test_both_resume_to_the_same_bits(tmp_path, step):
    config = with_training(keep_best=True, early_stopping_patience=3)
    whole = train(config, make_misleading_data(), tmp_path / "whole", device="cpu")
    calls = iter(range(100))
    with pytest.raises(StopRequested):
        train(config, make_misleading_data(), tmp_path / "parts", device="cpu", should_stop=lambda: next(calls) == step)
    resumed = train(config, make_misleading_data(), tmp_path / "parts", device="cpu")
    assert resumed.step == whole.step
    assert_same_bits(state_of(whole), state_of(resumed))
    assert (tmp_path / "whole" / METRICS).read_bytes() == (tmp_path / "parts" / METRICS).read_bytes()
    again = train(
        config, make_misleading_data(), tmp_path / "parts", device="cpu"
    )  # finished: nothing but the weights is put back
    assert_same_bits(state_of(whole), state_of(again))


def row(step, dice):
    return {"step": str(step), "validation_dice": dice}


def test_rows_tell_the_best_the_end_and_what_was_kept():
    rows = [row(5, ""), row(10, "0.40000"), row(15, ""), row(20, "0.60000"), row(30, "0.60000"), row(40, "0.50000")]
    curve = read_curve(rows)
    assert curve == {10: 0.4, 20: 0.6, 30: 0.6, 40: 0.5}
    assert find_best(curve) == 20
    assert [is_exhausted(rows, patience) for patience in (1, 2, 3, None)] == [True, True, False, False]
    kept = describe_ending(rows, TrainingConfig(steps=100, keep_best=True, early_stopping_patience=2))
    assert (kept.steps, kept.kept, kept.dice) == (40, 20, 0.6)
    last = describe_ending(rows, TrainingConfig(steps=100))
    assert (last.steps, last.kept, last.dice) == (40, 40, 0.5)
    assert find_best({}) is None
    assert not is_exhausted([row(5, "")], 1)


def test_a_training_that_stopped_early_is_judged_by_the_steps_it_took():
    curve = {100: 0.2, 200: 0.4, 300: 0.6, 400: 0.7}  # of 1000 planned
    assert [rise.part for rise in find_rises({"run": [curve]})] == ["last fifth"]


def test_both_are_off_by_default_and_refused_for_a_regime_that_needs_all_its_steps():
    assert TrainingConfig().early_stopping_patience is None
    assert TrainingConfig().keep_best is False
    for change in ({"keep_best": True}, {"early_stopping_patience": 3}):
        with pytest.raises(SettingError) as raised:
            TrainingConfig(exponents="dropout", **change)
        assert str(raised.value) == (
            "exponents was 'dropout', given with early_stopping_patience or keep_best; expected 'free', since a regime needs "
            "all its steps and the weights that they end with. Leave one of the two out."
        )
    with pytest.raises(SettingError, match=r"^early_stopping_patience was 0; expected a finite number at least 1\.$"):
        TrainingConfig(early_stopping_patience=0)
