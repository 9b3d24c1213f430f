"""Site dropout from a loop of one's own: four calls, which train as our own loop does."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel

from focalseg.errors import SettingError, SiteError
from focalseg.feeding.augmentation import augment
from focalseg.feeding.batches import select_batch
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.gammas import gamma_parameters, parameter_groups, read_gammas
from focalseg.hosts.instrument import instrument
from focalseg.hosts.pruning import remove_attention
from focalseg.hosts.weights import load_attention, save_attention
from focalseg.networks.unet import UNet
from focalseg.placement.applying import apply_placement
from focalseg.placement.decision import decide
from focalseg.placement.evidence import gather_evidence
from focalseg.placement.exponents.dropout import draw_subset
from focalseg.placement.site_dropout import SiteDropout
from focalseg.training.loop import Run, train
from focalseg.training.run import RunConfig
from focalseg.training.training_config import TrainingConfig
from training.small import make_data

pytestmark = pytest.mark.slow

STEPS, SEED = 10, 3
"""Sites are left out from step 4 on."""
MARK = "focal_attention.trained_under/dropout"
BuildUNet = Callable[..., UNet]
Draw = Callable[..., torch.Tensor]


@pytest.fixture
def network(build_unet: BuildUNet) -> UNet:
    return build_filled(build_unet)


def build_filled(build_unet: BuildUNet) -> UNet:
    """Seven sites, always with the same weights."""
    unet = build_unet()
    instrument(unet)
    return unet


def acting(network: nn.Module) -> list[bool]:
    return [site.stand_in is None for site in attention_sites(network).values()]


class Loop:
    """Somebody's loop on four fixed batches: the network, the optimiser and the dropout of one training."""

    def __init__(self, network: UNet, draw: Draw, *, seed: int = SEED) -> None:
        self.network = network.train()
        self.optimiser = torch.optim.SGD(parameter_groups(network, 0.05), momentum=0.9)
        self.dropout = SiteDropout(network, steps=STEPS, seed=seed)
        self.batches = [draw(count=4, seed=number) for number in range(4)]

    def pass_through(self, images: torch.Tensor) -> None:
        (self.network(images)[:, 0] - images[:, 0]).square().mean().backward()

    def take(self, steps: range, *, parts: int = 1, begin_again: bool = False) -> None:
        for step in steps:
            self.dropout.begin_step(step)
            self.optimiser.zero_grad()
            for part in self.batches[step % 4].chunk(parts):
                if begin_again:
                    self.dropout.begin_step(step)
                self.pass_through(part)
            self.optimiser.step()
            self.dropout.end_step(step, self.optimiser)


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_loop_from_outside_trains_to_the_same_bits_as_ours(tmp_path):
    config = RunConfig(
        data="none",
        seed=5,
        preparation=Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,)),
        network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8]}),
        attention={"encoder.0": "se", "bottleneck": "se", "skip.0": "ag", "decoder.0": "se"},
        training=TrainingConfig(steps=12, batch_size=4, validate_every=5, exponents="dropout"),
    )
    ours = train(config, make_data(), tmp_path / "ours", device="cpu")
    # The other run lends what is not the method: the same first weights, batches and order in memory.
    free = replace(config, training=replace(config.training, exponents="free"))
    lent = Run(free, make_data(), tmp_path / "lent", device="cpu")
    network, settings = lent.network, config.training
    groups = parameter_groups(network, settings.learning_rate)
    optimiser = torch.optim.AdamW(groups)
    scheduler = OneCycleLR(optimiser, [group["lr"] for group in groups], total_steps=12)
    dropout = SiteDropout(network, steps=12, seed=5)
    for step in range(12):
        images, masks = lent.read_batch(select_batch(10, 4, seed=5, step=step), step=step)
        images, masks = augment(
            images, masks, config=settings.augmentation, seed=5, step=step, spacing_mm=config.preparation.spacing_mm
        )
        network.train()
        dropout.begin_step(step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled="bf16" in str(lent.fabric._precision.precision)):
            logits = network(lent.arrange(images))
        optimiser.zero_grad()
        lent.loss(logits.float(), masks).backward()
        optimiser.step()
        scheduler.step()
        dropout.end_step(step, optimiser)
    dropout.finish()
    expected = dict(ours.network.named_parameters())
    assert all(torch.equal(weight, expected[name]) for name, weight in network.named_parameters())
    assert read_gammas(network) != dict.fromkeys(read_gammas(network), 1.0)


