"""The search inside nnU-Net without nnU-Net: gates everywhere, its optimiser's groups, and evidence on its prepared cases."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.attachment import filled_sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.nnunet import TRAINERS
from focalseg.nnunet.search import MOST_SLICES, PreparedCases, fill_everywhere, group_parameters, restore_rates, witness
from focalseg.placement.decision import decide
from nnunet.architectures import build_as_nnunet, describe

CPU = torch.device("cpu")


class Prepared:
    """Cases as nnU-Net keeps them: images (2, D, H, W), masks (1, D, H, W) with -1 outside of the body."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        random = np.random.default_rng(0)
        self.cases = {}
        for name, shape in shapes.items():
            image = random.normal(size=(2, *shape)).astype(np.float32)
            mask = (image[:1] > 0.5).astype(np.int8)
            mask[:, :, 0] = -1
            self.cases[name] = (image, mask)
        self.loaded: list[str] = []

    def load_case(self, identifier: str) -> tuple[Any, Any, None, dict[str, Any]]:
        self.loaded.append(identifier)
        return *self.cases[identifier], None, {}


@pytest.fixture
def cases() -> Prepared:
    return Prepared(one=(10, 20, 12), two=(18, 16, 8))


def test_every_site_is_filled_with_weights_that_the_seed_of_the_host_does_not_feel() -> None:
    torch.manual_seed(1)
    plain = build_as_nnunet(describe("PlainConvUNet", 2))
    drawn = torch.rand(1)
    torch.manual_seed(1)
    network = build_as_nnunet(describe("PlainConvUNet", 2))
    fill_everywhere(network, (2, 16, 8))
    assert torch.equal(torch.rand(1), drawn)
    assert {name: gate for name, (_, gate) in filled_sites(network).items()} == {
        **dict.fromkeys(("encoder.0", "encoder.1", "encoder.2", "bottleneck"), "se"),
        **dict.fromkeys(("skip.0", "skip.1", "skip.2"), "ag"),
        **dict.fromkeys(("decoder.0", "decoder.1", "decoder.2"), "se"),
    }
    state = network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items())
    with pytest.raises(SettingError) as raised:
        fill_everywhere(network, (2, 16, 8))
    assert str(raised.value) == (
        "The plans already name a network with gates; the search starts from nnU-Net's own. Train with -p and the plans "
        "that were "
        "given to `focalseg export`."
    )


def test_exponents_have_a_rate_of_their_own_and_no_decay_and_keep_it_after_nnunets_scheduler() -> None:
    network = build_as_nnunet(describe("PlainConvUNet", 2))
    fill_everywhere(network, (2, 16, 8))
    optimiser = torch.optim.SGD(group_parameters(network, learning_rate=0.01, weight_decay=3e-5), momentum=0.99, nesterov=True)
    others, exponents = optimiser.param_groups
    assert (others["lr"], others["weight_decay"]) == (0.01, 3e-5)
    assert (exponents["lr"], exponents["weight_decay"]) == (0.1, 0.0)
    assert list(map(id, exponents["params"])) == list(map(id, gamma_parameters(network)))
    together = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    assert together == set(map(id, network.parameters()))
    for group in optimiser.param_groups:  # what nnU-Net's PolyLRScheduler does
        group["lr"] = 0.004
    restore_rates(optimiser)
    assert [group["lr"] for group in optimiser.param_groups] == [0.004, 0.04]


def test_a_volume_is_one_case_for_a_network_for_volumes(cases: Prepared) -> None:
    batches = PreparedCases(cases, ["one", "two"], window=(8, 8, 8), device=CPU)
    assert (len(batches), batches.groups) == (2, ["one", "two"])
    images, masks = batches[1]
    assert torch.equal(images, torch.from_numpy(cases.cases["two"][0])[None])
    assert torch.equal(masks, torch.from_numpy(cases.cases["two"][1]).long().clamp(min=0))
    assert masks.dtype == torch.int64


def test_the_slices_of_a_volume_are_cases_of_one_group_for_a_network_for_slices(cases: Prepared) -> None:
    batches = PreparedCases(cases, ["one", "two"], window=(16, 8), device=CPU)
    assert batches.groups == ["one"] * 10 + ["two"] * 18
    assert [len(images) for images, _ in batches] == [10, MOST_SLICES, 18 - MOST_SLICES]
    images, masks = batches[2]
    image, mask = cases.cases["two"]
    assert torch.equal(images[1], torch.from_numpy(image[:, MOST_SLICES + 1]))
    assert torch.equal(masks[1], torch.from_numpy(mask[0, MOST_SLICES + 1]).long().clamp(min=0))


@pytest.mark.parametrize("window", [(8, 8, 8), (32, 8, 16), (16, 8)])
def test_patches_come_from_the_middle_and_are_filled_up_where_a_case_is_smaller(
    cases: Prepared, window: tuple[int, ...]
) -> None:
    for images, masks in PreparedCases(cases, ["one", "two"], window=window, device=CPU).centre_patches(8):
        assert images.shape[2:] == masks.shape[1:] == window
    (first, _), *_ = PreparedCases(cases, ["one"], window=(8, 8, 8), device=CPU).centre_patches(1)
    assert torch.equal(first[0], torch.from_numpy(cases.cases["one"][0][:, 1:9, 6:14, 2:10]))


@pytest.mark.slow
@pytest.mark.parametrize(("axes", "window"), [(2, (16, 8)), (3, (8, 8, 8))])
def test_evidence_of_a_network_with_deep_supervision_decides_by_removal(
    cases: Prepared, axes: int, window: tuple[int, ...]
) -> None:
    network = build_as_nnunet(describe("PlainConvUNet", axes), deep_supervision=True)
    fill_everywhere(network, (2, *window))
    for gamma in gamma_parameters(network)[:3]:
        nn.init.zeros_(gamma)
    told: list[str] = []
    identifiers = ["one", "two"]
    validation = PreparedCases(cases, identifiers, window=window, device=CPU)
    evidence = witness(network, validation, validation, ignore_index=None, tell=told.append)
    assert network.decoder.deep_supervision
    assert [one.site for one in evidence.sites] == list(read_gammas(network))
    assert evidence.groups == tuple(validation.groups)
    assert all(len(one.case_costs) == len(evidence.groups) for one in evidence.sites)
    assert all(not any(one.case_costs) for one in evidence.sites[:3])  # with gamma 0 they did nothing
    assert decide(evidence).policy == "removal"
    assert told[0].startswith("gathering evidence: ")


def test_nnunet_finds_the_trainer_by_its_file() -> None:
    assert [path.stem for path in TRAINERS.glob("[!_]*.py")] == ["nnUNetTrainerFocal"]
    assert "class nnUNetTrainerFocal(nnUNetTrainer):" in (TRAINERS / "nnUNetTrainerFocal.py").read_text(encoding="utf-8")
