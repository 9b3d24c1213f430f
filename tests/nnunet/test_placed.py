"""Where a placement is read from: a job, a lean folder or a placement by hand, with exponents and the depth of its network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.building import NetworkConfig, plan_arguments
from focalseg.networks.state import read_state
from focalseg.nnunet.placed import count_levels, read_placed
from focalseg.records.placement import SHUT, Placement
from focalseg.records.record import read_sealed, write_json, write_record
from focalseg.records.result import Result
from focalseg.records.seals import hash_file
from focalseg.records.site_decision import SiteDecision
from focalseg.training.run import RunConfig, build_network
from focalseg.yaml_files import write_yaml

LAYOUT = {"encoder.0": "se", "skip.1": SHUT, "skip.0": "ag"}


def write_lean(folder: Path, network: NetworkConfig, **changes: Any) -> Path:
    """A folder as `focalseg place` writes it, of a network with the exponents 0.5, 1.0 ... in the order of its sites."""
    config = RunConfig(
        data="phantom:one",
        preparation=Preparation(size=(32, 32), mean=(0.0,), standard_deviation=(1.0,)),
        network=network,
        attention=LAYOUT,
        **changes,
    )
    built = build_network(config)
    with torch.no_grad():
        for number, site in enumerate(attention_sites(built).values(), start=1):
            site.gamma.fill_(number / 2)
    folder.mkdir()
    save_file(read_state(built), folder / "model.safetensors")
    write_json(
        folder / "config.json", {**to_mapping(config), "weights_sha256": hash_file(folder / "model.safetensors")}, indent=2
    )
    return folder


def unet(levels: int) -> NetworkConfig:
    return NetworkConfig(in_channels=1, arguments={"widths": [4, 6, 8, 8][:levels]})


def save_placement(path: Path, *, kept: dict[str, float], dropped: tuple[str, ...] = ()) -> None:
    numbers = {"gate": "se", "removal_cost": 0.0, "spread": 0.0, "why": "by hand"}
    sites = [SiteDecision(site=site, gamma=gamma, kept=True, **numbers) for site, gamma in kept.items()]
    sites += [SiteDecision(site=site, gamma=1.0, kept=False, **numbers) for site in dropped]
    Placement(policy="by hand", sites=tuple(sites)).save(path)


@pytest.mark.parametrize("levels", [3, 4])
def test_a_lean_folder_tells_the_exponents_of_its_network_and_how_deep_that_is(tmp_path: Path, levels: int) -> None:
    placed = read_placed(write_lean(tmp_path / "lean", unet(levels), standardise_logits=True))
    assert placed.layout == LAYOUT
    assert placed.gammas == {"encoder.0": 0.5, "skip.0": 1.0}
    assert (placed.levels, placed.standardise) == (levels, True)


def test_a_finished_run_tells_the_same_of_its_network(tmp_path: Path) -> None:
    run = write_lean(tmp_path / "run", unet(3))
    lean = read_placed(run)
    config = read_sealed(run / "config.json", "")
    (run / "config.json").unlink()
    config.pop("weights_sha256")
    (run / "config.yaml").write_text(write_yaml(from_mapping(RunConfig, config)), encoding="utf-8")
    files = {name: hash_file(run / name) for name in ("config.yaml", "model.safetensors")}
    write_record(run / "result.json", Result(modules=2, parameters=1, flops=1, seconds=1.0, files=files))
    assert read_placed(run) == lean
    (run / "config.yaml").write_text("data: another", encoding="utf-8")
    with pytest.raises(SettingError, match=r"config\.yaml"):
        read_placed(run)


def test_a_saved_model_of_several_networks_tells_what_its_first_holds(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    first = write_lean(saved / "0", unet(3))
    write_json(saved / "ensemble.json", {"members": ["0"]}, indent=1)
    assert read_placed(saved) == read_placed(first)


def test_the_depth_of_a_network_of_a_library_is_counted_in_it(tmp_path: Path) -> None:
    name = "nnunet:PlainConvUNet"
    network = NetworkConfig(name=name, in_channels=1, arguments=plan_arguments(name, widths=(4, 6, 8, 8)))
    assert read_placed(write_lean(tmp_path / "lean", network)).levels == 4


def test_a_job_has_its_own_decisions_and_the_depth_of_its_lean_network(tmp_path: Path) -> None:
    save_placement(tmp_path / "placement.json", kept={"encoder.0": 1.25})
    write_lean(tmp_path / "lean", unet(4), standardise_logits=True)
    placed = read_placed(tmp_path)
    assert (placed.layout, placed.gammas) == ({"encoder.0": "se"}, {"encoder.0": 1.25})
    assert (placed.levels, placed.standardise) == (4, True)


def test_a_placement_alone_tells_the_depth_by_the_sites_that_were_examined(tmp_path: Path) -> None:
    path = tmp_path / "by-hand.json"
    save_placement(path, kept={"bottleneck": 0.75}, dropped=("encoder.0", "encoder.1", "encoder.2"))
    placed = read_placed(path)
    assert (placed.layout, placed.gammas, placed.levels) == ({"bottleneck": "se"}, {"bottleneck": 0.75}, 4)
    save_placement(path, kept={"bottleneck": 0.75, "encoder.0": 1.0})
    assert read_placed(path).levels is None


def test_levels_are_counted_from_the_names_of_sites_alone() -> None:
    assert count_levels(["encoder.0", "encoder.1", "bottleneck", "skip.0", "decoder.0"]) == 3
    assert count_levels(["layer1", "skip.top", "bottleneck"]) is None
    assert count_levels(["encoder.0", "skip.0"]) is None


def test_an_exponent_below_0_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "placement.json"
    save_placement(path, kept={"bottleneck": -0.5})
    with pytest.raises(SettingError) as raised:
        read_placed(path)
    assert str(raised.value) == (
        f"{path} has gamma -0.5 for bottleneck; expected a finite number from 0 on. Make the placement anew."
    )


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = write_lean(tmp_path / "lean", unet(3))
    save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(SettingError, match=r"model\.safetensors "):
        read_placed(folder)
