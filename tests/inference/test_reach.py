"""How far a network looks and how it pools is found out without knowing how it is made."""

import pytest
import torch
from torch import nn

import focalseg
from focalseg.inference.reach import Reach, measure_reach


def count_spoilt(levels):
    """Elements of a U-Net's logits that a border between nan and numbers spoils, by the definition of its layers: two
    convolutions of kernel 3 a stage, pooling by two, and nearest upsampling. levels: its stages down to the coarsest."""
    spoilt = 2
    for _ in range(levels - 1):
        spoilt = -(-spoilt // 2) + 2
    for _ in range(levels - 1):
        spoilt = 2 * spoilt + 2
    return spoilt


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("levels", [2, 3])
def test_the_reach_of_a_unet_is_that_of_its_convolutions_and_its_stride_that_of_its_pooling(dims, levels):
    torch.manual_seed(0)
    network = focalseg.UNet(spatial_dims=dims, in_channels=1, widths=(4,) * levels).eval()
    window = (64, *(16,) * (dims - 1))
    assert measure_reach(network, 1, window, 0) == Reach(margin=count_spoilt(levels), stride=2 ** (levels - 1))


@pytest.mark.parametrize(
    ("layer", "reach"),
    [
        (nn.Conv2d(2, 1, 1), Reach(margin=0, stride=1)),
        (nn.Conv2d(2, 1, 5, padding=2), Reach(margin=2, stride=1)),
        (nn.Conv2d(2, 1, 3, padding=11, dilation=11), Reach(margin=11, stride=1)),  # nothing between 0 and 11 is looked at
        (nn.Conv2d(2, 1, (2, 1), padding="same"), Reach(margin=1, stride=1)),
        (nn.Sequential(nn.MaxPool2d(4), nn.Upsample(scale_factor=4)), Reach(margin=0, stride=4)),
        (nn.Sequential(nn.AvgPool2d(2), nn.Upsample(scale_factor=2)), Reach(margin=0, stride=2)),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Upsample(size=(64, 48))), None),
        (nn.InstanceNorm2d(2), None),
        (nn.GroupNorm(1, 2), None),
        (nn.Conv2d(2, 1, 3), None),  # another size than its image
        (nn.Sequential(nn.MaxPool2d(3), nn.Upsample(size=(64, 48))), None),  # no part of 64
    ],
)
def test_every_kind_of_layer_is_seen_for_what_it_does(layer, reach):
    torch.manual_seed(1)
    assert measure_reach(layer.eval(), 2, (64, 48), 0) == reach


@pytest.mark.parametrize(("gate", "fits"), [("ag", True), ("spatial", True), ("se", False), ("cbam", False)])
def test_gates_that_average_over_the_image_look_over_all_of_it_and_others_do_not(gate, fits):
    torch.manual_seed(2)
    network = focalseg.UNet(spatial_dims=2, in_channels=1, widths=(4, 4))
    focalseg.instrument(network, gates=(gate,))
    reach = measure_reach(network.eval(), 1, (128, 32), 0)
    assert (reach is not None) == fits
    assert reach is None or (reach.margin > count_spoilt(2) and reach.stride == 2)


def test_measuring_leaves_the_network_and_the_random_numbers_as_they_were():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("images", torch.zeros(()))
            self.register_buffer("mean", torch.zeros(()))

        def forward(self, images):
            self.images += len(images)
            self.mean.copy_(images.mean())
            return images

    network = Counting().eval()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert measure_reach(network, 1, (32, 32), 0) == Reach(margin=0, stride=1)
    assert (float(network.images), float(network.mean)) == (0, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert not network.training


def test_a_network_that_refuses_small_images_is_measured_on_its_windows_and_one_that_refuses_nan_is_not():
    class Refusing(nn.Module):
        def __init__(self, refuses):
            super().__init__()
            self.refuses = refuses

        def forward(self, images):
            if self.refuses(images):
                raise ValueError("Not these.")
            return images

    assert measure_reach(Refusing(lambda images: images.shape[3] != 64), 1, (64, 64), 0) == Reach(margin=0, stride=1)
    assert measure_reach(Refusing(lambda images: images.isnan().any()), 1, (64, 64), 0) is None
