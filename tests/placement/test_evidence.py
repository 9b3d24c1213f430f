"""Evidence on a network whose answer can be worked out by hand, and on others against NumPy; and the network left as it was."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from focalseg.errors import SettingError, ShapeError, SiteError
from focalseg.evaluation.scoring import score_batches
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.instrument import instrument
from focalseg.hosts.norms import estimate_norms
from focalseg.networks.unet import UNet
from focalseg.placement.evidence import (
    count_passes,
    find_objects,
    gather_evidence,
    measure_coefficients,
    score_cases,
    take_away_one_by_one,
)
from focalseg.placement.exponents import REGIMES
from focalseg.records.evidence import Evidence, SiteEvidence
from hosts.by_hand import Batch, build_network_by_hand, dice, draw_cases_by_hand, put_constant
from hosts.host_table import HOSTS, copy_host, host_sites

pytestmark = pytest.mark.slow

BuildUNet = Callable[..., UNet]
DrawImages = Callable[..., torch.Tensor]
LookAt = Callable[[nn.Module], Any]


@pytest.fixture
def network_by_hand() -> UNet:
    return build_network_by_hand()


@pytest.fixture
def cases_by_hand() -> list[Batch]:
    return draw_cases_by_hand()


def test_a_site_that_decides_costs_what_can_be_worked_out_by_hand(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand)
    first = evidence.sites[0]
    # Gate open: 6 6 2 exceed 1.5, Dice 2*2/(3+2) = 0.8. Gate shut: nothing is predicted, nothing is there, Dice 1.
    # Both at their mean 1/2: 3 3 1, Dice 1, a gain of 0.2; and 2 exceeds 1.5 where nothing is, Dice 0, a loss of 1.
    assert (first.site, first.gate, first.gamma) == ("encoder.0", "se", 1.0)
    assert first.case_costs == pytest.approx((-0.2, 1.0), abs=1e-12)
    assert first.removal_cost == pytest.approx(0.4, abs=1e-12)
    assert first.spread == pytest.approx(0.5, abs=1e-7)  # of 1 and 0 about 1/2


def test_sites_with_constant_coefficients_have_no_spread_and_cost_nothing(
    network_by_hand: UNet, cases_by_hand: list[Batch]
) -> None:
    evidence = gather_evidence(network_by_hand, cases_by_hand)
    rest = evidence.sites[1:]
    assert [(record.site, record.gate) for record in rest] == [("bottleneck", "se"), ("skip.0", "ag"), ("decoder.0", "se")]
    assert [record.spread for record in rest] == pytest.approx([0, 0, 0], abs=1e-7)
    assert [record.case_costs for record in rest] == [(0.0, 0.0)] * 3


def test_a_gamma_of_zero_makes_a_site_a_constant(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    nn.init.zeros_(attention_sites(network_by_hand)["encoder.0"].gamma)
    first = gather_evidence(network_by_hand, cases_by_hand).sites[0]
    assert (first.gamma, first.spread, first.case_costs) == (0.0, 0.0, (0.0, 0.0))


def test_cases_keep_their_order_and_do_not_depend_on_how_they_are_batched(
    network_by_hand: UNet, cases_by_hand: list[Batch]
) -> None:
    (bright, bright_mask), (dim, dim_mask) = cases_by_hand
    together = [(torch.cat([dim, bright, dim]), torch.cat([dim_mask, bright_mask, dim_mask]))]
    first = gather_evidence(network_by_hand, together).sites[0]
    # The mean is now 1/3: 2 2 2/3 gives Dice 1, and 4/3 stays below 1.5.
    assert first.case_costs == pytest.approx((0.0, -0.2, 0.0), abs=1e-12)
    assert first.spread == pytest.approx(np.sqrt(2) / 3, abs=1e-6)


def test_pixels_that_do_not_count_are_in_no_score_and_in_no_cost(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    counted = [(images, masks.to(torch.uint8)) for images, masks in cases_by_hand]
    for _, masks in counted:
        masks[:, 1] = 255
    evidence = gather_evidence(network_by_hand, counted, ignore_index=255)

    def score() -> np.ndarray:
        kept = [0, 2, 3]
        scores = []
        for images, masks in cases_by_hand:
            predicted = network_by_hand(images).detach().numpy()[0, 0][kept] > 0
            true = masks.numpy()[0][kept]
            whole = predicted.sum() + true.sum()
            scores.append(2 * (predicted & true).sum() / whole if whole else 1.0)
        return np.array(scores)

    network_by_hand.eval()
    whole = score()
    assert evidence.case_scores == pytest.approx(whole)
    means, _ = measure_coefficients(attention_sites(network_by_hand), network_by_hand, cases_by_hand)
    for site in evidence.sites:
        undo = put_constant(network_by_hand, site.site, means[site.site])
        assert site.case_costs == pytest.approx(whole - score(), abs=1e-9)
        undo()


def test_batches_may_be_an_iterator_that_runs_once(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    once = gather_evidence(network_by_hand, iter(cases_by_hand), norm_batches=iter(cases_by_hand))
    assert once == gather_evidence(network_by_hand, cases_by_hand)


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_spread_and_cost_of_any_network_are_those_of_its_coefficients_in_numpy(
    build_unet: BuildUNet, draw_images: DrawImages, spatial_dims: int
) -> None:
    network = build_unet(spatial_dims, norm="group")
    instrument(network)
    with torch.no_grad():
        for number, site in enumerate(attention_sites(network).values()):
            site.gamma.fill_(0.5 + 0.5 * number)
            for weight in site.gate.parameters():
                weight.mul_(6)
        # So that small changes cross the threshold, though no pixel stands on it, where rounding would decide.
        network.head.bias.sub_(network(draw_images(spatial_dims)).median() + 1e-3)
    batches: list[Batch] = []
    for seed, count in ((1, 3), (2, 2)):
        images = draw_images(spatial_dims, count=count, seed=seed)
        batches.append((images, network(images)[:, 0].detach() + 0.2 * images[:, 0] > 0))
    log_coefficients: dict[str, list[np.ndarray]] = {name: [] for name in attention_sites(network)}
    hooks = [
        site.gate.register_forward_hook(
            lambda *seen, name=name: log_coefficients[name].append(seen[2].detach().double().numpy())
        )
        for name, site in attention_sites(network).items()
    ]
    whole = dice(network, batches)
    for hook in hooks:
        hook.remove()

    evidence = gather_evidence(network, batches)

    means = {}
    for record in evidence.sites:
        site = attention_sites(network)[record.site]
        parts = [np.exp(site.gamma.item() * logs) for logs in log_coefficients[record.site]]
        channels = np.concatenate([np.moveaxis(part, 1, 0).reshape(part.shape[1], -1) for part in parts], axis=1)
        assert record.spread == pytest.approx(np.sqrt(channels.var(axis=1).mean()), rel=1e-4, abs=1e-7)
        mean = torch.tensor(channels.mean(axis=1), dtype=torch.float32)
        means[record.site] = mean.reshape(1, -1, *(1,) * spatial_dims)

    def price(names: tuple[str, ...], factors: Mapping[str, torch.Tensor]) -> np.ndarray:
        undone = [put_constant(network, name, factors[name]) for name in names]
        cost: np.ndarray = whole - dice(network, batches)
        for undo in undone:
            undo()
        return cost

    for record in evidence.sites:
        assert record.case_costs == pytest.approx(price((record.site,), means), abs=1e-9)
        shut = record.shut_case_costs
        assert bool(shut) == record.site.startswith("skip")
        assert not shut or shut == pytest.approx(price((record.site,), {record.site: torch.zeros(())}), abs=1e-9)
    assert evidence.case_scores == pytest.approx(whole, abs=1e-9)
    alone = {record.site: tuple(price((record.site,), means)) for record in evidence.sites}
    jointly = take_away_one_by_one(alone, lambda names: tuple(price(names, means)))
    for record in evidence.sites:
        assert record.joint_case_costs == pytest.approx(jointly[record.site], abs=1e-9)
        assert record.joint_cost == pytest.approx(np.mean(jointly[record.site]), abs=1e-9)
    assert max(record.spread for record in evidence.sites) > 0.03
    assert any(any(record.case_costs) for record in evidence.sites)


def test_channels_that_differ_but_do_not_vary_have_no_spread(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    network = build_unet()
    instrument(network, gates=("se",))
    with torch.no_grad():
        gate = attention_sites(network)["bottleneck"].gate
        gate.excite.weight.zero_()
        gate.excite.bias.copy_(torch.linspace(-3, 3, 8))
    batches = [(draw_images(), torch.zeros(2, 9, 10))]
    means, spreads = measure_coefficients(attention_sites(network), network, batches)
    assert spreads["bottleneck"] == pytest.approx(0, abs=1e-7)
    assert spreads["encoder.0"] > 1e-4
    assert means["bottleneck"].shape == (1, 8, 1, 1)
    assert np.allclose(means["bottleneck"].flatten(), 1 / (1 + np.exp(-np.linspace(-3, 3, 8))), rtol=1e-6)


def test_batch_norms_are_estimated_as_the_plain_average_over_the_batches(
    build_unet: BuildUNet, draw_images: DrawImages
) -> None:
    network = build_unet().eval()
    batches = [draw_images(seed=seed) * (1 + seed) for seed in range(3)]
    convolution, norm = network.encoder[0].layers[:2]
    seen = [convolution(images).detach().double().numpy() for images in batches]
    estimate_norms(network, batches)
    by_channel = [np.moveaxis(features, 1, 0).reshape(4, -1) for features in seen]
    means, variances = (np.mean([statistic(one) for one in by_channel], axis=0) for statistic in (row_mean, row_variance))
    assert np.allclose(norm.running_mean.numpy(), means, rtol=1e-4, atol=1e-6)
    assert np.allclose(norm.running_var.numpy(), variances, rtol=1e-4)
    assert norm.momentum == 0.1
    assert not norm.training


def test_a_norm_that_is_called_twice_in_a_pass_has_the_average_of_both_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1)
            self.dropout = nn.Dropout(0.5)

        def forward(self, images: Tensor) -> Tensor:
            return self.norm(self.dropout(images)) + self.norm(images + 10)

    network = Twice().train()
    batches = [torch.full((2, 1, 4, 4), 1.0), torch.full((6, 1, 4, 4), 2.0)]
    estimate_norms(network, batches)
    assert network.norm.running_mean.item() == pytest.approx((2 * 1 + 6 * 2) / 8 + 5)
    assert not any(module.training for module in network.modules())


def row_mean(rows: np.ndarray) -> np.ndarray:
    return rows.mean(axis=1)


def row_variance(rows: np.ndarray) -> np.ndarray:
    return rows.var(axis=1, ddof=1)


def test_scores_do_not_depend_on_the_running_statistics_a_network_comes_with(
    build_unet: BuildUNet, draw_images: DrawImages
) -> None:
    images = draw_images(count=6)
    network = build_unet().eval()
    estimate_norms(network, [images])
    batches = [(images, network(images)[:, 0] > 0)]
    assert torch.equal(score_cases(network, batches, [images]), torch.ones(6, dtype=torch.float64))
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(3)
    assert score_cases(network, batches, []).mean() < 0.9
    assert torch.equal(score_cases(network, batches, [images]), torch.ones(6, dtype=torch.float64))


def test_norms_are_estimated_on_the_images_given_for_it_and_else_on_the_validation_images(
    build_unet: BuildUNet, draw_images: DrawImages
) -> None:
    network = build_unet()
    instrument(network)
    with torch.no_grad():
        for site in attention_sites(network).values():
            for weight in site.gate.parameters():
                weight.mul_(6)
    images = draw_images(count=6)
    batches = [(images, images[:, 0] > 0)]
    seen: list[tuple[bool, torch.Tensor]] = []
    norm = network.encoder[0].layers[1]
    network.encoder[0].layers[0].register_forward_pre_hook(lambda _, arguments: seen.append((norm.training, arguments[0])))
    others = draw_images(count=4, seed=9)
    for norm_batches, expected in ((None, images), ([(others, others[:, 0] > 0)], others)):
        seen.clear()
        gather_evidence(network, batches, norm_batches=norm_batches)
        estimated = [tensor for training, tensor in seen if training]
        # For the coefficients, as it is, without each of 7 sites, with each of 2 skips shut, and without ever more sites:
        # a price for each but the first, up to one for every site that is left.
        assert 11 + 6 <= len(estimated) <= 11 + 6 * 7 // 2
        assert all(torch.equal(tensor, expected) for tensor in estimated)
        assert all(torch.equal(tensor, images) for training, tensor in seen if not training)


@pytest.mark.parametrize("regime", list(REGIMES))
@pytest.mark.parametrize("training", [True, False])
def test_the_network_comes_back_as_it_was_to_the_bit(
    build_unet: BuildUNet, draw_images: DrawImages, look_at: LookAt, training: bool, regime: str
) -> None:
    network = build_unet(dropout=0.2).train(training)
    instrument(network)
    network.encoder[0].layers[1].train(not training)  # as someone leaves a frozen norm
    network.encoder[1].layers[1].momentum = 0.03
    before, random_before = look_at(network), torch.get_rng_state()
    gather_evidence(network, [(draw_images(), torch.ones(2, 9, 10, dtype=torch.bool))], exponents=regime)
    assert look_at(network) == before
    assert torch.equal(torch.get_rng_state(), random_before)
    assert all(weight.grad is None for weight in network.parameters())


def test_the_network_comes_back_as_it_was_when_a_batch_is_at_fault(
    build_unet: BuildUNet, draw_images: DrawImages, look_at: LookAt
) -> None:
    network = build_unet()
    instrument(network)
    before = look_at(network)
    good, bad = (draw_images(), torch.zeros(2, 9, 10)), (torch.zeros(2, 5, 9, 10), torch.zeros(2, 9, 10))
    short = (draw_images(), torch.zeros(1, 9, 10))
    for batches, norm_batches, error in (
        ([good, bad], None, ShapeError),
        ([good], [good, bad], ShapeError),
        ([good, short], None, ValueError),
    ):
        with pytest.raises(error):
            gather_evidence(network, batches, norm_batches=norm_batches)
        assert look_at(network) == before


def test_the_same_network_and_batches_give_the_same_evidence(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    network = build_unet(dropout=0.5)
    instrument(network)
    batches = [(draw_images(), draw_images()[:, 0] > 0)]
    assert gather_evidence(network, batches) == gather_evidence(network, batches)


def test_masks_may_be_numbers_and_may_have_a_channel(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    expected = gather_evidence(network_by_hand, cases_by_hand)
    assert gather_evidence(network_by_hand, [(images, masks.float()) for images, masks in cases_by_hand]) == expected
    assert gather_evidence(network_by_hand, [(images, masks.unsqueeze(1)) for images, masks in cases_by_hand]) == expected


def test_the_cost_of_removal_is_the_mean_over_the_cases() -> None:
    record = SiteEvidence(site="skip.0", gate="ag", gamma=1.0, spread=0.1, case_costs=(0.5, -0.25, 0.125, 0.0))
    assert record.removal_cost == 0.09375


def test_a_plain_network_has_nothing_to_gather(build_unet: BuildUNet, draw_images: DrawImages) -> None:
    with pytest.raises(SiteError) as raised:
        gather_evidence(build_unet(), [(draw_images(), torch.zeros(2, 9, 10))])
    assert str(raised.value) == (
        "The network has no attention to gather evidence on; call instrument(network) and train it first."
    )


def test_no_batches_are_no_evidence(network_by_hand: UNet) -> None:
    with pytest.raises(SettingError) as raised:
        gather_evidence(network_by_hand, [])
    assert str(raised.value) == "No validation batches were given; evidence needs at least one."


def test_a_network_whose_attention_is_disabled_says_nothing_about_it(network_by_hand: UNet, cases_by_hand: list[Batch]) -> None:
    attention_sites(network_by_hand)["skip.0"].enabled = False
    with pytest.raises(SiteError) as raised:
        gather_evidence(network_by_hand, cases_by_hand)
    assert str(raised.value) == "Attention is disabled at skip.0; call enable_attention(network) first."


@pytest.mark.parametrize("host", ["hand-written", "own gate", "monai:AttentionUnet", "monai:SegResNet"])
def test_evidence_is_gathered_on_any_host_and_leaves_it_as_it_was(host: str, look_at: LookAt) -> None:
    network = copy_host(host, 2)
    layout = instrument(network, candidates=host_sites(host, 2))
    images = HOSTS[host].images(2, count=3)
    logits = network(images).detach()[:, 0]
    before = look_at(network)
    evidence = gather_evidence(network, [(images, logits > logits.median())])
    assert [(record.site, record.gate) for record in evidence.sites] == [(one.site, one.gate) for one in layout]
    assert all(record.spread > 0 and len(record.case_costs) == 3 for record in evidence.sites)
    assert look_at(network) == before


@pytest.mark.slow
def test_images_larger_than_what_the_network_sees_are_scored_whole_a_cost_a_case():
    """Seen in windows: a case has one cost, and what is wrongly found far from any foreground counts."""
    torch.manual_seed(0)
    network = UNet(spatial_dims=2, in_channels=1, widths=(4, 8))
    instrument(network)
    images = torch.randn(3, 1, 20, 24)
    masks = torch.zeros(3, 20, 24, dtype=torch.bool)
    masks[:, :4, :4] = True
    batches, norms = [(images[:2], masks[:2]), (images[2:], masks[2:])], [(images[..., :8, :8], masks[..., :8, :8])]
    evidence = gather_evidence(network, batches, norm_batches=norms, window=(8, 8))
    assert all(len(site.case_costs) == 3 for site in evidence.sites)
    whole = gather_evidence(network, batches, norm_batches=norms, window=(20, 24))
    assert whole == gather_evidence(network, batches, norm_batches=norms)
    with pytest.raises(SettingError, match="window was given without norm_batches"):
        gather_evidence(network, batches, window=(8, 8))


def test_the_validation_score_of_windows_is_that_of_the_stitched_whole():
    class Bright(nn.Module):
        def forward(self, images):
            assert images.shape[2:] == (8, 8)
            return images

    images = torch.full((1, 1, 24, 24), -1.0)
    images[..., :6, :6] = 1
    images[..., 12:, 12:] = 1  # looks alike, far from the foreground
    masks = torch.zeros(1, 24, 24, dtype=torch.bool)
    masks[:, :6, :6] = True
    assert score_batches(Bright(), [(images, masks)], window=(8, 8)) == [pytest.approx(2 * 36 / (36 + 36 + 144))]


def test_progress_is_told_after_every_batch_and_ends_only_when_all_is_done(
    network_by_hand: UNet, cases_by_hand: list[Batch]
) -> None:
    told: list[tuple[int, int]] = []
    gather_evidence(network_by_hand, cases_by_hand, progress=lambda done, total: told.append((done, total)))
    *before, last = told
    assert [done for done, _ in before] == list(range(1, len(before) + 1))
    assert all(done < total for done, total in before)
    assert last == (len(before), len(before))
    # Four sites, one of them a skip, two batches: the coefficients, the whole, each site alone, and with the coefficients
    # of other cases, the skip shut, and with those before it at least one more time each of the three that do not go first.
    passes = len(before) / len(cases_by_hand)
    assert 1 + 1 + 4 + 4 + 1 + 3 <= passes <= 1 + 1 + 4 + 4 + 1 + 3 + 2 + 1
    assert before[0][1] == 2 * count_passes(4, skips=1) == 2 * (1 + 1 + 4 + 4 + 1 + 6)


def test_cases_without_an_object_take_no_part_in_a_decision() -> None:
    sites = (
        SiteEvidence(site="encoder.0", gate="se", gamma=1.0, spread=0.1, case_costs=(0.1, -0.9), joint_case_costs=(0.2, 0.0)),
    )
    evidence = Evidence(sites=sites, case_scores=(0.5, 1.0), groups=("a", "b"), with_object=(True, False))
    counted = evidence.take_counted()
    assert counted.sites[0].case_costs == (0.1,)
    assert (counted.sites[0].joint_case_costs, counted.sites[0].shut_case_costs) == ((0.2,), ())
    assert (counted.groups, counted.case_scores) == (("a",), (0.5,))
    assert replace(evidence, with_object=()).take_counted().sites == sites
    assert replace(evidence, with_object=(False, False)).take_counted().sites == sites


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_case_has_an_object_where_its_mask_holds_a_label_that_counts(one_hot: bool) -> None:
    labels = torch.tensor([[[0, 0]], [[0, 2]], [[255, 0]]])
    images = torch.zeros(3, 1, 1, 2)
    if one_hot:
        masks = torch.nn.functional.one_hot(labels.clamp(max=2), 3).movedim(-1, 1)
        assert find_objects([(images, masks)]) == (False, True, True)
    else:
        assert find_objects([(images, labels)], ignore_index=255) == (False, True, False)


def test_a_site_borrows_the_coefficients_of_the_case_half_a_batch_away(network_by_hand: UNet) -> None:
    site = attention_sites(network_by_hand)["encoder.0"]  # open where the mean is above 2.5, shut below
    features = torch.tensor([1.0, 4.0, 4.0, 4.0])[:, None, None].expand(4, 1, 6).clone()
    own = site(features)
    site.borrows = True
    borrowed = site(features)
    site.borrows = False
    assert own.mean(dim=(1, 2)).tolist() == [0.0, 4.0, 4.0, 4.0]
    assert borrowed.mean(dim=(1, 2)).tolist() == [1.0, 4.0, 0.0, 4.0]
    assert torch.equal(site(features), own)
