"""Freezing the host and thawing it again: exactly what was changed is undone, whatever happens in between."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from focalseg.errors import SiteError
from focalseg.hosts.dead_sites import find_dead_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.freezing import freeze_host, unfreeze_host
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.presence.container import CONTAINER
from focalseg.hosts.pruning import remove_attention
from focalseg.networks.unet import UNet
from focalseg.placement.applying import apply_placement
from focalseg.placement.evidence import gather_evidence
from focalseg.records.placement import Placement

BuildUNet = Callable[..., UNet]


@pytest.fixture
def network(build_unet: BuildUNet) -> UNet:
    network = build_unet().train()
    instrument(network)
    return network


def trainable(network: nn.Module) -> list[str]:
    return [name for name, weight in network.named_parameters() if weight.requires_grad]


def training_norms(network: nn.Module) -> list[bool]:
    return [module.training for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def test_a_frozen_host_trains_what_was_added_and_nothing_else_however_often_train_is_called(network: UNet) -> None:
    freeze_host(network)
    assert all(name.startswith(f"{CONTAINER}.") for name in trainable(network))
    assert not any(training_norms(network))
    network.eval()
    network.train()
    assert not any(training_norms(network))
    assert network.training
    unfreeze_host(network)
    assert len(trainable(network)) == len(list(network.parameters()))
    assert all(training_norms(network))


def test_norms_that_came_in_the_place_of_frozen_ones_stay_frozen_too(network: UNet) -> None:
    freeze_host(network)
    network = nn.SyncBatchNorm.convert_sync_batchnorm(network).train()
    norms = [module for module in network.modules() if isinstance(module, nn.SyncBatchNorm)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert network.training
    assert all(name.startswith(f"{CONTAINER}.") for name in trainable(network))
    unfreeze_host(network)
    assert all(norm.training for norm in norms)


def test_thawing_in_evaluation_leaves_the_network_in_evaluation(network: UNet) -> None:
    freeze_host(network)
    network.eval()
    unfreeze_host(network)
    assert not any(module.training for module in network.modules())
    network.train()
    assert all(training_norms(network))


def test_a_host_frozen_in_evaluation_follows_its_batches_again_once_it_is_thawed_and_trains(network: UNet) -> None:
    freeze_host(network.eval())
    network.train()
    assert not any(training_norms(network))
    unfreeze_host(network)
    assert all(training_norms(network))


def test_attention_that_is_put_in_later_trains_too(build_unet: BuildUNet) -> None:
    network = build_unet()
    instrument(network, gates=("se",))
    freeze_host(network)
    instrument(network, gates=("ag",))
    assert {name.split(".")[1] for name in trainable(network)} >= {"skip/0", "skip/1", "bottleneck"}
    assert not any(training_norms(network))


def test_removing_attention_thaws_the_host(network: UNet) -> None:
    freeze_host(network)
    remove_attention(network)
    assert len(trainable(network)) == len(list(network.parameters()))
    assert all(training_norms(network))


def test_a_lean_network_is_frozen_as_the_one_it_was_made_of_and_thaws_by_itself(network: UNet) -> None:
    freeze_host(network)
    bare = apply_placement(network, Placement(policy="by hand", sites=()))
    assert len(trainable(bare)) == len(list(bare.parameters()))
    assert all(training_norms(bare))
    assert not any(training_norms(network))
    assert all(name.startswith(f"{CONTAINER}.") for name in trainable(network))


def test_the_copy_of_a_frozen_network_is_thawed_apart_from_it(network: UNet) -> None:
    freeze_host(network)
    twin = copy.deepcopy(network)
    unfreeze_host(twin)
    assert len(trainable(twin)) == len(list(twin.parameters()))
    assert all(training_norms(twin))
    assert all(name.startswith(f"{CONTAINER}.") for name in trainable(network))
    assert not any(training_norms(network))


def test_evidence_and_dead_sites_of_a_frozen_host_are_those_of_a_host_that_is_not(
    network: UNet, draw_images: Callable[..., torch.Tensor]
) -> None:
    images = draw_images()
    batches, candidates = [(images, images[:, 0] > 0)], sites(network)
    expected = gather_evidence(network, batches)
    freeze_host(network)
    assert gather_evidence(network, batches) == expected
    assert not any(training_norms(network))
    assert find_dead_sites(network, candidates=candidates, image_shape=tuple(images.shape[1:])) == {}


def test_a_plain_or_frozen_host_is_not_frozen_and_an_unfrozen_one_not_thawed(build_unet: BuildUNet) -> None:
    plain = build_unet()
    with pytest.raises(SiteError) as raised:
        freeze_host(plain)
    assert str(raised.value) == "The network has no attention to train alone; call instrument(network) first."
    fill_sites(plain, {"bottleneck": "se"})
    for _ in range(2):
        with pytest.raises(SiteError) as raised:
            unfreeze_host(plain)
        assert str(raised.value) == "The host is not frozen; there is nothing to undo."
    freeze_host(plain)
    with pytest.raises(SiteError) as raised:
        freeze_host(plain)
    assert str(raised.value) == "The host is frozen already; call unfreeze_host(network) before freezing it anew."
