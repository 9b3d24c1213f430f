"""What was added goes to files by itself and back; files that are not whole, or hostile, are refused and nothing is touched."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from damage import cut, flip_bits, read_unsealed
from focalseg.attention import GATES
from focalseg.catalogue import unknown_name_message
from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.gammas import gamma_parameters, read_gammas
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.weights import ATTENTION, WEIGHTS, load_attention, save_attention
from focalseg.networks.unet import UNet
from hosts.host_table import HOSTS, copy_host, host_sites

BuildUNet = Callable[..., UNet]
LookAt = Callable[[nn.Module], Any]
LAYOUT = {"encoder.0": "se", "bottleneck": "spatial", "skip.0": "ag"}


@pytest.fixture
def saved(build_unet: BuildUNet, tmp_path: Path) -> Path:
    """A folder with the attention of a U-Net, gammas 0.5, 1, 1.5."""
    network = build_unet()
    fill_sites(network, LAYOUT)
    for number, gamma in enumerate(gamma_parameters(network), start=1):
        nn.init.constant_(gamma, number / 2)
    folder = tmp_path / "attention"
    save_attention(network, folder)
    return folder


def test_the_files_hold_the_sites_and_every_added_tensor_and_nothing_of_the_host(saved: Path) -> None:
    content = json.loads((saved / ATTENTION).read_text(encoding="utf-8"))
    assert content["schema"] == 1
    assert {record["site"]["name"]: (record["gate"], record["standardise"]) for record in content["sites"]} == {
        name: (gate, False) for name, gate in LAYOUT.items()
    }
    state = load_file(saved / WEIGHTS)
    assert {name.split(".")[0] for name in state} == {"focal_attention"}
    assert {name.split(".")[1] for name in state} == {"encoder/0", "bottleneck", "skip/0"}
    assert state["focal_attention.bottleneck.gamma"] == 1.0


def test_what_is_loaded_is_what_was_saved_and_trains(
    saved: Path, build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor]
) -> None:
    network = build_unet(seed=5)
    host = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_attention(network, saved)
    assert read_gammas(network) == {"encoder.0": 0.5, "bottleneck": 1.0, "skip.0": 1.5}
    assert {name: gate for name, (_, gate) in filled_sites(network).items()} == LAYOUT
    assert all(torch.equal(tensor, host[name]) for name, tensor in network.state_dict().items() if name in host)
    network(draw_images()).square().sum().backward()
    added = {name: weight for name, weight in network.named_parameters() if name not in host}
    assert all(weight.requires_grad and weight.grad is not None for weight in added.values())
    before = {name: weight.clone() for name, weight in added.items()}
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    assert any(not torch.equal(weight, before[name]) for name, weight in added.items())
    assert read_gammas(build_again(build_unet, saved)) == {"encoder.0": 0.5, "bottleneck": 1.0, "skip.0": 1.5}


def build_again(build_unet: BuildUNet, folder: Path) -> UNet:
    network = build_unet()
    load_attention(network, folder)
    return network


def test_gates_that_standardise_do_so_once_they_are_loaded(
    build_unet: BuildUNet, draw_images: Callable[..., torch.Tensor], tmp_path: Path
) -> None:
    network, fresh = build_unet().eval(), build_unet().eval()
    fill_sites(network, LAYOUT, standardise=True)
    save_attention(network, tmp_path)
    load_attention(fresh, tmp_path)
    assert all(site.gate.standardise for site in attention_sites(fresh).values())
    assert torch.equal(fresh(draw_images()), network(draw_images()))


def test_loaded_gates_take_the_number_type_of_their_new_host(saved: Path, build_unet: BuildUNet) -> None:
    network = build_unet().bfloat16()
    load_attention(network, saved)
    assert {weight.dtype for weight in network.parameters()} == {torch.bfloat16}


def test_attention_at_named_places_is_loaded_without_naming_them_again(tmp_path: Path) -> None:
    host = "hand-written"
    network, fresh, images = copy_host(host, 3).eval(), copy_host(host, 3).eval(), HOSTS[host].images(3)
    instrument(network, candidates=host_sites(host, 3))
    save_attention(network, tmp_path)
    load_attention(fresh, tmp_path)
    assert torch.equal(fresh(images), network(images))


def test_a_plain_network_has_nothing_to_save_and_a_filled_one_takes_nothing_in(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, tmp_path: Path
) -> None:
    with pytest.raises(SiteError) as raised:
        save_attention(build_unet(), tmp_path / "none")
    assert str(raised.value) == (
        "The network has no attention to save; call instrument(network) first. Where a placement kept no site, the network is "
        "the plain one: save its weights as before."
    )
    assert not (tmp_path / "none").exists()
    network = build_unet()
    instrument(network, gates=("ag",))
    before = look_at(network)
    with pytest.raises(SiteError) as raised:
        load_attention(network, saved)
    assert str(raised.value) == "Attention already stands at skip.0, skip.1; take it out first."
    assert look_at(network) == before


def refuse(network: nn.Module, folder: Path, look_at: LookAt, message: str, error: type[Exception] = SettingError) -> None:
    before = look_at(network)
    with pytest.raises(error) as raised:
        load_attention(network, folder)
    assert str(raised.value) == message
    assert look_at(network) == before


@pytest.mark.parametrize("name", [ATTENTION, WEIGHTS])
def test_a_file_that_is_missing_empty_cut_or_a_folder_is_named(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, name: str
) -> None:
    path, network = saved / name, build_unet()
    unseal(saved, lambda _: None)  # weights of an earlier version, which kept no digest of them
    whole = path.read_bytes()
    by_file = {
        ATTENTION: "expected one that save_attention wrote. Restore the file, or save it anew.",
        WEIGHTS: "expected weights as focalseg saved them. Restore the file.",
    }
    mend = by_file[name]
    faults = {b"": "JSONDecodeError", whole[: len(whole) // 2]: "JSONDecodeError", b"\xff\xfe" + whole: "UnicodeDecodeError"}
    for content, kind in faults.items():
        path.write_bytes(content)
        found = kind if name == ATTENTION else "SafetensorError"
        refuse(network, saved, look_at, f"{path} cannot be read ({found}); {mend}")
    path.unlink()
    refuse(network, saved, look_at, f"No file {path}; {mend}")
    path.mkdir()
    found = r"is a folder" if name == ATTENTION else r"cannot be read \(\w+\)"
    with pytest.raises(SettingError, match=rf"{found}; {mend}$"):
        load_attention(network, saved)


@pytest.mark.parametrize("name", [ATTENTION, WEIGHTS])
def test_a_file_that_was_cut_or_altered_by_one_bit_is_refused(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, name: str
) -> None:
    path, network = saved / name, build_unet()
    whole = path.read_bytes()
    for damaged in [*flip_bits(whole, 100), *cut(whole)]:
        path.write_bytes(damaged)
        before = look_at(network)
        with pytest.raises(SettingError, match=re.escape(str(path))):
            load_attention(network, saved)
        assert look_at(network) == before
    path.write_bytes(whole)
    load_attention(network, saved)


def unseal(folder: Path, edit: Callable[[Any], object]) -> None:
    """Writes the record of the sites anew, edited in place, as a version that sealed nothing would have written it."""
    content = read_unsealed(folder / ATTENTION)
    edit(content)
    (folder / ATTENTION).write_text(json.dumps(content), encoding="utf-8")


HOSTILE: list[tuple[str, Callable[[Any], object]]] = [
    (
        "No field named 'sites[0].site.surprise'; known are sites[0].site.name, ",
        lambda content: content["sites"][0]["site"].update(surprise=1),
    ),
    ("The field sites[0].site.kind is missing; give it a value.", lambda content: content["sites"][0]["site"].pop("kind")),
    (
        "sites[0].site.kind was 'other'; expected one of stage, skip, own.",
        lambda content: content["sites"][0]["site"].update(kind="other"),
    ),
    (
        "sites[0].site.shape.channels was -3; expected a finite number at least 1.",
        lambda content: content["sites"][0]["site"]["shape"].update(channels=-3),
    ),
    ("sites[0].site was []; expected fields as `name: value`.", lambda content: content["sites"][0].update(site=[])),
    (
        "sites[0].site: A site was named ''; expected a name, without a slash.",
        lambda content: content["sites"][0]["site"].update(name=""),
    ),
    (
        "sites[0].site: A site was named '../../encoder/0'; expected a name, without a slash.",
        lambda content: content["sites"][0]["site"].update(name="../../encoder/0"),
    ),
    ("The field sites[0].gate is missing; give it a value.", lambda content: content["sites"][0].pop("gate")),
    ("schema was None; this version reads 1.", lambda content: content.pop("schema")),
    ("The field sites is missing; give it a value.", lambda content: content.pop("sites")),
    ("sites was 3; expected a list, each item named values.", lambda content: content.update(sites=3)),
    ("sites was {'a': 1}; expected a list, each item named values.", lambda content: content.update(sites={"a": 1})),
    ("sites[3] was None; expected fields as `name: value`.", lambda content: content["sites"].append(None)),
]


@pytest.mark.parametrize(("fault", "edit"), HOSTILE)
def test_a_record_that_no_network_has_is_refused(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, fault: str, edit: Callable[[Any], object]
) -> None:
    unseal(saved, edit)
    network = build_unet()
    before = look_at(network)
    with pytest.raises(SettingError) as raised:
        load_attention(network, saved)
    assert str(raised.value).startswith(f"{saved / ATTENTION}: {fault}")
    assert str(raised.value).endswith(" Restore the file, or save it anew.")
    assert look_at(network) == before


def test_a_record_of_another_schema_without_sites_or_with_a_site_twice_is_refused(
    saved: Path, build_unet: BuildUNet, look_at: LookAt
) -> None:
    path, network = saved / ATTENTION, build_unet()
    once = f"{path}: sites has no site, or one twice; expected each site once. Restore the file, or save it anew."
    unseal(saved, lambda content: content["sites"].append(content["sites"][0]))
    refuse(network, saved, look_at, once)
    unseal(saved, lambda content: content.update(sites=[]))
    refuse(network, saved, look_at, once)
    unseal(saved, lambda content: content.update(schema=2))
    refuse(network, saved, look_at, f"{path}: schema was 2; this version reads 1. Restore the file, or save it anew.")


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["sites"][0]["site"]["shape"].update(channels=5),
        lambda content: content["sites"][0]["site"]["shape"].update(channels=10**12),
        lambda content: content["sites"][0]["site"]["shape"].update(channels=10**40),
        lambda content: content["sites"][1]["site"]["shape"].update(size=[8, 8, 8]),
        lambda content: content["sites"][1]["site"]["shape"].update(size=[]),
        lambda content: content["sites"][0].update(gate="eca"),
        lambda content: content["sites"][0]["site"].update(name="elsewhere"),
        lambda content: content["sites"].pop(),
    ],
)
def test_a_record_and_weights_that_are_not_of_one_network_are_refused_whatever_size_they_claim(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, edit: Callable[[Any], object]
) -> None:
    unseal(saved, edit)
    message = (
        f"{saved / WEIGHTS} does not hold the weights that {ATTENTION} describes; expected both files of one network. "
        "Save them again."
    )
    refuse(build_unet(), saved, look_at, message)


@pytest.mark.parametrize("gamma", [-0.5, float("nan"), float("inf")])
def test_an_exponent_that_no_site_can_have_is_refused(
    saved: Path, build_unet: BuildUNet, look_at: LookAt, gamma: float
) -> None:
    state = load_file(saved / WEIGHTS)
    state["focal_attention.skip/0.gamma"] = torch.tensor(gamma)
    save_file(state, saved / WEIGHTS)
    unseal(saved, lambda _: None)
    refuse(
        build_unet(),
        saved,
        look_at,
        f"{saved / WEIGHTS} has gamma {gamma} for skip.0; expected a finite number at least 0. Save them again.",
    )


def test_places_and_gates_that_the_network_does_not_have_are_refused(
    saved: Path, build_unet: BuildUNet, look_at: LookAt
) -> None:
    level = "encoder has encoder.0, encoder.1."
    unseal(saved, lambda content: content["sites"][0]["site"].update(features="encoder.7"))
    refuse(build_unet(), saved, look_at, f"No module named 'encoder.7'; {level} Did you mean 'encoder.1'?", SiteError)
    unseal(saved, lambda content: content["sites"][0]["site"].update(features="encoder.0[x]"))
    with pytest.raises(SiteError, match=r"^'encoder\.0\[x\]' is no place in a network; expected "):
        load_attention(build_unet(), saved)
    unseal(saved, lambda content: content["sites"][0]["site"].update(features="encoder.0"))
    unseal(saved, lambda content: content["sites"][0].update(gate="own"))
    message = (
        "encoder.0 has no gate of the host's own; the placement has 'own' there. Make the placement anew for this network."
    )
    refuse(build_unet(), saved, look_at, message, SiteError)
    unseal(saved, lambda content: content["sites"][0].update(gate="se2"))
    refuse(build_unet(), saved, look_at, unknown_name_message("gate", "se2", GATES))
