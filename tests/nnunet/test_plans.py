"""nnU-Net's plans with a placement in them: what changes, what stays, and what is said where the two do not fit."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import filled_sites
from focalseg.hosts.gammas import read_gammas
from focalseg.nnunet.factory import BUILD
from focalseg.nnunet.placed import Placed, read_placed
from focalseg.nnunet.plans import export_plans, write_plans
from focalseg.records.placement import SHUT, Placement
from focalseg.records.site_decision import SiteDecision
from nnunet.architectures import LAYERS, build_as_nnunet, describe

SITES = {"encoder.0": 0.5, "encoder.1": 0.2, "encoder.2": 0.1, "bottleneck": 1.5, "skip.0": 0.25, "skip.1": 0.3, "skip.2": 0.4}
KEPT = {"encoder.0": "se", "bottleneck": "se", "skip.0": "ag"}


def plan(**changes: Any) -> dict[str, Any]:
    """Plans as nnU-Net writes them, cut down to what matters here."""
    return {
        "dataset_name": "Dataset004_Hippocampus",
        "plans_name": "nnUNetPlans",
        "configurations": {
            "2d": {
                "data_identifier": "nnUNetPlans_2d",
                "patch_size": [32, 32],
                "architecture": describe("PlainConvUNet", 2, levels=6),
            },
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "patch_size": [16, 16, 16],
                "architecture": describe("ResidualEncoderUNet", 3),
            },
            "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
        },
        "label_manager": "LabelManager",
        **changes,
    }


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    path = tmp_path / "nnUNetPlans.json"
    path.write_text(json.dumps(plan()), encoding="utf-8")
    return path


@pytest.fixture
def placement(tmp_path: Path) -> Path:
    """A placement of three sites out of seven, found in a network of four levels."""
    decisions = [
        SiteDecision(
            site=site,
            gate="ag" if site.startswith("skip") else "se",
            gamma=gamma,
            removal_cost=0.0,
            spread=0.1,
            kept=site in KEPT,
            why="by hand",
        )
        for site, gamma in SITES.items()
    ]
    path = tmp_path / "placement.json"
    Placement(policy="by hand", sites=tuple(decisions)).save(path)
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_only_the_architecture_and_the_name_change(plans: Path, placement: Path, tmp_path: Path) -> None:
    export_plans(placement, plans, tmp_path / "out", ["3d_fullres"])
    written, before = read(tmp_path / "out" / "nnUNetPlans_focal.json"), plan()
    changed = written["configurations"]["3d_fullres"].pop("architecture")
    stock = before["configurations"]["3d_fullres"].pop("architecture")
    assert written == {**before, "plans_name": "nnUNetPlans_focal"}
    assert changed["network_class_name"] == BUILD
    assert changed["_kw_requires_import"] == list(LAYERS)
    assert changed["arch_kwargs"] == {
        **stock["arch_kwargs"],
        "host": stock["network_class_name"],
        "attention": KEPT,
        "gammas": {"encoder.0": 0.5, "bottleneck": 1.5, "skip.0": 0.25},
        "standardise_logits": False,
        "patch_size": [16, 16, 16],
    }


@pytest.mark.parametrize("configurations", [None, ["all"], ["2d", "3d_fullres"]])
def test_every_configuration_builds_the_placed_network_as_nnunet_does(
    plans: Path, placement: Path, tmp_path: Path, configurations: list[str] | None
) -> None:
    export_plans(placement, plans, tmp_path, configurations)
    written = read(tmp_path / "nnUNetPlans_focal.json")["configurations"]
    for name in ("2d", "3d_fullres"):
        network = build_as_nnunet(written[name]["architecture"], deep_supervision=True)
        assert {site: gate for site, (_, gate) in filled_sites(network).items()} == KEPT
        assert read_gammas(network) == {"encoder.0": 0.5, "bottleneck": 1.5, "skip.0": 0.25}
        size = written[name]["patch_size"]
        assert network(torch.zeros(1, 2, *size))[0].shape == (1, 3, *size)
    assert "architecture" not in written["3d_cascade_fullres"]


def test_what_a_person_should_know_is_said(plans: Path, placement: Path, tmp_path: Path) -> None:
    gates = "se at encoder.0 (exponent 0.5), se at bottleneck (exponent 1.5), ag at skip.0 (exponent 0.25)"
    assert export_plans(placement, plans, tmp_path) == [
        f"2d: PlainConvUNet with 6 levels: {gates}. Exponents stay as they are in training.",
        "2d: the sites were chosen in a network with 4 levels, and this one has 6. They keep their names, level 0 being the "
        "finest; but the bottleneck, which was level 3, is level 5 here, another place. Levels 3 to 4, which were not "
        "examined, "
        "have no gate.",
        f"3d_fullres: ResidualEncoderUNet with 4 levels: {gates}. Exponents stay as they are in training.",
        "3d_cascade_fullres inherits from 3d_fullres and gets the same gates.",
        "Put nnUNetPlans_focal.json beside nnUNetPlans.json in nnUNet_preprocessed, and train with `nnUNetv2_train "
        "DATASET 2d FOLD "
        "-p nnUNetPlans_focal`; data that were preprocessed stay in use. focalseg has to be installed where nnU-Net runs, in "
        "training and in prediction.",
    ]
    only = export_plans(placement, plans, tmp_path, ["2d"])
    assert only[-2] == "Without gates: 3d_fullres, 3d_cascade_fullres."


def test_a_configuration_that_inherits_its_architecture_gets_one_of_its_own_where_it_alone_is_named(
    plans: Path, placement: Path, tmp_path: Path
) -> None:
    export_plans(placement, plans, tmp_path, ["3d_cascade_fullres"])
    written = read(tmp_path / "nnUNetPlans_focal.json")["configurations"]
    assert written["3d_cascade_fullres"]["architecture"]["network_class_name"] == BUILD
    assert written["3d_fullres"] == plan()["configurations"]["3d_fullres"]


def test_a_layout_by_hand_may_shut_a_skip_and_says_that_nobody_knows_where_it_was_found(plans: Path, tmp_path: Path) -> None:
    said = write_plans(plans, Placed(layout={"encoder.0": "se", "skip.1": SHUT}, gammas={"encoder.0": 0.01}), tmp_path, ["2d"])
    assert said[:3] == [
        "2d: PlainConvUNet with 6 levels: se at encoder.0 (exponent 0.01), shut at skip.1. Exponents stay as they are in "
        "training.",
        "2d: the exponent at encoder.0 is so near to 0 that the gate hardly acts.",
        "2d: nobody can tell how deep the network was in which the sites were chosen. Level 0 is the finest; the bottleneck is "
        "level 5 here.",
    ]
    network = build_as_nnunet(read(tmp_path / "nnUNetPlans_focal.json")["configurations"]["2d"]["architecture"])
    assert network.focal_attention.gates == {"encoder.0": "se", "skip.1": SHUT}


def test_it_is_written_anew_over_its_own_file_and_over_no_other(plans: Path, placement: Path, tmp_path: Path) -> None:
    export_plans(placement, plans, tmp_path, ["2d"])
    export_plans(placement, plans, tmp_path, ["3d_fullres"])
    target = tmp_path / "nnUNetPlans_focal.json"
    assert read(target)["configurations"]["2d"] == plan()["configurations"]["2d"]
    target.write_text("{}", encoding="utf-8")
    with pytest.raises(SettingError) as raised:
        export_plans(placement, plans, tmp_path)
    assert str(raised.value) == (
        f"{target} is there and was not written by focalseg; expected a new place. Give another --out."
    )
    assert target.read_text(encoding="utf-8") == "{}"


def test_a_site_that_the_plans_network_does_not_have_is_refused_and_the_mend_works(plans: Path, tmp_path: Path) -> None:
    deep = Placed(layout={"encoder.4": "se"}, gammas={}, levels=6)
    with pytest.raises(SiteError) as raised:
        write_plans(plans, deep, tmp_path / "out")
    assert str(raised.value) == (
        f"{plans}, configuration 3d_fullres: No site named 'encoder.4'; known are encoder.0, encoder.1, encoder.2, bottleneck, "
        "skip.0, skip.1, skip.2, decoder.0, decoder.1, decoder.2. Did you mean 'encoder.2'? The network has 4 levels, "
        "the one in which the sites were chosen has 6. Leave 3d_fullres out by naming others with --configuration, or give "
        "another placement."
    )
    assert not (tmp_path / "out").exists()
    assert write_plans(plans, deep, tmp_path / "out", ["2d"])[0].startswith(
        "2d: PlainConvUNet with 6 levels: se at encoder.4. "
    )


def faulty(**changes: Any) -> dict[str, Any]:
    """Plans whose configuration 2d has these values."""
    changed = plan()
    changed["configurations"] = {"2d": {**changed["configurations"]["2d"], **changes}}
    return changed


def with_arguments(**changes: Any) -> dict[str, Any]:
    """Plans whose network 2d has these arguments."""
    return faulty(architecture=describe("PlainConvUNet", 2, **changes))


GIVE = "expected plans that nnUNetv2_plan_and_preprocess wrote, such as nnUNetPlans.json. Give that file."
OLD = {"UNet_class_name": "PlainConvUNet", "UNet_base_num_features": 32, "patch_size": [32, 32]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], " has no configurations by name; " + GIVE),
        (plan(plans_name="../elsewhere"), ": plans_name was '../elsewhere'; expected a name for a file, as in " + GIVE[9:]),
        (
            plan(configurations={"2d": OLD}),
            ", configuration 2d was planned by nnU-Net before 2.4 and names no architecture; expected plans of 2.4 or "
            "newer. Run "
            "nnUNetv2_plan_experiment -d DATASET again; the preprocessed data may stay.",
        ),
        (
            plan(configurations={"a": {"inherits_from": "b"}, "b": {"inherits_from": "a"}}),
            ": configuration a inherits from itself; " + GIVE,
        ),
        (plan(configurations={"a": {"inherits_from": "b"}}), ": configuration a inherits from 'b', which is none; " + GIVE),
        (
            faulty(architecture={"network_class_name": BUILD, "arch_kwargs": {}}),
            ", configuration 2d has a placement already; expected nnU-Net's own plans. Give the file without _focal.",
        ),
        (
            faulty(architecture={"network_class_name": "os.system", "arch_kwargs": {}}),
            ", configuration 2d: network_class_name was 'os.system'; expected PlainConvUNet or ResidualEncoderUNet or "
            "ResidualUNet "
            "of dynamic_network_architectures, whose sites are known. Choose another configuration or other plans.",
        ),
        (with_arguments(n_stages=10**9), ", configuration 2d: n_stages was 1000000000; expected 2 to 20, as in " + GIVE[9:]),
        (
            with_arguments(n_conv_per_stage=10**9),
            ", configuration 2d: n_conv_per_stage was 1000000000; expected 1 to 100 a stage.",
        ),
        (faulty(patch_size="big"), ", configuration 2d: patch_size was 'big'; expected one to three lengths. " + GIVE[9:]),
        (
            with_arguments(nonlin="os.system"),
            ", configuration 2d: nonlin was 'os.system'; expected a layer of torch, such as 'torch.nn.LeakyReLU', or for "
            "block one "
            "of BasicBlockD and BottleneckD of dynamic_network_architectures.",
        ),
        (
            with_arguments(colour="red"),
            ", configuration 2d: colour was 'red'; expected a layer of torch, such as 'torch.nn.LeakyReLU', or for block one "
            "of BasicBlockD and BottleneckD of dynamic_network_architectures.",
        ),
        (
            with_arguments(colour=3),
            ", configuration 2d: PlainConvUNet refuses its arch_kwargs (PlainConvUNet.__init__() got an unexpected keyword "
            "argument 'colour'); " + GIVE,
        ),
    ],
)
def test_plans_that_are_none_are_refused_with_what_is_at_fault(
    content: Any, message: str, placement: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SettingError) as raised:
        export_plans(placement, path, tmp_path / "out")
    assert str(raised.value) == f"{path}{message}"
    assert not (tmp_path / "out").exists()


def test_an_unknown_configuration_is_offered_the_nearest(plans: Path, placement: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as raised:
        export_plans(placement, plans, tmp_path, ["3d_fulres"])
    assert str(raised.value) == (
        f"{plans}: No configuration named '3d_fulres'; known are 2d, 3d_fullres, 3d_cascade_fullres. Did you mean '3d_fullres'?"
    )


def test_a_placement_that_keeps_nothing_is_refused(placement: Path, plans: Path, tmp_path: Path) -> None:
    content = read(placement)
    for site in content["sites"]:
        site["kept"] = False
    content.pop("sha256", None)
    unsealed = {name: value for name, value in content.items() if name in ("schema", "policy", "sites")}
    placement.write_text(json.dumps(unsealed), encoding="utf-8")
    with pytest.raises(SettingError) as raised:
        export_plans(placement, plans, tmp_path)
    assert str(raised.value) == (
        "The placement keeps no site, so nnU-Net's own plans describe the placed network; train with those, or give a "
        "placement "
        "that keeps a site."
    )


def test_a_folder_without_a_placement_is_refused(tmp_path: Path) -> None:
    for path, found in ((tmp_path, "holds none of them"), (tmp_path / "nowhere", "is not there")):
        with pytest.raises(SettingError) as raised:
            read_placed(path)
        assert str(raised.value) == (
            f"{path} {found}; expected the folder of a `focalseg place` job with placement.json, its folder `lean` with "
            "config.json, a finished run, or a placement.json. Give one of these."
        )


def test_the_plans_that_are_given_stay_as_they_were(plans: Path, placement: Path, tmp_path: Path) -> None:
    before = copy.deepcopy(plans.read_bytes())
    export_plans(placement, plans, tmp_path)
    assert plans.read_bytes() == before
