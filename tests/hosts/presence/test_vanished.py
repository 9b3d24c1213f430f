"""Sites whose modules were replaced, fused, converted or robbed of their hooks: whoever asks next is told which."""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from focalseg.errors import SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites, reattach_attention
from focalseg.hosts.costs import measure_costs
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.hosts.pruning import remove_attention
from focalseg.hosts.weights import save_attention
from focalseg.placement.evidence import gather_evidence
from hosts.host_table import HOSTS, copy_host, host_sites

IMAGE_SHAPE = (2, 8, 8)


class Net(nn.Module):
    """Two blocks, and a skip whose gating signal passes elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.up = nn.Upsample(scale_factor=2)
        self.join = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.fine(image)
        raised = self.up(self.coarse(fine))
        logits: Tensor = self.join(torch.cat([raised, fine], dim=1))
        return logits


SKIP = {"skip": ("join:0[4:]", "coarse.1")}


def plain() -> Net:
    torch.manual_seed(0)
    network = Net().eval()
    with torch.no_grad():
        for module in (network.fine[1], network.coarse[1]):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    return network


def filled() -> Net:
    """Sites on both batch norms, and the skip, steered by the second norm."""
    network = plain()
    candidates = sites(network, IMAGE_SHAPE, stages=("fine.1", "coarse.1"), skips=SKIP)
    torch.manual_seed(1)
    instrument(network, ("se", "ag"), candidates=candidates)
    return network


def image() -> Tensor:
    return torch.randn(2, *IMAGE_SHAPE, generator=torch.Generator().manual_seed(2))


def convert(network: Net) -> Net:
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)


def set_attribute(network: Net) -> Net:
    network.fine = nn.Sequential(*copy.deepcopy(plain().fine))
    return network


def set_item(network: Net) -> Net:
    network.fine[1] = plain().fine[1]
    return network


def wrap(network: Net) -> Net:
    """As adapters do: another module around the old one, which adds something of its own."""
    network.fine[1] = nn.Sequential(network.fine[1], nn.Conv2d(4, 4, 1))
    return network


def delete(network: Net) -> Net:
    del network.fine[1]
    return network


def clear_hooks(network: Net) -> Net:
    network.fine[1]._forward_hooks.clear()
    return network


def clear_every_hook(network: Net) -> Net:
    for module in network.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return network


def replace_hooks(network: Net) -> Net:
    network.fine[1]._forward_hooks = copy.copy(network.fine[1]._forward_hooks)
    return network


def fuse(network: Net) -> Net:
    return torch.ao.quantization.fuse_modules(network, [["fine.0", "fine.1", "fine.2"]])


def fuse_conv_and_norm(network: Net) -> Net:
    network.fine[0] = nn.utils.fusion.fuse_conv_bn_eval(network.fine[0], network.fine[1])
    network.fine[1] = nn.Identity()
    return network


def replace_site(network: Net) -> Net:
    network.focal_attention.add_module("fine/1", nn.Identity())
    return network


def replace_signal(network: Net) -> Net:
    """The module where the gating signal of the skip passes, whose own site is taken out first."""
    network.coarse[1] = plain().coarse[1]
    return network


REPLACED = "fine.1 was replaced by a new"
DAMAGES: dict[str, tuple[Callable[[Net], Net], dict[str, str]]] = {
    "converted": (
        convert,
        {
            "fine.1": f"{REPLACED} SyncBatchNorm",
            "coarse.1": "coarse.1 was replaced by a new SyncBatchNorm",
            "skip": "coarse.1 was replaced by a new SyncBatchNorm",
        },
    ),
    "set attribute": (set_attribute, {"fine.1": f"{REPLACED} BatchNorm2d"}),
    "set item": (set_item, {"fine.1": f"{REPLACED} BatchNorm2d"}),
    "wrapped with something of its own": (wrap, {"fine.1": f"{REPLACED} Sequential"}),
    "deleted": (delete, {"fine.1": f"{REPLACED} ReLU"}),
    "hooks cleared": (clear_hooks, {"fine.1": "the hooks of fine.1 were taken away"}),
    "hooks replaced": (replace_hooks, {"fine.1": f"{REPLACED} BatchNorm2d"}),
    "fused": (fuse, {"fine.1": f"{REPLACED} Identity"}),
    "fused by hand": (fuse_conv_and_norm, {"fine.1": f"{REPLACED} Identity"}),
    "site replaced": (replace_site, {"fine.1": "focal_attention.fine/1 was replaced by a new Identity"}),
    "signal": (
        replace_signal,
        {
            "coarse.1": "coarse.1 was replaced by a new BatchNorm2d",
            "skip": "coarse.1 was replaced by a new BatchNorm2d",
        },
    ),
}
EACH_DAMAGE = pytest.mark.parametrize("name", [name for name in DAMAGES if name != "deleted"])


def message_of(losses: dict[str, str]) -> str:
    reasons = "; ".join(f"{name} ({reason})" for name, reason in losses.items())
    return (
        f"Attention no longer acts at {reasons}. Put it onto the modules that are there now with "
        "focalseg.reattach_attention(network), or take it out with focalseg.remove_attention(network). "
        "Replace, fuse or convert modules before attention is put in."
    )


def asks(network: nn.Module, folder: Path) -> dict[str, Callable[[], object]]:
    """Everything that a network with attention is asked for."""
    images, masks = image(), torch.zeros(2, 8, 8, dtype=torch.bool)
    return {
        "pass": lambda: network(images),
        "pass in training": lambda: network.train()(images),
        "copy": lambda: copy.deepcopy(network),
        "running average": lambda: torch.optim.swa_utils.AveragedModel(network),
        "pickle": lambda: pickle.dumps(network),
        "save": lambda: torch.save(network, io.BytesIO()),
        "state": network.state_dict,
        "state of a whole": lambda: nn.ModuleDict({"inner": network}).state_dict(),
        "gammas": lambda: read_gammas(network),
        "gamma parameters": lambda: gamma_parameters(network),
        "attention sites": lambda: attention_sites(network),
        "filled sites": lambda: filled_sites(network),
        "sites": lambda: sites(network, IMAGE_SHAPE, stages=("fine.1",)),
        "save attention": lambda: save_attention(network, folder),
        "costs": lambda: measure_costs(network, IMAGE_SHAPE),
        "evidence": lambda: gather_evidence(network, [(images, masks)]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DAMAGES, "every hook cleared"])
def test_whoever_asks_first_is_told_which_site_no_longer_acts_and_why(name: str, tmp_path: Path) -> None:
    damage, losses = DAMAGES.get(name, (clear_every_hook, {}))
    network = filled()
    alive = list(network.modules())  # what was replaced lives on elsewhere
    network = damage(network)
    losses = losses or dict.fromkeys(("fine.1", "coarse.1", "skip"), "")
    told, silent = set(), []
    for asked, ask in asks(network, tmp_path).items():
        if name == "every hook cleared" and asked.startswith("pass"):
            continue  # nothing of ours runs in such a pass
        try:
            ask()
        except SiteError as error:
            told.add(str(error))
        else:
            silent.append(asked)
    assert silent == []
    assert len(told) == 1
    if name in DAMAGES:
        assert told == {message_of(losses)}
    assert all(site in next(iter(told)) for site in losses)
    assert alive


@EACH_DAMAGE
def test_attention_is_put_onto_the_modules_that_are_there_now(name: str) -> None:
    network = DAMAGES[name][0](filled())
    if name == "site replaced":
        with pytest.raises(SiteError, match="no attention of ours"):
            reattach_attention(network)
        return
    assert reattach_attention(network) == ("fine.1", "coarse.1", "skip")
    assert read_gammas(network) == {"fine.1": 1.0, "coarse.1": 1.0, "skip": 1.0}
    found = network(image())
    again = copy.deepcopy(network)
    assert torch.equal(again(image()), found)
    for gamma in gamma_parameters(network):
        nn.init.constant_(gamma, 3.0)
        assert not torch.equal(network(image()), found)
        nn.init.constant_(gamma, 1.0)
    if name not in {"fused", "fused by hand", "wrapped with something of its own"}:
        assert torch.allclose(found, filled()(image()), atol=1e-6)


@EACH_DAMAGE
def test_attention_is_taken_out_and_what_is_left_is_the_host_with_that_damage_alone(name: str) -> None:
    torch.manual_seed(3)
    network = DAMAGES[name][0](filled())
    remove_attention(network)
    assert read_gammas(network) == {}
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    torch.manual_seed(3)
    expected = plain() if name == "site replaced" else DAMAGES[name][0](plain())
    if name != "wrapped with something of its own":
        assert torch.allclose(network(image()), expected(image()), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_in_every_host_the_site_whose_module_was_replaced_is_named(host: str) -> None:
    candidates = host_sites(host, 2)
    images = HOSTS[host].images(2)
    network = copy_host(host, 2).eval()
    instrument(network, ("cbam", "ag"), candidates=candidates)
    whole = copy.deepcopy(network)
    assert torch.equal(whole(images), network(images))
    for name, (site, _) in filled_sites(network).items():
        path = site.ports[0].path
        broken, donor = copy.deepcopy(network), copy_host(host, 2).eval()
        old, new = broken.get_submodule(path), donor.get_submodule(path)
        for alias in [alias for alias, module in broken.named_modules(remove_duplicate=False) if module is old]:
            broken.set_submodule(alias, new)  # DynUNet keeps its blocks under several names
        for ask in (broken, read_gammas, copy.deepcopy, nn.Module.state_dict):
            with pytest.raises(SiteError, match=r"Attention no longer acts at ") as raised:
                ask(images) if ask is broken else ask(broken)
            assert f"{name} ({path} was replaced by a new " in str(raised.value)
        reattach_attention(broken)
        assert torch.allclose(broken(images), network(images), atol=1e-6)


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))], ids=["copy", "file"])
def test_copies_and_files_watch_over_their_own_modules(carry: Callable[[Net], Net]) -> None:
    network = filled()
    other = carry(network)
    other.fine[1] = plain().fine[1]
    with pytest.raises(SiteError, match="no longer acts at fine.1"):
        other.state_dict()
    network.state_dict()
    assert torch.equal(network(image()), filled()(image()))


def test_the_container_by_itself_can_be_copied_and_saved() -> None:
    container = filled().focal_attention
    assert list(copy.deepcopy(container).standing()) == ["fine.1", "coarse.1", "skip"]
    assert list(container.state_dict()) == list(copy.deepcopy(container).state_dict())


def test_nothing_is_put_back_where_a_module_is_gone() -> None:
    network = filled()
    network.fine = nn.Sequential(network.fine[0])
    with pytest.raises(SiteError, match=r"fine.1 \(there is no module fine.1 any more\)"):
        read_gammas(network)
    with pytest.raises(SiteError, match="No module named 'fine.1'"):
        reattach_attention(network)
    with pytest.raises(SiteError, match="no attention to put back"):
        reattach_attention(plain())
    remove_attention(network)
    assert read_gammas(network) == {}
