"""The U-Net: shapes for any axes and sizes, its own forward pass in NumPy, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import torch

from focalseg.errors import SettingError, ShapeError
from focalseg.networks.unet import UNet

NORMS = ["batch", "instance", "group"]
Weights = dict[str, np.ndarray]


def make(seed: int = 0, **settings: Any) -> UNet:
    torch.manual_seed(seed)
    return UNet(**{"spatial_dims": 2, "in_channels": 2, "classes": 1, "widths": (4, 6, 8), **settings})


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize(
    "size", [(4,), (16,), (13,), (8, 8), (7, 10), (5, 31), (4, 4), (8, 8, 8), (5, 9, 6), (4, 5, 4)], ids=str
)
def test_logits_have_the_size_of_the_image_and_a_channel_a_class(size: tuple[int, ...], classes: int) -> None:
    network = make(spatial_dims=len(size), classes=classes)
    for count in (1, 2):
        assert network.eval()(torch.randn(count, 2, *size)).shape == (count, classes, *size)
    assert network.train()(torch.randn(2, 2, *size)).shape == (2, classes, *size)


@pytest.mark.parametrize("widths", [(3, 5), (4, 4, 4), (2, 3, 5, 7, 11)])
def test_the_depth_is_the_number_of_widths(widths: tuple[int, ...]) -> None:
    network = make(widths=widths)
    assert len(network.encoder) == len(network.decoder) == len(network.skip) == len(widths) - 1
    assert network(torch.randn(1, 2, 32, 32)).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_every_parameter_receives_a_finite_gradient(spatial_dims: int, norm: str) -> None:
    network = make(spatial_dims=spatial_dims, norm=norm, classes=2)
    logits = network(torch.randn(2, 2, *(8, 9, 11)[:spatial_dims]))
    (logits * torch.randn_like(logits)).sum().backward()
    gradients = {name: weight.grad for name, weight in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("widths", [(8, 28), (25, 36), (1, 100)])
def test_every_norm_takes_every_width(norm: str, widths: tuple[int, ...]) -> None:
    assert make(norm=norm, widths=widths)(torch.randn(2, 2, 8, 8)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("widths", [(4, 6, 8), (8, 16, 16)])
def test_every_norm_takes_the_smallest_image_it_can_and_instance_norm_needs_two_elements(
    norm: str, widths: tuple[int, ...]
) -> None:
    network = make(norm=norm, widths=widths).eval()
    if norm == "instance":
        with pytest.raises(ShapeError) as raised:
            network(torch.randn(1, 2, 4, 4))
        assert str(raised.value) == (
            "The image has spatial shape (4, 4), one element in the bottleneck, where an instance norm needs two; "
            "give at least 8 along one axis, fewer widths or another norm."
        )
    size = (4, 8) if norm == "instance" else (4, 4)
    assert network(torch.randn(1, 2, *size)).shape == (1, 1, *size)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_only_batch_norm_lets_the_cases_of_a_training_batch_see_one_another(norm: str) -> None:
    images = torch.randn(2, 2, 8, 8)
    network = make(norm=norm).train()
    assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5)
    seeing = make(norm="batch").train()
    assert not torch.allclose(seeing(images)[:1], seeing(images[:1]), atol=1e-2)


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    image = torch.randn(1, 2, 8, 8)
    one, again, other = (make(seed).eval()(image) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_dropout_acts_in_training_alone() -> None:
    network, image = make(dropout=0.5, norm="instance"), torch.randn(1, 2, 8, 8)
    assert not torch.equal(network.train()(image), network(image))
    assert torch.equal(network.eval()(image), network(image))
    dry = make(norm="instance")
    assert torch.equal(dry.train()(image), dry(image))


def test_the_image_is_not_edited() -> None:
    image = torch.randn(1, 2, 8, 8)
    before = image.clone()
    make()(image)
    assert torch.equal(image, before)


def test_a_network_is_described_by_its_settings() -> None:
    network = make(widths=[4, 8], norm="group", dropout=0.25)  # a list, as a file gives it
    assert network.config.widths == (4, 8)
    rebuilt = UNet(**vars(network.config))
    rebuilt.load_state_dict(network.state_dict())
    image = torch.randn(1, 2, 8, 8)
    assert torch.equal(rebuilt.eval()(image), network.eval()(image))


def test_the_defaults_are_a_two_dimensional_network_of_five_levels_for_colour_images_and_one_class() -> None:
    config = UNet().config
    assert (config.spatial_dims, config.in_channels, config.classes) == (2, 3, 1)
    assert (config.widths, config.norm, config.dropout) == ((32, 64, 128, 256, 512), "batch", 0.0)


def convolve(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """1-D cross-correlation (C, N) -> (K, N), zeros beyond the ends."""
    kernel = weights[f"{name}.weight"]
    reach = kernel.shape[2] // 2
    padded = np.pad(x, ((0, 0), (reach, reach)))
    taps = np.stack([padded[:, start : start + x.shape[1]] for start in range(kernel.shape[2])], axis=-1)
    bias = weights.get(f"{name}.bias", np.zeros(len(kernel)))
    return np.einsum("oik,ink->on", kernel, taps) + bias[:, None]


def run_stage(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """(convolution, batch norm with running statistics, ReLU) twice."""
    for convolution, norm in ((0, 1), (3, 4)):
        x = convolve(weights, f"{name}.layers.{convolution}", x)
        mean, variance, scale, shift = (
            weights[f"{name}.layers.{norm}.{part}"][:, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-5) * scale + shift, 0)
    return x


@pytest.mark.parametrize("size", [8, 13])
def test_the_forward_pass_is_the_textbook_one(size: int) -> None:
    network = make(spatial_dims=1, widths=(3, 4, 5)).eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("running_mean", "running_var", "bias")):
                tensor.uniform_(0.2, 1.2)
    weights = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    image = torch.randn(1, 2, size)

    x, skips = image[0].double().numpy(), []
    for level in range(2):
        skips.append(run_stage(weights, f"encoder.{level}", x))
        pairs = skips[-1].shape[1] // 2
        x = skips[-1][:, : 2 * pairs].reshape(len(skips[-1]), pairs, 2).max(axis=2)
    x = run_stage(weights, "bottleneck", x)
    for level in (1, 0):
        fine, coarse = skips[level].shape[1], x.shape[1]
        nearest = ((np.arange(fine) + 0.5) * coarse / fine).astype(int)
        raised = convolve(weights, f"up.{level}", x[:, nearest])  # upsampling, then the 1 x 1 convolution
        x = run_stage(weights, f"decoder.{level}", np.concatenate([skips[level], raised]))
    expected = convolve(weights, "head", x)

    assert np.allclose(network(image)[0].detach().numpy(), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("spatial_dims", "shape", "expected"),
    [
        (2, (1, 3, 8, 8), "(B, 2, H, W)"),
        (2, (1, 2, 8), "(B, 2, H, W)"),
        (2, (2, 8, 8), "(B, 2, H, W)"),
        (1, (1, 2, 8, 8), "(B, 2, W)"),
        (3, (1, 1, 8, 8, 8), "(B, 2, D, H, W)"),
        (3, (1, 2, 8, 8), "(B, 2, D, H, W)"),
    ],
)
def test_an_image_of_the_wrong_channels_or_axes_is_an_error_with_both_shapes(
    spatial_dims: int, shape: tuple[int, ...], expected: str
) -> None:
    with pytest.raises(ShapeError) as raised:
        make(spatial_dims=spatial_dims)(torch.zeros(shape))
    assert str(raised.value) == f"The image has shape {shape}; this U-Net takes {expected}."
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("size", [(3, 8), (8, 3), (1, 1)])
def test_an_image_too_small_for_the_depth_is_an_error_with_the_smallest_size(size: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as raised:
        make()(torch.zeros(1, 2, *size))
    assert str(raised.value) == (
        f"The image has spatial shape {size}; a U-Net of 3 levels needs at least 4 along each axis. "
        "Give a larger image, or a U-Net of fewer levels (fewer widths)."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spatial_dims": 4}, "spatial_dims was 4; expected one of 1, 2, 3."),
        ({"in_channels": 0}, "in_channels was 0; expected a finite number at least 1."),
        ({"in_channels": 1.5}, "in_channels was 1.5; expected a whole number."),
        ({"classes": 0}, "classes was 0; expected a finite number at least 1."),
        ({"classes": True}, "classes was True; expected a whole number."),
        ({"widths": (8,)}, "widths was (8,); give at least two numbers of channels, finest level first."),
        ({"widths": ()}, "widths was (); give at least two numbers of channels, finest level first."),
        ({"widths": (8, 0)}, "widths was 0; expected a finite number at least 1."),
        ({"widths": (8, 1.5)}, "widths was (8, 1.5); expected a list, each item a whole number."),
        ({"norm": "layer"}, "norm was 'layer'; expected one of batch, instance, group."),
        ({"dropout": 1.0}, "dropout was 1.0; expected a finite number at least 0 and below 1."),
        ({"dropout": -0.1}, "dropout was -0.1; expected a finite number at least 0 and below 1."),
        ({"dropout": float("nan")}, "dropout was nan; expected a finite number at least 0 and below 1."),
        (
            {"classes": 0, "norm": "layer"},
            "classes was 0; expected a finite number at least 1.\nnorm was 'layer'; expected one of batch, instance, group.",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_what_was_expected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as raised:
        make(**settings)
    assert str(raised.value) == message
