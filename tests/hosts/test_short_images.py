"""Attention in networks that take an image with a side of one: a strip of pixels, one slice of a volume."""

import pytest
import torch

from focalseg.hosts.gammas import gamma_parameters
from focalseg.hosts.instrument import instrument
from hosts.host_table import copy_host, host_sites

TAKING = ["monai:SegResNet", "monai:AttentionUnet", "sequential", "own gate"]
"""Hosts that take such an image themselves; the others pool it to nothing, or normalise over one pixel, and say so."""


@pytest.mark.parametrize("size", [(1, 64), (64, 1)], ids=str)
@pytest.mark.parametrize("gates", [("cbam", "ag"), ("scse", "focus")], ids="+".join)
@pytest.mark.parametrize("host", TAKING)
def test_a_host_that_takes_an_image_with_a_short_side_takes_it_with_attention(
    host: str, gates: tuple[str, str], size: tuple[int, int]
) -> None:
    images = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(0))
    plain, network = copy_host(host, 2).eval(), copy_host(host, 2).eval()
    expected = plain(images)
    instrument(network, gates, candidates=host_sites(host, 2))
    attended = network(images)
    assert attended.shape == expected.shape
    assert torch.isfinite(attended).all()
    attended.sum().backward()
    assert all(gamma.grad is not None and torch.isfinite(gamma.grad) for gamma in gamma_parameters(network))
    if host in {"monai:SegResNet", "sequential"}:  # the others have gates of their own, which gamma 0 opens
        for gamma in gamma_parameters(network):
            torch.nn.init.zeros_(gamma)
        assert torch.equal(network(images), expected)