def test_each_step_has_the_subset_of_its_number_from_two_fifths_on_and_all_sites_act_in_between(network, draw_images):
    loop = Loop(network, draw_images)
    for step in range(STEPS):
        loop.dropout.begin_step(step)
        assert acting(network) == (draw_subset(7, seed=SEED, step=step) if step >= 4 else [True] * 7)
        loop.pass_through(loop.batches[0])
        loop.optimiser.step()
        loop.dropout.end_step(step, loop.optimiser)
        assert all(acting(network))
    assert not all(all(draw_subset(7, seed=SEED, step=step)) for step in range(4, STEPS))


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_training_that_goes_on_in_the_middle_is_that_which_never_stopped(build_unet, draw_images, stop):
    straight, first, second = (build_filled(build_unet) for _ in range(3))
    whole = Loop(straight, draw_images)
    whole.take(range(STEPS))
    stopped = Loop(first, draw_images)
    stopped.take(range(stop))
    file = io.BytesIO()
    torch.save((first.state_dict(), stopped.optimiser.state_dict()), file)
    file.seek(0)
    state, optimiser_state = torch.load(file, weights_only=True)
    resumed = Loop(second, draw_images)
    second.load_state_dict(state)
    resumed.optimiser.load_state_dict(optimiser_state)
    resumed.take(range(stop, STEPS))
    resumed.dropout.finish()
    assert_same(weights(second), weights(straight))


def test_passes_of_one_step_of_the_optimiser_share_their_subset_however_often_it_is_begun(build_unet, draw_images):
    results = []
    for begin_again in (False, True):
        unet = build_filled(build_unet)
        Loop(unet, draw_images).take(range(STEPS), parts=2, begin_again=begin_again)
        results.append(weights(unet))
    assert_same(*results)


def test_a_step_that_the_scaler_skips_moves_nothing_and_those_after_it_are_as_before(network, draw_images):
    loop = Loop(network, draw_images)
    loop.take(range(5))
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    scaler = torch.amp.GradScaler("cpu", init_scale=1e30)
    loop.dropout.begin_step(5)
    loop.optimiser.zero_grad()
    scaler.scale((network(loop.batches[1] * 1e20)).square().mean()).backward()  # overflows
    scaler.step(loop.optimiser)
    scaler.update()
    assert scaler.get_scale() < 1e30
    loop.dropout.end_step(5, loop.optimiser)
    assert all(torch.equal(weight, before[name]) for name, weight in network.named_parameters())
    loop.dropout.begin_step(6)  # this batch had no finite loss: it is left out, and the step not ended
    loop.dropout.begin_step(7)
    assert acting(network) == draw_subset(7, seed=SEED, step=7)


def test_every_site_acts_in_a_validation_within_a_step(network):
    dropout = SiteDropout(network, steps=1000, seed=SEED)
    dropout.begin_step(900)
    assert acting(network) == draw_subset(7, seed=SEED, step=900) != [True] * 7
    dropout.begin_validation()
    assert all(acting(network))
    dropout.begin_step(900)
    assert acting(network) == draw_subset(7, seed=SEED, step=900)
    dropout.finish()
    assert all(acting(network))


