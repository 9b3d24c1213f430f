"""Rivals: a plain network as large as the one with all attention, sites drawn at random, one kind of gate everywhere."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest

from focalseg.errors import SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.placement.policies.at_random import draw_sites
from focalseg.study.arms.design import plan_design
from focalseg.study.place import train_arms
from focalseg.study.planning.attention import plan_attention, plan_single_kind
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.planning.wider import find_channel_counts, plan_wider
from focalseg.study.presets import DEMO, RIVALS, build_settings
from focalseg.study.running.listeners import NOBODY
from focalseg.study.train import read_layout
from focalseg.training.run import RunConfig, build_network
from study.made_up import MadeUp

pytestmark = pytest.mark.slow

CANDIDATES = {"encoder.0": "se", "bottleneck": "se", "skip.0": "ag", "decoder.0": "se"}
REFUSAL = (
    "rivals names 'wider', and the channels of {name} do not follow from widths that focalseg plans; expected a network that "
    "they do follow from, such as unet. Leave it out: --set 'rivals=[random]'."
)


def numbers(network):
    return sum(weights.numel() for weights in network.parameters())


def unet_numbers(widths, *, channels=3):
    """Parameters of the U-Net written out: two convolutions of 3 x 3 a stage with their batch norms, 1 x 1 between, a head."""

    def stage(before, after):
        return 9 * before * after + 9 * after * after + 2 * 2 * after

    down = sum(stage(before, after) for before, after in zip((channels, *widths), widths, strict=False))
    up = sum(deep * fine + fine + stage(2 * fine, fine) for fine, deep in pairwise(widths))
    return down + up + widths[0] + 1


def run_of(network, side=32):
    preparation = Preparation(size=(side, side), mean=(0.0,) * 3, standard_deviation=(1.0,) * 3)
    return RunConfig(data="phantom:local", preparation=preparation, network=network)


@pytest.mark.parametrize("widths", [(4, 8), (8, 16, 32), (5, 7, 30)])
def test_the_wider_unet_is_the_smallest_that_has_the_parameters_of_all_attention(widths):
    config = run_of(NetworkConfig(arguments={"widths": list(widths)}))
    everywhere, _ = plan_attention(config, ("se", "ag"))
    target = numbers(build_network(replace(config, attention=everywhere)))
    found = plan_wider(config, widths, {}, everywhere).widths
    # The oracle: from factor 1 on in steps finer than any that changes a width, the first one that is large enough.
    finest = 2 * max(widths) * min(widths)
    factors = (Fraction(step, finest) for step in range(finest, 4 * finest))
    tried = ([ceil(width * factor) for width in widths] for factor in factors)
    assert list(found) == next(one for one in tried if unet_numbers(one) >= target)
    assert unet_numbers(widths) == numbers(build_host(config.network)) < target


def test_the_wider_network_keeps_what_a_person_set_besides():
    config = run_of(NetworkConfig(arguments={"widths": [4, 8], "dropout": 0.2}))
    wider = plan_wider(config, (99, 99), {"widths": [4, 8], "dropout": 0.2}, {"encoder.0": "se"})
    assert wider.arguments["dropout"] == 0.2
    assert wider.widths[0] in (5, 6)


@pytest.mark.parametrize("name", ["monai:DynUNet", "monai:UNet", "monai:BasicUNet"])
def test_networks_that_are_planned_from_widths_get_wider(name):
    pytest.importorskip("monai")
    widths = (8, 16, 32)
    config = run_of(NetworkConfig(name=name, arguments=plan_arguments(name, widths=widths)))
    everywhere, _ = plan_attention(config, ("se", "ag"))
    wider = plan_wider(config, widths, {}, everywhere)
    plain, target = (numbers(build_network(replace(config, attention=layout))) for layout in ({}, everywhere))
    assert plain < target <= numbers(build_host(wider)) < 2 * target


@pytest.mark.parametrize(("base", "groups"), [(8, 8), (4, 4), (6, 2)])
def test_the_wider_network_differs_in_nothing_but_its_channels(base, groups):
    pytest.importorskip("monai")
    widths = (base, 2 * base, 4 * base)
    config = run_of(NetworkConfig(name="monai:SegResNet", arguments=plan_arguments("monai:SegResNet", widths=widths)))
    everywhere, _ = plan_attention(config, ("se", "ag"))
    target = numbers(build_network(replace(config, attention=everywhere)))
    wider = plan_wider(config, widths, {}, everywhere)

    def with_filters(count):
        return replace(config.network, arguments={**config.network.arguments, "init_filters": count})

    # Its group norms have so many groups in the plain network: the first number of filters that they divide and that will do.
    fitting = range(base, 4 * base + 1, groups)
    assert config.network.arguments["norm"] == ["GROUP", {"num_groups": groups}]
    assert wider == with_filters(next(count for count in fitting if numbers(build_host(with_filters(count))) >= target))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("unet", {"widths"}),
        ("monai:UNet", {"channels"}),
        ("monai:BasicUNet", {"features"}),
        ("monai:DynUNet", {"filters"}),
        ("monai:SegResNet", {"init_filters"}),
        ("monai:AttentionUnet", {"channels"}),
        ("nnunet:PlainConvUNet", {"features_per_stage"}),
        ("nnunet:ResidualEncoderUNet", {"features_per_stage"}),
        ("smp:Unet", set()),
        ("package.module:function", set()),
    ],
)
def test_the_arguments_that_count_channels_are_told_from_the_others(name, counts):
    assert find_channel_counts(name, (8, 16, 32)) == counts


def test_one_kind_of_gate_leaves_out_the_gates_that_the_host_brought_along():
    pytest.importorskip("monai")
    name = "monai:AttentionUnet"
    config = run_of(NetworkConfig(name=name, arguments=plan_arguments(name, widths=(4, 8, 16))))
    everywhere, _ = plan_attention(config, ("se",))
    assert set(everywhere.values()) == {"se", "own"}
    single = plan_single_kind(config, "se")
    assert single == {site: gate for site, gate in everywhere.items() if gate == "se"}
    with pytest.raises(SettingError) as raised:
        plan_single_kind(config, "ag")
    assert str(raised.value).startswith(
        "'ag' could do something at no site of monai:AttentionUnet; expected a kind of gate that fits. Name another (se, "
    )


def test_attention_of_one_kind_trains_what_the_rival_of_that_name_does():
    pytest.importorskip("monai")
    name = "monai:AttentionUnet"
    config = run_of(NetworkConfig(name=name, arguments=plan_arguments(name, widths=(4, 8, 16))))
    assert read_layout("se", config, build_settings("quick", {}), tell=print) == plan_single_kind(config, "se")


def test_a_network_of_the_persons_own_is_refused_with_the_mend():
    config = run_of(NetworkConfig(name="focalseg.networks.unet:UNet", arguments={"widths": [4, 8]}))
    with pytest.raises(SettingError) as raised:
        plan_wider(config, (4, 8), {"widths": [4, 8]}, {})
    assert str(raised.value) == REFUSAL.format(name="focalseg.networks.unet:UNet")


def test_channels_that_a_person_fixed_cannot_be_widened():
    pytest.importorskip("monai")
    chosen = {"channels": [4, 8], "strides": [2]}
    config = run_of(NetworkConfig(name="monai:UNet", arguments={**plan_arguments("monai:UNet", widths=(4, 8)), **chosen}))
    with pytest.raises(SettingError) as raised:
        plan_wider(config, (4, 8), chosen, {})
    assert str(raised.value) == REFUSAL.format(name="monai:UNet")


def test_sites_are_drawn_anew_for_every_seed_and_fold_and_alike_when_asked_again():
    drawn = {(seed, fold): tuple(draw_sites(CANDIDATES, 2, seed=(seed, fold))) for seed in range(20) for fold in range(20)}
    assert all(len(sites) == 2 and set(sites) < set(CANDIDATES) for sites in drawn.values())
    assert drawn[3, 4] == tuple(draw_sites(CANDIDATES, 2, seed=(3, 4)))
    assert len(set(drawn.values())) == 6
    # Each of four sites is among the two with probability 1/2: within four standard deviations of a binomial share.
    shares = [np.mean([name in sites for sites in drawn.values()]) for name in CANDIDATES]
    assert shares == pytest.approx([0.5] * 4, abs=4 * np.sqrt(0.25 / 400))
    assert draw_sites(CANDIDATES, 4, seed=(0, 0)) == CANDIDATES


@pytest.fixture
def design_of(make_folder, tiny_settings, tmp_path):
    """The design of a job whose removal policy keeps these sites, in runs that are made up."""

    def build(*rivals, keep=(), **training):
        engine = MadeUp(dice=lambda _: 0.5, cost=lambda _, site: float(site in keep))
        settings = replace(tiny_settings, rivals=rivals, training=replace(tiny_settings.training, **training))
        ground = lay_groundwork(str(make_folder(count=15)), settings, 0, "cpu")
        folder = tmp_path / "out"
        return plan_design(ground, settings, folder, device="cpu", workers=1, listeners=NOBODY, engine=engine)

    return build


def test_rivals_are_trained_on_the_seeds_and_the_budget_of_the_other_arms(design_of):
    plans, _ = train_arms(design_of("wider", "eca", "random", keep=("skip.0", "encoder.0")))
    assert list(plans[0]) == ["none", "all", "placed", "wider", "eca", "random"]
    plain = plans[0]["none"]
    for arm, runs in plans[0].items():
        for run, other in zip(runs, plain, strict=True):
            network = run.config.network if arm == "wider" else plain[0].config.network
            assert run.arm == arm
            assert replace(run.config, attention={}) == replace(other.config, network=network)
            assert run.split == other.split
    assert plans[0]["wider"][0].config.network.widths > plain[0].config.network.widths
    assert set(plans[0]["eca"][0].config.attention.values()) == {"eca"}
    assert [len(run.config.attention) for run in plans[0]["random"]] == [2, 2]


def test_what_validation_decides_holds_for_every_arm_alike_and_for_no_search(design_of):
    design = design_of("wider", keep=("skip.0",), keep_best=True, early_stopping_patience=2)
    plans, _ = train_arms(design)
    compared = [run.config.training for runs in plans[0].values() for run in runs]
    assert {(one.keep_best, one.early_stopping_patience) for one in compared} == {(True, 2)}
    searched = [
        plan.config.training for batch in design.trainers[0].engine.batches for plan in batch if plan.arm not in plans[0]
    ]
    assert {one.exponents for one in searched} == {"dropout"}
    # A regime needs all its steps and the weights that they end with.
    assert {(one.keep_best, one.early_stopping_patience) for one in searched} == {(False, None)}


def test_nothing_is_drawn_where_nothing_is_placed(design_of):
    plans, _ = train_arms(design_of("random"))
    assert list(plans[0]) == ["none", "all", "placed"]
    assert plans[0]["placed"] == plans[0]["none"]


def test_a_draw_of_all_sites_takes_the_trainings_that_are_there(design_of):
    plans, _ = train_arms(design_of("random", keep=CANDIDATES))
    assert plans[0]["random"] == plans[0]["placed"] == plans[0]["all"]


def test_a_kind_of_gate_that_all_sites_have_anyway_is_not_trained_twice(design_of):
    design = design_of("se")
    design = replace(design, everywhere=design.layouts["se"], layouts=design.layouts | {"all": design.layouts["se"]})
    plans, _ = train_arms(design)
    assert plans[0]["se"] == plans[0]["all"] != plans[0]["none"]


def test_rivals_that_are_not_known_or_named_twice_are_refused():
    with pytest.raises(SettingError) as raised:
        build_settings("quick", {"rivals": ["widr"]})
    assert str(raised.value) == f"No rival named 'widr'; known are {', '.join(RIVALS)}. Did you mean 'wider'?"
    with pytest.raises(SettingError) as raised:
        build_settings("quick", {"rivals": ["se", "wider", "se"]})
    assert str(raised.value) == "rivals names 'se' twice; expected each once."


def test_the_larger_presets_have_rivals_and_the_quick_ones_none():
    assert build_settings("quick").rivals == build_settings("quick", DEMO).rivals == ()
    assert build_settings("standard").rivals == build_settings("thorough").rivals == ("wider", "random")
