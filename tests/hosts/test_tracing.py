"""The dry run: shapes and times of what passes, on a copy, without computing where that is possible."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from focalseg.errors import ShapeError, SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.instrument import instrument
from focalseg.hosts.ports import Port
from focalseg.hosts.tracing import check_forward, guess_image_shape, plain_copy, trace
from focalseg.networks.unet import UNet
from hosts.host_table import HOSTS, HandWritten, copy_host, host_sites

pytestmark = pytest.mark.slow


def test_what_passes_has_its_shape_and_its_time() -> None:
    ports = [Port.parse(text) for text in ("bottom", "dec2:skip", "dec2:below", "enc2", "pool:0", "dec1:0[4:]", "")]
    passed = trace(HandWritten(2), ports, (2, 8, 12))
    shapes = {str(port): record.shapes for port, record in passed.items()}
    assert shapes == {
        "bottom": [(1, 4, 2, 3)],
        "dec2:skip": [(1, 4, 4, 6)],
        "dec2:below": [(1, 4, 2, 3)],
        "enc2": [(1, 4, 4, 6)],
        "pool:0": [(1, 4, 8, 12), (1, 4, 4, 6)],
        "dec1:0[4:]": [(1, 4, 8, 12)],
        "": [(1, 1, 8, 12)],
    }
    times = sorted((time, str(port)) for port, record in passed.items() for time in record.times)
    assert [name for _, name in times if name not in ("dec2:below", "dec2:skip")] == [
        "pool:0", "enc2", "pool:0", "bottom", "dec1:0[4:]", "",
    ]  # fmt: skip
    assert len({time for time, _ in times}) == len(times)


class Data(nn.Module):
    """Looks at numbers, which a dry run of shapes alone does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image) * (2 if image.max().item() > 0 else 1)


def test_a_network_that_looks_at_numbers_is_run_on_a_black_image() -> None:
    port = Port.parse("layer")
    assert trace(Data(), [port], (2, 4, 5))[port].shapes == [(1, 3, 4, 5)]


def test_a_network_is_traced_in_its_number_type_and_on_no_memory_of_its_own() -> None:
    port = Port.parse("bottleneck")
    assert trace(UNet(widths=(4, 8)).double(), [port], (3, 8, 8))[port].shapes == [(1, 8, 4, 4)]
    with torch.device("meta"):
        huge = UNet(spatial_dims=3, in_channels=1, widths=(1 << 12, 1 << 13))
    assert trace(huge, [port], (1, 512, 512, 512))[port].shapes == [(1, 1 << 13, 256, 256, 256)]


def test_the_first_image_is_guessed_from_the_first_convolution() -> None:
    assert guess_image_shape(UNet(spatial_dims=1, in_channels=5, widths=(4, 8))) == (5, 128)
    assert guess_image_shape(HandWritten(3)) == (2, 128, 128, 128)
    with pytest.raises(SiteError) as raised:
        guess_image_shape(nn.Linear(2, 2))
    assert str(raised.value) == "Linear has no convolution to tell what it takes; give image_shape, (C, *spatial)."


@pytest.mark.parametrize("host", list(HOSTS))
def test_a_plain_copy_has_no_attention_and_the_network_keeps_its_own(host: str, look_at: Callable[[nn.Module], Any]) -> None:
    network, images = copy_host(host, 2).eval(), HOSTS[host].images(2)
    expected = network(images)
    instrument(network, candidates=host_sites(host, 2))
    before = look_at(network)
    probe = plain_copy(network)
    assert torch.equal(probe(images), expected)
    assert attention_sites(probe) == {}
    assert look_at(network) == before


@pytest.mark.parametrize("host", list(HOSTS))
def test_every_host_makes_logits_of_the_size_of_its_images(host: str) -> None:
    for axes in HOSTS[host].sizes:
        network, images = copy_host(host, axes), HOSTS[host].images(axes)
        check_forward(network, HOSTS[host].image_shape(axes), classes=1)
        assert network(images).shape == (len(images), 1, *images.shape[2:])


def test_a_network_that_makes_something_else_than_logits_is_an_error_with_both_shapes() -> None:
    with pytest.raises(ShapeError) as raised:
        check_forward(nn.Sequential(nn.Conv2d(2, 3, 3)), (2, 8, 9), classes=3)
    assert str(raised.value) == (
        "Sequential makes (1, 3, 6, 7) of an image of shape (2, 8, 9); expected logits (B, 3, *spatial) of the image's size, "
        "(1, 3, 8, 9)."
    )