def test_the_end_of_a_step_brings_exponents_back_to_zero_and_stops_what_pushed_them_below(network):
    optimiser = torch.optim.AdamW(parameter_groups(network, 0.1), betas=(0.9, 0.9))
    dropout = SiteDropout(network, steps=STEPS)
    for step, gradient in enumerate((100.0, 100.0, -100.0)):
        dropout.begin_step(step)
        for gamma in gamma_parameters(network):
            gamma.grad = torch.tensor(gradient)
        optimiser.step()
        dropout.end_step(step, optimiser)
        gammas = set(read_gammas(network).values())
        assert gammas == {0.0} if gradient > 0 else min(gammas) > 0


def test_the_network_may_be_wrapped(network):
    wrapped = AveragedModel(network)
    SiteDropout(wrapped, steps=10, seed=SEED).begin_step(9)
    assert acting(wrapped) == draw_subset(7, seed=SEED, step=9)
    assert acting(wrapped) != acting(network)  # the average is a copy


def test_data_parallel_training_is_the_same_and_needs_to_be_told_of_gates_without_gradients(build_unet, draw_images, tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        plain, wrapped = (Loop(build_filled(build_unet), draw_images) for _ in range(2))
        network, dropout = wrapped.network, wrapped.dropout
        refused = DistributedDataParallel(network)
        dropout.begin_step(next(step for step in range(4, STEPS) if not all(draw_subset(7, seed=SEED, step=step))))
        with pytest.raises(SiteError, match="Wrap the network with find_unused_parameters=True"):
            refused(draw_images())
        dropout.begin_validation()
        wrapped.network = DistributedDataParallel(network, find_unused_parameters=True)
        wrapped.dropout = SiteDropout(wrapped.network, steps=STEPS, seed=SEED)
        for loop in (plain, wrapped):
            loop.take(range(STEPS))
        trained = dict(network.named_parameters())
        assert all(torch.allclose(weight, trained[name], rtol=1e-5) for name, weight in plain.network.named_parameters())
        assert remembers(wrapped.network, draw_images) == "dropout"
    finally:
        dist.destroy_process_group()


def test_steps_may_be_numbers_of_numpy_and_of_torch(network):
    dropout = SiteDropout(network, steps=np.int64(10))
    dropout.begin_step(torch.tensor(9))
    dropout.end_step(np.int32(9), torch.optim.SGD(network.parameters(), lr=0.1))
    assert all(acting(network))


# What the network remembers.


def put_through(network: UNet, *, last: int = STEPS - 1) -> UNet:
    dropout = SiteDropout(network, steps=STEPS, seed=SEED)
    dropout.begin_step(last)
    dropout.end_step(last, torch.optim.SGD(network.parameters(), lr=0.1))
    return network


def remembers(network: nn.Module, draw: Draw) -> str:
    return gather_evidence(network, [(draw(), torch.ones(2, 9, 10, dtype=torch.bool))]).exponents


def copies_of(network: UNet, plain: UNet, folder: Any) -> Iterator[nn.Module]:
    """The network as it comes back from every way of keeping it."""
    yield copy.deepcopy(network)
    yield pickle.loads(pickle.dumps(network))
    yield AveragedModel(network)
    loaded, other = copy.deepcopy(plain), copy.deepcopy(plain)
    instrument(loaded)
    loaded.load_state_dict(network.state_dict())
    yield loaded
    save_attention(network, folder)
    load_attention(other, folder)
    yield other


def test_evidence_knows_by_itself_that_the_network_trained_under_site_dropout_however_it_was_kept(
    build_unet, network, draw_images, tmp_path
):
    assert remembers(network, draw_images) == "free"
    keys = list(network.state_dict())
    put_through(network, last=3)  # no site was left out yet
    assert list(network.state_dict()) == keys
    put_through(network)
    assert set(network.state_dict()) == {*keys, MARK}
    for kept in (network, *copies_of(network, build_unet(), tmp_path)):
        assert remembers(kept, draw_images) == "dropout"
        assert MARK in {name.removeprefix("module.") for name in kept.state_dict()}


def test_weights_that_come_from_elsewhere_take_the_memory_away(build_unet, network, draw_images):
    fresh = build_unet()
    instrument(fresh)
    put_through(network)
    host = {name: tensor for name, tensor in network.state_dict().items() if "focal_attention" not in name}
    network.load_state_dict(host, strict=False)
    assert remembers(network, draw_images) == "dropout"  # the sites are those of before
    network.load_state_dict(fresh.state_dict())
    assert remembers(network, draw_images) == "free"
    remove_attention(put_through(network))
    instrument(network)
    assert remembers(network, draw_images) == "free"


def test_the_lean_network_is_no_probe(network, draw_images):
    put_through(network)
    evidence = gather_evidence(network, [(draw_images(), torch.ones(2, 9, 10, dtype=torch.bool))])
    lean = apply_placement(network, decide(replace(evidence, exponents="free"), policy="all"))
    assert MARK not in lean.state_dict()
    assert remembers(lean, draw_images) == "free"
    assert remembers(network, draw_images) == "dropout"


def test_the_regime_that_is_named_counts_and_costs_are_those_of_that_regime(network, draw_images):
    batches = [(draw_images(count=4), draw_images(count=4)[:, 0] > 0)]
    put_through(network)
    assert gather_evidence(network, batches) == gather_evidence(network, batches, exponents="dropout")
    assert gather_evidence(network, batches, exponents="free").exponents == "free"


def test_evidence_within_a_step_is_that_of_the_whole_network_and_the_step_goes_on(network, draw_images):
    batches = [(draw_images(count=4), draw_images(count=4)[:, 0] > 0)]
    put_through(network)
    expected = gather_evidence(network, batches)
    dropout = SiteDropout(network, steps=1000, seed=SEED)
    dropout.begin_step(900)
    before = acting(network)
    assert gather_evidence(network, batches) == expected
    assert acting(network) == before != [True] * 7


def test_two_trainings_decide_by_removal_and_two_kinds_do_not(build_unet, draw_images):
    probes = [build_unet(seed=seed) for seed in range(3)]
    for probe in probes:
        instrument(probe)
    batches = [(draw_images(count=4), draw_images(count=4)[:, 0] > 0)]
    one, two = (gather_evidence(put_through(probe), batches) for probe in probes[:2])
    assert decide([one, two]).policy == "removal"
    with pytest.raises(SettingError, match="trained under dropout and free"):
        decide([one, gather_evidence(probes[2], batches)])


# Misuse.


def test_a_network_without_attention_has_nothing_to_leave_out(build_unet):
    with pytest.raises(SiteError) as raised:
        SiteDropout(build_unet(), steps=10)
    assert str(raised.value) == (
        "The network has no attention to leave out; call instrument(network) before SiteDropout(network)."
    )


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"steps": 0}, "steps was 0; expected a whole number, at least 1."),
        ({"steps": 2.5}, "steps was 2.5; expected a whole number, at least 1."),
        ({"steps": True}, "steps was True; expected a whole number, at least 1."),
        ({"steps": 3, "seed": -1}, "seed was -1; expected a whole number, at least 0."),
    ],
)
def test_other_numbers_are_refused(network, settings, fault):
    with pytest.raises(SettingError) as raised:
        SiteDropout(network, **settings)
    assert str(raised.value) == fault


