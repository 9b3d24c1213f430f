"""Wrappers that hand everything through are seen through; parts, and what was taken elsewhere with its hooks, are named."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing, checkpoint_wrapper
from torch.optim.swa_utils import AveragedModel

from focalseg.attention.focal_site import FocalSite
from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.hosts.pruning import disable_attention

GAMMAS = {"1": 1.0, "4": 1.0}


def build() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.Conv2d(4, 1, 1),
    )
    instrument(network, ("se",), candidates=sites(network, (2, 8, 8), stages=("1", "4")))
    return network.eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def wrap_a_part(wrapper: Callable[[nn.Module], nn.Module]) -> Callable[[nn.Sequential], nn.Module]:
    def apply(network: nn.Sequential) -> nn.Module:
        network[1] = wrapper(network[1])
        return network

    return apply


def checkpoint_sites(network: nn.Sequential) -> nn.Module:
    apply_activation_checkpointing(network, check_fn=lambda module: isinstance(module, FocalSite))
    return network


WRAPPERS: dict[str, Callable[[nn.Sequential], nn.Module]] = {
    "data parallel": nn.DataParallel,
    "running average": AveragedModel,
    "running average of data parallel": lambda network: AveragedModel(nn.DataParallel(network)),
    "checkpoint": checkpoint_wrapper,
    "compile": lambda network: torch.compile(network, backend="eager"),
    "a part, checkpoint": wrap_a_part(checkpoint_wrapper),
    "a part, compile": wrap_a_part(lambda module: torch.compile(module, backend="eager")),
    "sites, checkpoint": checkpoint_sites,
}


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch.compile, for a part that others feed
@pytest.mark.slow
@pytest.mark.parametrize("name", WRAPPERS)
def test_through_a_wrapper_sites_are_listed_act_train_and_are_switched(name: str, image: Tensor) -> None:
    torch.compiler.reset()
    plain = build()
    expected = plain(image)
    expected.sum().backward()
    wrapped = WRAPPERS[name](build())
    assert read_gammas(wrapped) == GAMMAS
    found = wrapped(image)
    assert torch.allclose(found, expected, atol=1e-6)
    found.sum().backward()
    slopes = [gamma.grad for gamma in gamma_parameters(wrapped)]
    assert [slope is not None for slope in slopes] == [True, True]
    assert torch.allclose(torch.stack(slopes), torch.stack([gamma.grad for gamma in gamma_parameters(plain)]), atol=1e-5)
    disable_attention(wrapped)
    disable_attention(plain)
    assert torch.allclose(wrapped(image), plain(image), atol=1e-6)
    torch.compiler.reset()


def test_attention_is_not_put_into_a_running_average_which_would_not_follow() -> None:
    averaged = AveragedModel(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU()))
    candidates = sites(averaged.module, (2, 8, 8), stages=("1",))
    with pytest.raises(SiteError) as raised:
        instrument(averaged, ("se",), candidates=candidates)
    assert str(raised.value) == (
        "The network is an AveragedModel, the running average of another network that would lack the new weights; "
        "put attention into that one before averaging it."
    )


def test_a_copy_that_data_parallel_makes_for_another_device_is_refused(image: Tensor) -> None:
    with pytest.raises(SiteError) as raised:
        build()._replicate_for_data_parallel()(image)
    assert str(raised.value) == (
        "DataParallel copies the network, and the hooks of 1, 4 would use the weights of the first device; "
        "use DistributedDataParallel."
    )


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """One process that is a group of its own."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FSDP is switching:UserWarning")
@pytest.mark.usefixtures("process_group")
def test_sharding_refuses_an_exponent_by_its_name() -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    with pytest.raises(ValueError, match="focal_attention.1.gamma"):
        FullyShardedDataParallel(build(), device_id=torch.device("cpu"))
    with pytest.raises(ValueError, match="gamma"):
        fully_shard(build())


def test_a_whole_around_a_network_with_attention_names_the_part() -> None:
    whole = nn.ModuleDict({"inner": build(), "other": nn.ReLU()})
    for ask in (read_gammas, attention_sites, gamma_parameters):
        with pytest.raises(SiteError) as raised:
            ask(whole)
        assert str(raised.value) == (
            "Attention stands in a part of this ModuleDict, inner, and not in it; give that part, network.inner."
        )
    assert read_gammas(whole["inner"]) == GAMMAS


@pytest.mark.parametrize(
    "take", [lambda network: network[:3], lambda network: nn.Sequential(*network.children()), torch.fx.symbolic_trace]
)
def test_what_was_taken_from_a_network_with_its_hooks_but_not_its_weights_is_named(
    take: Callable[[nn.Sequential], nn.Module],
) -> None:
    part = take(build())
    with pytest.raises(
        SiteError, match=r"The site 1 acts at 1, but its weights are not in this \w+ \(network.focal_attention\)"
    ):
        read_gammas(part)


@pytest.mark.parametrize("lose", ["deleted", "set to nothing"])
def test_a_container_that_is_lost_while_hooks_act_is_missed(lose: str, image: Tensor) -> None:
    network = build()
    container = network.focal_attention
    if lose == "deleted":
        del network.focal_attention
    else:
        network.focal_attention = None
    with pytest.raises(SiteError) as raised:
        network(image)
    assert str(raised.value) == (
        "network.focal_attention was taken away or replaced while the hooks of 1, 4 still act, with weights that are no longer "
        "the network's. Put it back, and take attention out with remove_attention(network)."
    )
    with pytest.raises(SiteError, match="The site 1 acts at 1"):
        read_gammas(network)
    network.focal_attention = container
    assert read_gammas(network) == GAMMAS


def test_a_network_without_attention_has_no_sites_to_list() -> None:
    assert read_gammas(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU())) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nor_has_one_that_torchscript_compiled(image: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU())
    for compiled in (torch.jit.script(network), torch.jit.trace(network, image)):
        assert read_gammas(compiled) == read_gammas(nn.Sequential(compiled)) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_network_holds_the_attention(image: Tensor) -> None:
    network = build()
    traced = torch.jit.trace(network, image)
    assert torch.allclose(traced(image.flip(0)), network(image.flip(0)), atol=1e-6)
    assert {name for name, _ in traced.named_parameters() if name.endswith("gamma")} == {
        "focal_attention.1.gamma",
        "focal_attention.4.gamma",
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_network_is_refused_by_torch() -> None:
    with pytest.raises(Exception, match="attention|hook|Comprehension|not supported"):
        torch.jit.script(build())


def test_over_a_batch_of_networks_and_of_images_the_logits_are_the_same(image: Tensor) -> None:
    network = build()
    expected = network(image)
    assert torch.allclose(torch.vmap(lambda one: network(one[None])[0])(image), expected, atol=1e-6)
    weights, buffers = torch.func.stack_module_state([network, build()])
    found = torch.vmap(lambda w, b: torch.func.functional_call(network, (w, b), (image,)))(weights, buffers)
    assert torch.allclose(found, torch.stack([expected, expected]), atol=1e-6)


def test_weights_of_the_host_that_are_parametrised_or_quantised_leave_the_sites_in_place(image: Tensor) -> None:
    network = build()
    expected = network(image)
    nn.utils.parametrizations.weight_norm(network[0])
    assert torch.allclose(network(image), expected, atol=1e-6)
    assert read_gammas(network) == GAMMAS
