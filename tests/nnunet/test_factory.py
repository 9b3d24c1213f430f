"""The network that nnU-Net's plans name: the stock network with gates, which nnU-Net's own steps leave as they are."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from focalseg.attention.focal_site import AttentionSite
from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.gammas import read_gammas
from focalseg.nnunet.factory import BUILD, HostInitialisation, build
from focalseg.records.placement import SHUT
from nnunet.architectures import KINDS, SIZES, build_as_nnunet, describe

LAYOUT = {
    "encoder.0": "cbam",
    "encoder.2": "scse",
    "bottleneck": "se",
    "skip.0": "ag",
    "skip.1": "focus",
    "decoder.0": "spatial",
}
GAMMAS = {"encoder.0": 0.5, "bottleneck": 1.5, "skip.0": 0.25}
EVERY = pytest.mark.parametrize(("kind", "axes"), [(kind, axes) for kind in KINDS for axes in SIZES])
Images = Callable[[int], Tensor]


def focal(kind: str, axes: int, *, attention: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """The same architecture as `describe` has it, with gates."""
    stock = describe(kind, axes)
    added = {"host": stock["network_class_name"], "attention": LAYOUT if attention is None else attention, **changes}
    return {**stock, "network_class_name": BUILD, "arch_kwargs": {**stock["arch_kwargs"], **added}}


def images(axes: int) -> Tensor:
    return torch.randn(2, 2, *SIZES[axes], generator=torch.Generator().manual_seed(0))


def as_list(output: Any) -> list[Tensor]:
    return list(output) if isinstance(output, list | tuple) else [output]


@EVERY
def test_gates_stand_at_the_placed_sites_with_their_exponents(kind: str, axes: int) -> None:
    network = build_as_nnunet(focal(kind, axes, gammas=GAMMAS))
    assert {name: gate for name, (_, gate) in filled_sites(network).items()} == LAYOUT
    assert read_gammas(network) == {**dict.fromkeys(LAYOUT, 1.0), **GAMMAS}
    assert kind in type(network).__name__
    assert network.compute_conv_feature_map_size(SIZES[axes]) == build_as_nnunet(
        describe(kind, axes)
    ).compute_conv_feature_map_size(SIZES[axes])


@EVERY
@pytest.mark.parametrize("deep_supervision", [None, False, True])
def test_with_every_gamma_zero_it_is_the_stock_network_of_the_same_seed_to_the_bit(
    kind: str, axes: int, deep_supervision: bool | None
) -> None:
    torch.manual_seed(3)
    stock = build_as_nnunet(describe(kind, axes), deep_supervision=deep_supervision)
    torch.manual_seed(3)
    network = build_as_nnunet(focal(kind, axes), deep_supervision=deep_supervision)
    weights = network.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in stock.state_dict().items())
    shown = as_list(network(images(axes)))
    for site in attention_sites(network).values():
        nn.init.zeros_(site.gamma)
    expected, plain = as_list(stock(images(axes))), as_list(network(images(axes)))
    assert len(plain) == len(expected) == (3 if deep_supervision else 1)
    assert all(torch.equal(one, other) for one, other in zip(plain, expected, strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(shown, expected, strict=True))


@EVERY
def test_deep_supervision_is_switched_at_the_decoder_as_nnunets_trainer_does(kind: str, axes: int) -> None:
    network = build_as_nnunet(focal(kind, axes), deep_supervision=True).eval()
    supervised = network(images(axes))
    network.decoder.deep_supervision = False
    assert torch.equal(network(images(axes)), supervised[0])


@EVERY
def test_nnunets_start_is_for_the_host_alone(kind: str, axes: int) -> None:
    torch.manual_seed(4)
    before = build_as_nnunet(focal(kind, axes, gammas=GAMMAS), start=False)
    after = copy.deepcopy(before)
    after.apply(after.initialize)
    changed = {name for name, tensor in after.state_dict().items() if not torch.equal(tensor, before.state_dict()[name])}
    assert changed
    assert not any(name.startswith("focal_attention.") for name in changed)
    unprotected = copy.deepcopy(before)
    unprotected.apply(type(before).initialize)  # what would happen to the gates' convolutions without us
    lost = [name for name, tensor in unprotected.state_dict().items() if not torch.equal(tensor, before.state_dict()[name])]
    assert any(name.startswith("focal_attention.") for name in lost)


@EVERY
def test_weights_are_reloaded_into_a_new_network_with_identical_logits(kind: str, axes: int) -> None:
    trained = build_as_nnunet(focal(kind, axes, gammas=GAMMAS), deep_supervision=True)
    optimiser = torch.optim.SGD(trained.parameters(), 0.01, weight_decay=3e-5, momentum=0.99, nesterov=True)
    for _ in range(2):
        optimiser.zero_grad(set_to_none=True)
        sum(output.square().mean() for output in trained(images(axes))).backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 12)
        optimiser.step()
    fresh = build_as_nnunet(focal(kind, axes, gammas=GAMMAS), deep_supervision=False).eval()
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh(images(axes)), trained.eval()(images(axes))[0])


def test_nnunets_optimiser_moves_the_gates_and_leaves_the_exponents() -> None:
    network = build_as_nnunet(focal("PlainConvUNet", 2, gammas=GAMMAS))
    before = copy.deepcopy(network.state_dict())
    optimiser = torch.optim.SGD(network.parameters(), 0.01, weight_decay=0.5, momentum=0.99, nesterov=True)
    network(images(2)).square().mean().backward()
    optimiser.step()
    same = [name for name, tensor in network.state_dict().items() if torch.equal(tensor, before[name])]
    assert sorted(name for name in same if name.startswith("focal_attention.")) == sorted(
        f"focal_attention.{name.replace('.', '/')}.gamma" for name in LAYOUT
    )
    assert all(isinstance(site, AttentionSite) and not site.gamma.requires_grad for site in attention_sites(network).values())


def test_it_is_called_with_inputs_and_outputs_by_place_and_draws_gates_from_the_seed() -> None:
    architecture = focal("PlainConvUNet", 2)
    arguments = {**architecture["arch_kwargs"], "conv_op": nn.Conv2d, "norm_op": nn.InstanceNorm2d, "nonlin": nn.LeakyReLU}
    states = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        states.append(build(2, 3, **arguments).state_dict())
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    assert any(not torch.equal(tensor, states[2][name]) for name, tensor in states[0].items() if name.startswith("focal_"))


def test_a_shut_skip_stays_shut_and_logits_are_standardised_where_they_were() -> None:
    network = build_as_nnunet(focal("PlainConvUNet", 2, attention={"skip.1": SHUT, "encoder.0": "se"}, standardise_logits=True))
    assert network.focal_attention.gates == {"encoder.0": "se", "skip.1": SHUT}
    assert attention_sites(network)["encoder.0"].gate.standardise
    assert network(images(2)).shape == (2, 3, *SIZES[2])


def test_the_patch_size_tells_the_gates_what_they_are_made_for() -> None:
    sizes = {}
    for patch_size in ([16, 8], [256, 256]):
        network = build_as_nnunet(focal("PlainConvUNet", 2, attention={"skip.0": "focus"}, patch_size=patch_size))
        sizes[tuple(patch_size)] = network.get_parameter("focal_attention.skip/0.gate.spatial.weight").shape[2:]
    assert sizes[256, 256] > sizes[16, 8]


def test_compiled_it_gives_the_same_logits_and_is_switched_through_its_wrapper() -> None:
    network = build_as_nnunet(focal("PlainConvUNet", 2), deep_supervision=True).eval()
    compiled = torch.compile(network, backend="eager")
    expected = network(images(2))
    assert all(torch.equal(one, other) for one, other in zip(compiled(images(2)), expected, strict=True))
    compiled._orig_mod.decoder.deep_supervision = False
    assert torch.equal(compiled(images(2)), expected[0])
    assert compiled._orig_mod.state_dict().keys() == network.state_dict().keys()


def test_what_protects_the_gates_follows_a_copy() -> None:
    network = build_as_nnunet(focal("PlainConvUNet", 2))
    twin = copy.deepcopy(network)
    assert isinstance(twin.initialize, HostInitialisation)
    assert twin.initialize.owner() is twin
    assert network.initialize.owner() is network


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"host": "os.system"},
            SettingError,
            "host was 'os.system'; expected a network of nnU-Net, PlainConvUNet, ResidualEncoderUNet, ResidualUNet. "
            "Write the plans anew.",
        ),
        (
            {"gammas": {"encoder.1": 1.0}},
            SettingError,
            "gammas names 'encoder.1'; expected sites that attention names: encoder.0, encoder.2, bottleneck, skip.0, skip.1, "
            "decoder.0.",
        ),
        (
            {"gammas": {"encoder.0": -0.1}},
            SettingError,
            "gammas.encoder.0 was -0.1; expected a finite number from 0 on. Write the plans anew.",
        ),
        (
            {"attention": {"encoder.3": "se"}},
            SiteError,
            "No site named 'encoder.3'; known are encoder.0, encoder.1, encoder.2, bottleneck, skip.0, skip.1, skip.2, "
            "decoder.0, "
            "decoder.1, decoder.2. Did you mean 'encoder.2'?",
        ),
        (
            {"attention": {"encoder.0": "ag"}},
            SiteError,
            "The gate 'ag' needs a gating signal, which encoder.0 does not have; put it on a skip.",
        ),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        build_as_nnunet(focal("PlainConvUNet", 2, **changes))
    assert str(raised.value) == message