def test_a_step_that_was_not_announced_is_refused_and_nothing_is_begun(network):
    dropout = SiteDropout(network, steps=10)
    with pytest.raises(SettingError) as raised:
        dropout.begin_step(10)
    assert str(raised.value) == (
        "Step 10 was begun, and SiteDropout was told of steps=10: expected 0 to 9. Give the number of the optimiser's steps in "
        "the whole training, and count those."
    )
    with pytest.raises(SettingError, match="step was -1"):
        dropout.begin_step(-1)
    assert all(acting(network))
    with pytest.raises(SettingError, match=r"end_step\(10\) was called and no step was begun"):
        dropout.end_step(10, torch.optim.SGD(network.parameters(), lr=0.1))


def test_the_end_of_another_step_than_was_begun_is_refused(network):
    dropout, optimiser = SiteDropout(network, steps=10), torch.optim.SGD(network.parameters(), lr=0.1)
    dropout.begin_step(4)
    with pytest.raises(SettingError) as raised:
        dropout.end_step(5, optimiser)
    assert str(raised.value) == (
        "end_step(5) was called and step 4 was begun; expected the step that begin_step was called with last. Call "
        "begin_step(5) before the forward pass."
    )
    dropout.end_step(4, optimiser)
    assert all(acting(network))


def test_steps_that_are_never_ended_are_told_once_an_exponent_has_fallen_below_zero(network, draw_images):
    dropout = SiteDropout(network, steps=10)
    dropout.begin_step(7)
    with torch.no_grad():
        attention_sites(network)["skip.0"].gamma.fill_(-0.25)
    message = (
        "gamma is below 0 at skip.0 (-0.25); expected at least 0. Call focalseg.project_gammas(network, optimiser), or "
        "end_step of SiteDropout, after every step of the optimiser."
    )
    with pytest.raises(SettingError) as raised:
        dropout.begin_step(8)
    assert str(raised.value) == message
    with pytest.raises(SettingError) as raised:
        gather_evidence(network, [(draw_images(), torch.ones(2, 9, 10))])
    assert str(raised.value) == message
    dropout.end_step(7, torch.optim.SGD(network.parameters(), lr=0.1))  # the mend
    dropout.begin_step(8)
    assert read_gammas(network)["skip.0"] == 0


