"""A training that computes with numbers past all use ends with one error that names the setting, and leaves no weights."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.feeding.augmentation import AugmentationConfig
from focalseg.losses.unified_focal import UnifiedFocalConfig
from focalseg.training.loop import CHECKPOINT, Run, train
from focalseg.training.run import TrainingConfig
from focalseg.training.sanity import MOST_WEIGHT, advise, check_weights
from focalseg.windows import predict_in_windows
from training.small import make_data
from training.test_loop import CONFIG


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", 1e20),
        ("learning_rate", 1e300),
        ("learning_rate", 1.01),
        ("learning_rate", 1e-300),
        ("learning_rate", float("nan")),
        ("gamma_learning_rate_factor", 1e30),
        ("gamma_learning_rate_factor", 1e300),
        ("weight_decay", 1e20),
        ("steps", 10**100),
        ("batch_size", 10**9),
    ],
)
def test_a_rate_past_all_use_is_refused_by_name(setting, value):
    with pytest.raises(SettingError, match=f"^{setting} was .*; expected a finite number at least .* and at most "):
        TrainingConfig(**{setting: value})


@pytest.mark.parametrize("name", ["scale", "elastic_pixels", "brightness", "power_law", "noise", "blur_pixels"])
def test_an_augmentation_past_all_use_is_refused_by_name(name):
    for value in (1e4, 1e30, 1e300):
        with pytest.raises(SettingError, match=f"^{name} was .*; expected a finite number at least 0 and at most "):
            AugmentationConfig(**{name: value})


def test_two_rates_that_are_high_together_are_refused():
    with pytest.raises(SettingError) as caught:
        from_mapping(TrainingConfig, {"learning_rate": 0.5, "gamma_learning_rate_factor": 1000})
    assert str(caught.value) == (
        "gamma_learning_rate_factor was 1000, by which a step may change a gamma by 500; expected at most 10. Lower it, or "
        "learning_rate."
    )
    assert TrainingConfig(learning_rate=1.0, gamma_learning_rate_factor=10.0).learning_rate == 1.0  # the bounds themselves


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e15])
@pytest.mark.parametrize("place", ["weight", "gamma"])
def test_weights_past_all_use_stop_a_run_at_the_next_validation_and_are_not_saved(tmp_path, number, place):
    run = Run(replace(CONFIG, training=replace(CONFIG.training, steps=1)), make_data(), tmp_path, device="cpu")
    name = next(name for name, _ in run.network.named_parameters() if name.endswith(place))
    really_step = run.stepper.step

    def step_badly():
        really_step()
        with torch.no_grad():
            run.network.get_parameter(name).flatten()[0] = number

    run.stepper.step = step_badly
    with pytest.raises(
        SettingError, match=rf"^A number in {name} became .* at step 1 of {tmp_path}; expected .*\. Lower training"
    ):
        run.advance()
    assert not (tmp_path / CHECKPOINT).exists()


def test_what_does_not_train_may_hold_infinity_and_statistics_may_not():
    network = nn.BatchNorm2d(2)
    network.register_buffer("mask", torch.tensor([-float("inf")]))
    frozen = nn.Parameter(torch.tensor([float("inf")]), requires_grad=False)
    network.register_parameter("frozen", frozen)
    check_weights(network, CONFIG, "here")
    network.weight.data[0] = MOST_WEIGHT
    check_weights(network, CONFIG, "here")
    network.running_var[0] = float("inf")
    with pytest.raises(SettingError, match="^A number in running_var became inf here; expected a finite number"):
        check_weights(network, CONFIG, "here")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, "Lower training.learning_rate"),
        ({"training": TrainingConfig(learning_rate=0.5)}, "Lower training.learning_rate"),
        ({"training": TrainingConfig(weight_decay=9.0)}, "Lower training.weight_decay"),
        ({"training": TrainingConfig(gamma_learning_rate_factor=1000.0)}, "Lower training.gamma_learning_rate_factor"),
        ({"loss": UnifiedFocalConfig(boundary_weight=1e30)}, "Lower loss.boundary_weight"),
        ({"loss": UnifiedFocalConfig(class_weights=(1.0, 1e30))}, "Lower loss.class_weights"),
    ],
)
def test_the_setting_that_is_far_above_what_is_usual_is_named(change, named):
    assert advise(replace(CONFIG, **change)) == named


def test_a_loss_weight_past_all_use_ends_a_run_by_its_name(tmp_path):
    config = replace(CONFIG, loss=UnifiedFocalConfig(class_weights=(1e300, 1e300)))
    with pytest.raises(SettingError, match=r"^The loss became .* at step 1 of .*\. Lower loss\.class_weights and run again"):
        train(config, make_data(), tmp_path, device="cpu")
    assert not (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("window", [None, (8, 8)])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_an_error_and_no_background(window, number):
    with pytest.raises(SettingError, match="^The network's logits are not finite: .* Lower training.learning_rate"):
        predict_in_windows(lambda images: images * number, torch.ones(1, 1, 16, 16), window)
