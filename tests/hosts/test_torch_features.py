"""Attention beside what torch offers: compile, export, autocast, half precision, memory formats, DDP and checkpointing."""

import copy
import functools
import gc
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.freezing import freeze_host, unfreeze_host
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.hosts.pruning import disable_attention, enable_attention, open_own_gates, remove_attention
from focalseg.hosts.weights import load_attention, save_attention
from focalseg.networks.unet import UNet
from hosts.host_table import HOSTS, copy_host, host_sites

pytestmark = pytest.mark.slow

EACH_HOST = pytest.mark.parametrize("host", list(HOSTS))
COMPILED = ["monai:SegResNet", "monai:AttentionUnet", "nnunet:PlainConvUNet", "hand-written"]
"""Sites on what a host adds, on own gates, on arguments and on channels; our U-Net is compiled below. BasicUNet is for no
full graph, with attention or without: it asks torch.jit what it is called with."""


def filled(host: str, *, gamma: float | None = None) -> nn.Module:
    """The host in 2-D with attention everywhere, in evaluation mode."""
    network = copy_host(host, 2).eval()
    torch.manual_seed(1)
    instrument(network, candidates=host_sites(host, 2))
    for exponent in gamma_parameters(network) if gamma is not None else ():
        nn.init.constant_(exponent, gamma)
    return network


def opened(host: str) -> nn.Module:
    """The host in evaluation mode, with the gates that it brought along open."""
    network = copy_host(host, 2).eval()
    open_own_gates(network, host_sites(host, 2))
    return network


def gradients(network: nn.Module, run: Callable[[], Tensor]) -> dict[str, Tensor]:
    network.zero_grad()
    run().square().mean().backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}


@pytest.fixture
def compiled() -> Iterator[Callable[[nn.Module], nn.Module]]:
    """Compiles a network whole; aot_eager traces all that inductor would, and takes no C compiler."""
    torch._dynamo.reset()
    yield functools.partial(torch.compile, fullgraph=True, backend="aot_eager")
    torch._dynamo.reset()


@pytest.mark.parametrize("host", COMPILED)
def test_a_compiled_network_gives_the_logits_and_the_gradients_of_the_eager_one(
    host: str, compiled: Callable[[nn.Module], nn.Module]
) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    faster = compiled(network)
    expected, slopes = network(images), gradients(network, lambda: network(images))
    scale = float(expected.detach().abs().max())
    assert torch.allclose(faster(images), expected, rtol=1e-5, atol=1e-5 * scale)
    found = gradients(network, lambda: faster(images))
    assert found.keys() == slopes.keys()
    largest = max(float(slope.abs().max()) for slope in slopes.values())
    assert [
        name for name, slope in slopes.items() if not torch.allclose(found[name], slope, rtol=1e-3, atol=1e-5 * largest)
    ] == []
    assert all(gamma.grad is not None and gamma.grad != 0 for gamma in gamma_parameters(faster))
    assert read_gammas(faster) == read_gammas(network)


def test_what_is_done_to_attention_after_compiling_takes_effect(compiled: Callable[[nn.Module], nn.Module]) -> None:
    host = "unet"
    network, plain, images = filled(host), copy_host(host, 2).eval(), HOSTS[host].images(2)
    faster = compiled(network)
    with torch.no_grad():
        attended, expected = faster(images), plain(images)
        disable_attention(faster)
        assert torch.allclose(faster(images), expected, atol=1e-6)
        enable_attention(faster)
        assert torch.allclose(faster(images), attended, atol=1e-6)
        for gamma in gamma_parameters(faster):
            gamma.zero_()
        assert torch.allclose(faster(images), expected, atol=1e-6)
        remove_attention(faster)
        assert torch.allclose(faster(images), expected, atol=1e-6)
        instrument(faster, gates=("spatial",))
        assert len(attention_sites(faster)) == 5
        assert torch.allclose(faster(images), network(images), atol=1e-6)
        assert not torch.allclose(faster(images), expected, atol=1e-3)


