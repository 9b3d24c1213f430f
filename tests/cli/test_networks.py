"""Networks by name: MONAI's and a person's own go through the whole job; what cannot be had is refused before it starts."""

import json
import re

import pytest

from focalseg.hosts.libraries.plans import MONAI_NETWORKS

pytestmark = pytest.mark.slow

TINY = [
    *("--set", "seeds=2", "--set", "data.longest_side=32", "--set", "network.base_width=4", "--set", "network.most_levels=3"),
    *("--set", "training.steps=6", "--set", "training.batch_size=4", "--set", "training.validate_every=6"),
]
OWN = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.join = nn.Sequential(nn.Conv2d(8, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, classes, 1)

    def forward(self, image):
        fine = self.fine(image)
        coarse = self.coarse(fine)
        return self.head(self.join(torch.cat([self.up(coarse), fine], dim=1)))

def build(spatial_dims, in_channels, classes):
    assert spatial_dims == 2
    return Own(in_channels, classes)

def half(spatial_dims, in_channels, classes):
    return nn.Conv2d(in_channels, classes, 3, stride=2, padding=1)

def nothing(spatial_dims, in_channels, classes):
    return None

def broken(spatial_dims, in_channels, classes):
    raise ValueError("no such thing")

class Several(Own):
    def forward(self, image):
        return [super().forward(image)]

def several(spatial_dims, in_channels, classes):
    return Several(in_channels, classes)

number = 5
"""


@pytest.fixture
def own_network(tmp_path, monkeypatch):
    """A module with a network in the working folder, under a name that no other test has imported."""
    name = f"own_{abs(hash(str(tmp_path)))}"
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return name


@pytest.mark.parametrize("network", [f"monai:{name}" for name in MONAI_NETWORKS])
def test_train_takes_every_network_of_monai_with_attention_everywhere(focalseg, make_folder, tmp_path, network):
    out = tmp_path / "out"
    outcome = focalseg("train", make_folder(size=32), "--out", out, "--network", network, "--attention", "all", *TINY)
    assert outcome.status == 0, outcome.err
    assert re.search(r"^[1-9]\d* attention modules, ", outcome.out, flags=re.MULTILINE)
    assert (out / "report" / "index.html").stat().st_size > 5_000


def test_place_on_a_network_of_monai_ends_with_a_lean_network_that_loads(focalseg, make_folder, tmp_path):
    from focalseg.inference.loading import load_lean

    out = tmp_path / "out"
    outcome = focalseg("place", make_folder(size=32), "--out", out, "--network", "monai:DynUNet", *TINY, "--workers", 1)
    assert outcome.status == 0, outcome.err
    config, network = load_lean(out / "lean")
    assert config.network.name == "monai:DynUNet"
    assert type(network).__name__ == "DynUNet"
    costs = json.loads((out / "placement.json").read_text())["costs"]
    assert {cost["site"] for cost in costs["sites"]} >= {"encoder.0", "bottleneck", "skip.0"}
    assert all(cost["parameters"] > 0 and cost["seconds"] > 0 for cost in costs["sites"])


def test_place_takes_a_function_of_ones_own_with_named_places(focalseg, make_folder, tmp_path, own_network):
    from focalseg.errors import SettingError
    from focalseg.inference.loading import load_lean

    out, name = tmp_path / "out", f"{own_network}:build"
    places = ["--set", "network.stages=[fine, coarse]", "--set", "network.skips={top: ['join:0[4:]', 'coarse']}"]
    data = make_folder(size=32)
    outcome = focalseg("place", data, "--out", out, "--network", name, *places, *TINY, "--workers", 1)
    assert outcome.status == 0, outcome.err
    content = json.loads((out / "placement.json").read_text())
    assert [(site["site"], site["gate"]) for site in content["sites"]] == [("fine", "se"), ("coarse", "se"), ("top", "ag")]
    with pytest.raises(SettingError, match=r"loading it would run that function\. Say that you trust it with own_network="):
        load_lean(out / "lean")
    assert type(load_lean(out / "lean", own_network=name)[1]).__name__ == "Own"
    for model in (out, out / "lean"):
        answer = focalseg("predict", model, data, "--out", tmp_path / "masks" / model.name)
        assert (answer.status, f"If you trust it, add --network {name}." in answer.err) == (2, True)
        answer = focalseg("predict", model, data, "--out", tmp_path / "masks" / model.name, "--network", name)  # the mend
        assert answer.status == 0, answer.err
        assert len(list((tmp_path / "masks" / model.name).glob("*.png"))) == 10


def test_a_site_where_a_gate_could_do_nothing_is_named_before_training_and_left_out(focalseg, make_folder, tmp_path):
    out = tmp_path / "out"
    arguments = ["--network", "monai:SegResNet", "--set", "network.base_width=8", "--attention", "all"]
    outcome = focalseg("train", make_folder(size=32), "--out", out, *TINY, *arguments)
    assert outcome.status == 0, outcome.err
    assert outcome.err.startswith("note: no attention at decoder.0, where se could do nothing: a norm right behind it cancels")
    assert "decoder.0" not in (out / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--network", "monai:Dynunet"], r"network\.name was 'monai:Dynunet'; expected .* Did you mean 'monai:DynUNet'\?"),
        (["--network", "resnet"], r"network\.name was 'resnet'; expected unet, .*, or package\.module:function of .*"),
        (["--network", "no_such_module:build"], r"The network no_such_module:build cannot be imported \(.*\); expected .*"),
        (["--network", "OWN:biuld"], r"No function in OWN named 'biuld'; known are .* Did you mean 'build'\?"),
        (["--network", "OWN:nothing"], r"OWN:nothing returned a NoneType; expected a torch\.nn\.Module\."),
        (["--network", "OWN:half"], r"Conv2d makes \(1, 1, 16, 16\) of an image of shape \(3, 32, 32\); expected logits .*"),
        (["--network", "OWN:build"], r"Own is of no family whose sites are known .*; name the places: .* It has fine, .*"),
        (
            ["--network", "OWN:build", "--set", "network.arguments={depth: 3}"],
            r"The network OWN:build refuses its arguments \(.*'depth'.*\); it is called with .*\(depth\)\. Mend .*",
        ),
        (
            ["--network", "OWN:build", "--set", "network.stages=[fin]"],
            r"No module named 'fin'; the network has fine, coarse, up, join, head\. Did you mean 'fine'\?",
        ),
        (
            ["--network", "OWN:build", "--set", "network.stages=[fine]", "--set", "gates=[ag]"],
            r"No site of OWN:build takes ag; it has fine\. Name other gates \(se, .*\) or other places\.",
        ),
        (
            ["--set", "gates=[se, eca]"],
            r"gates names 'se' and 'eca', both for stages; expected one of them\.",
        ),
        (
            ["--network", "OWN:build", "--set", "network.skips={top: [join]}"],
            r"network\.skips\.top was \['join'\]; expected two places, that of the skip and that of its gating signal\.",
        ),
        (
            ["--network", "OWN:broken"],
            r"The network OWN:broken could not be built: ValueError: no such thing \(.*OWN\.py, line \d+\)\. Mend .*",
        ),
        (
            ["--network", "OWN:several"],
            r"Several returns no tensor; expected one, logits \(B, 1, \*spatial\) of .*",
        ),
        (
            ["--network", "monai:DynUNet", "--set", "network.arguments={deep_supervision: true}"],
            r"DynUNet returns something else in training than in evaluation; expected logits .* Turn deep supervision off\.",
        ),
        (
            ["--network", "monai:UNet", "--set", "network.arguments={norm: none_such}"],
            r"monai:UNet refuses \{.*'norm': 'none_such'.*\}: .*\. Mend network\.arguments\.",
        ),
    ],
)
def test_a_network_that_cannot_be_had_is_refused_before_anything_is_written(
    focalseg, make_folder, tmp_path, own_network, arguments, complaint
):
    out = tmp_path / "out"
    named = [argument.replace("OWN", own_network) for argument in arguments]
    outcome = focalseg("place", make_folder(size=32), "--out", out, *TINY, *named)
    assert outcome.status == 2, outcome.err
    lines = outcome.err.splitlines()
    assert len(lines) == 1
    assert re.fullmatch("error: " + complaint.replace("OWN", own_network), lines[0]), lines[0]
    assert not out.exists()