def test_evidence_of_a_training_that_ended_before_any_site_was_left_out_is_refused(network, draw_images):
    batches = [(draw_images(), torch.ones(2, 9, 10, dtype=torch.bool))]
    dropout, optimiser = SiteDropout(network, steps=1000), torch.optim.SGD(network.parameters(), lr=0.1)
    assert gather_evidence(network, batches).exponents == "free"  # nothing was trained yet
    for epoch in range(20):  # epochs, where steps were announced
        dropout.begin_step(epoch)
        dropout.end_step(epoch, optimiser)
    dropout.finish()
    for kept in (network, copy.deepcopy(network)):
        with pytest.raises(SettingError) as raised:
            gather_evidence(kept, batches)
        assert str(raised.value) == (
            "The last step was 19, and site dropout with steps=1000 begins at step 400: no site was ever left out. Give "
            "SiteDropout the number of the optimiser's steps in the whole training, and count those; or gather evidence with "
            'exponents="free".'
        )
        assert gather_evidence(kept, batches, exponents="free").exponents == "free"  # one mend
    put_through(network)  # the other
    assert gather_evidence(network, batches).exponents == "dropout"


def test_a_trial_of_one_step_in_which_nothing_can_be_left_out_is_no_fault(network, draw_images):
    dropout = SiteDropout(network, steps=1)
    dropout.begin_step(0)
    dropout.end_step(0, torch.optim.SGD(network.parameters(), lr=0.1))
    assert remembers(network, draw_images) == "free"


def test_a_gate_that_is_left_out_stays_as_it_is_however_gradients_are_zeroed(build_unet, draw_images):
    results = []
    for to_none in (True, False):
        loop = Loop(build_filled(build_unet), draw_images)
        loop.optimiser = torch.optim.AdamW(parameter_groups(loop.network, 0.05))
        loop.optimiser.zero_grad = partial(loop.optimiser.zero_grad, set_to_none=to_none)
        loop.take(range(STEPS))
        results.append(weights(loop.network))
    assert_same(*results)


def test_attention_that_was_put_in_anew_is_not_left_out_unnoticed(network):
    dropout = SiteDropout(network, steps=10)
    remove_attention(network)
    with pytest.raises(SiteError, match="make that afterwards"):
        dropout.begin_step(5)
    instrument(network)
    with pytest.raises(SiteError, match="put in anew, or taken out, since SiteDropout was made"):
        dropout.begin_step(5)
    SiteDropout(network, steps=10).begin_step(9)
    assert acting(network) == draw_subset(7, seed=0, step=9)