@EACH_HOST
def test_an_exported_program_gives_the_same_logits(host: str) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    expected = network(images)
    program = torch.export.export(network, (images,))
    assert torch.allclose(program.module()(images), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(network(images), expected)


@EACH_HOST
def test_under_autocast_gamma_zero_is_the_host_to_the_bit_and_gamma_one_is_near_the_float32_network(host: str) -> None:
    images, plain = HOSTS[host].images(2), opened(host)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        closed, expected = filled(host, gamma=0.0)(images), plain(images)
        attended = filled(host, gamma=1.0)(images)
    assert torch.equal(closed, expected)
    assert attended.dtype == expected.dtype == torch.bfloat16
    exact = filled(host, gamma=1.0)(images)
    assert float((attended.float() - exact).detach().abs().max()) < 0.1 * float(exact.detach().abs().max())


@EACH_HOST
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_gamma_zero_is_the_host_to_the_bit_and_gradients_are_finite(host: str, dtype: torch.dtype) -> None:
    images, plain = HOSTS[host].images(2).to(dtype), opened(host).to(dtype)
    assert torch.equal(filled(host, gamma=0.0).to(dtype)(images), plain(images))
    network = filled(host, gamma=1.0).to(dtype)
    slopes = gradients(network, lambda: network(images))
    assert network(images).dtype == dtype
    assert [name for name, slope in slopes.items() if not torch.isfinite(slope).all()] == []
    assert {gamma.dtype for gamma in gamma_parameters(network)} == {dtype}


@EACH_HOST
def test_in_channels_last_the_logits_and_their_memory_format_are_those_of_the_host(host: str) -> None:
    images = HOSTS[host].images(2).to(memory_format=torch.channels_last)
    plain = opened(host).to(memory_format=torch.channels_last)
    closed, expected = filled(host, gamma=0.0).to(memory_format=torch.channels_last)(images), plain(images)
    attended = filled(host).to(memory_format=torch.channels_last)(images)
    assert torch.equal(closed, expected)
    assert closed.stride() == attended.stride() == expected.stride()


@EACH_HOST
def test_checkpointing_the_whole_network_changes_no_gradient(host: str) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    expected = gradients(network, lambda: network(images))
    found = gradients(network, lambda: checkpoint(network, images, use_reentrant=False))
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


class Checkpointed(UNet):
    """A U-Net that runs every stage twice to save memory."""

    def forward(self, image: Tensor) -> Tensor:
        skips, features = [], image
        for stage in self.encoder:
            features = checkpoint(stage, features, use_reentrant=False)
            skips.append(features)
            features = self.pool(features)
        features = checkpoint(self.bottleneck, features, use_reentrant=False)
        for level in reversed(range(len(skips))):
            skip = checkpoint(self.skip[level], skips[level], features, use_reentrant=False)
            raised = nn.functional.interpolate(self.up[level](features), size=skip.shape[2:], mode="nearest-exact")
            features = checkpoint(self.decoder[level], torch.cat([skip, raised], dim=1), use_reentrant=False)
        logits: Tensor = self.head(features)
        return logits


def test_checkpointing_every_stage_and_skip_changes_no_gradient() -> None:
    torch.manual_seed(0)
    network = UNet(in_channels=2, widths=(4, 6, 8), norm="group")
    sparing = Checkpointed(in_channels=2, widths=(4, 6, 8), norm="group")
    instrument(network)
    instrument(sparing)
    sparing.load_state_dict(network.state_dict())
    images = HOSTS["unet"].images(2)
    expected, found = gradients(network, lambda: network(images)), gradients(sparing, lambda: sparing(images))
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


@pytest.fixture
def process_group() -> Iterator[None]:
    """One process that is a group of its own."""
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=0, world_size=1)
        yield
        dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("host", ["unet", "monai:SegResNet", "own gate"])
def test_a_training_step_under_ddp_is_that_of_the_network_alone(host: str, tmp_path: Path) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    alone = copy.deepcopy(network)
    wrapped = DistributedDataParallel(network)
    for one in (wrapped, alone):
        optimiser = torch.optim.SGD(one.parameters(), lr=0.1)
        one(images).square().mean().backward()
        optimiser.step()
    assert read_gammas(wrapped) == read_gammas(alone)
    assert list(attention_sites(wrapped)) == list(attention_sites(alone))
    assert any(gamma != 1 for gamma in read_gammas(wrapped).values())
    disable_attention(wrapped)
    expected = copy_host(host, 2).eval()
    expected.load_state_dict(alone.state_dict(), strict=False)
    assert torch.equal(wrapped(images), expected(images))
    enable_attention(wrapped)
    freeze_host(wrapped)
    unfreeze_host(wrapped)
    save_attention(wrapped, tmp_path)
    load_attention(expected, tmp_path)
    assert torch.equal(wrapped(images), expected(images))


@pytest.mark.usefixtures("process_group")
def test_attention_is_not_put_into_a_network_that_ddp_already_keeps_in_step(tmp_path: Path) -> None:
    host = "unet"
    save_attention(filled(host), tmp_path)
    wrapped = DistributedDataParallel(copy_host(host, 2))
    for put in (lambda: instrument(wrapped, candidates=host_sites(host, 2)), lambda: load_attention(wrapped, tmp_path)):
        with pytest.raises(SiteError) as raised:
            put()
        assert str(raised.value) == (
            "The network is wrapped in DistributedDataParallel, which would not keep new weights in step; "
            "put attention in before wrapping it."
        )
        assert attention_sites(wrapped) == {}


@pytest.mark.parametrize("host", [host for host, built in HOSTS.items() if built.picklable])
def test_a_whole_network_goes_to_a_file_and_back_with_its_attention(host: str, tmp_path: Path) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    expected = network(images)
    torch.save(network, tmp_path / "network.pt")
    again = torch.load(tmp_path / "network.pt", weights_only=False)
    assert torch.equal(again(images), expected)
    remove_attention(again)
    assert torch.equal(network(images), expected)


@EACH_HOST
def test_weights_given_for_one_call_and_averaged_networks_carry_the_attention_along(host: str) -> None:
    network, images = filled(host), HOSTS[host].images(2)
    closed = {name: weight * 0 if name.endswith("gamma") else weight for name, weight in network.named_parameters()}
    assert torch.equal(torch.func.functional_call(network, closed, (images,)), opened(host)(images))
    averaged = AveragedModel(network)
    assert torch.equal(averaged(images), network(images))
    with torch.no_grad():
        for gamma in gamma_parameters(averaged.module):
            gamma.add_(1)
    assert not torch.equal(averaged(images), network(images))


def checkpoint_decoder(network: nn.Module) -> None:
    """From now on a SegResNet's decoder, whose sites read off its encoder, is run again in the backward pass."""

    def forward(image: Tensor) -> Tensor:
        features, skips = network.encode(image)
        return checkpoint(network.decode, features, skips[::-1], use_reentrant=False)

    network.forward = forward


def slopes(network: nn.Module, *images: Tensor) -> dict[str, Tensor]:
    network.zero_grad()
    sum(network(image).square().sum() for image in images).backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}


def test_a_checkpointed_part_that_reads_from_another_place_gives_the_same_gradients_pass_by_pass() -> None:
    network, image = filled("monai:SegResNet"), HOSTS["monai:SegResNet"].images(2)
    expected = slopes(network, image), slopes(network, image.flip(0))
    checkpoint_decoder(network)
    for one, wanted in zip((image, image.flip(0)), expected, strict=True):
        found = slopes(network, one)
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_checkpointed_parts_give_the_same_gradients_where_another_thread_runs_backward() -> None:
    """As it is on a GPU; encoder and decoder each leave there what the other's next pass must not take for its own."""
    network, image = filled("monai:SegResNet"), HOSTS["monai:SegResNet"].images(2)
    expected = [slopes(network, one) for one in (image, image.flip(0), 2 * image)]

    def forward(image: Tensor) -> Tensor:
        features, skips = checkpoint(network.encode, image, use_reentrant=False)
        return checkpoint(network.decode, features, skips[::-1], use_reentrant=False)

    network.forward = forward
    with ThreadPoolExecutor(1) as backward:
        for one, wanted in zip((image, image.flip(0), 2 * image), expected, strict=True):
            network.zero_grad()
            backward.submit(network(one).square().sum().backward).result()
            found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
            assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_two_passes_before_a_backward_are_refused_where_a_checkpointed_part_reads_from_another_place() -> None:
    network, image = filled("monai:SegResNet"), HOSTS["monai:SegResNet"].images(2)
    checkpoint_decoder(network)
    with pytest.raises(SiteError, match=r"run again by gradient checkpointing, .* there from 2 forward passes; run backward"):
        slopes(network, image, image.flip(0))


def test_two_passes_before_a_backward_are_right_without_checkpoints() -> None:
    network, image = filled("monai:SegResNet").double(), HOSTS["monai:SegResNet"].images(2).double()
    both, first, second = slopes(network, image, 2 * image), slopes(network, image), slopes(network, 2 * image)
    for name in both:
        assert torch.allclose(both[name], first[name] + second[name], rtol=1e-9, atol=1e-12), name


def test_what_is_kept_for_a_site_elsewhere_does_not_outlive_its_graph() -> None:
    network = filled("monai:SegResNet")
    output = network(HOSTS["monai:SegResNet"].images(2))
    captures = [capture for kept in network.focal_attention.captures.values() for capture in kept]
    assert captures
    assert not any(capture.current for capture in captures)
    assert all(any(ended() is not None for ended in capture.ended) for capture in captures)
    del output
    gc.collect()
    assert all(ended() is None for capture in captures for ended in capture.ended)


def test_threads_do_not_see_what_passes_in_one_another() -> None:
    network = filled("monai:SegResNet")
    images = [HOSTS["monai:SegResNet"].images(2) * scale for scale in (0.1, 1.0, 3.0, 10.0)]

    @torch.no_grad()
    def run(image: Tensor) -> Tensor:
        return network(image)

    expected = [run(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(8):
            assert all(torch.equal(found, wanted) for found, wanted in zip(pool.map(run, images), expected, strict=True))
