"""A file alone never makes a command run code that is no part of focalseg, nor fetch or load anything."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from focalseg.cli.options import read_settings
from focalseg.errors import SettingError
from focalseg.hosts.building import NetworkConfig
from focalseg.records.seals import sign_text
from focalseg.study.beginning import PlaceJob, recall_settings
from focalseg.study.presets import build_settings
from focalseg.yaml_files import write_yaml

MODULE = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\ndef build(**shape):\n    raise SystemExit\n"


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module in the working folder that leaves a file once it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("trap_of_a_test.py").write_text(MODULE)
    yield tmp_path / "ran"
    sys.modules.pop("trap_of_a_test", None)


def write_config(**network):
    path = Path("settings.yaml")
    path.write_text(json.dumps({"network": network}))  # JSON is YAML
    return path


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "place"])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("name", ["trap_of_a_test:build", "torch.hub:load", "os:system"])
def test_a_function_that_a_file_names_is_not_run_but_refused_with_the_way(focalseg, make_folder, trap, verb, wrapped, name):
    config, data, out = write_config(name=name), make_folder(), trap.parent / "out"
    if wrapped:  # as in the config.yaml of a job
        config.write_text(yaml.safe_dump({"data": str(data), "settings": yaml.safe_load(config.read_text())}))
    outcome = focalseg(verb, data, "--out", out, "--config", config)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: settings.yaml names the network {name}, which is no part of focalseg and is run where it is named. Only the "
        f"command may ask for that: if you trust it, add --network {name}; if not, take network.name out of the file.\n"
    )
    assert not trap.exists()
    assert not out.exists()


@pytest.mark.parametrize("said", ["network", "set"])
def test_the_way_that_is_named_works(trap, said):
    name = "trap_of_a_test:build"
    config = write_config(name=name, arguments={"depth": 3})
    assignments, network = ([], name) if said == "network" else ([f"network.name={name}"], None)
    settings = read_settings("quick", config, assignments, network=network)
    assert (settings.network.name, settings.network.arguments) == (name, {"depth": 3})
    for other in ("unet", "monai:UNet"):  # taken out of force by the command
        assert read_settings("quick", config, [], network=other).network.name == other
    with pytest.raises(SettingError, match="Only the command may ask for that"):
        read_settings("quick", config, ["network.name=unet", f"network.arguments={{name: '{name}'}}", "network={}"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"encoder_weights": "imagenet"},
        {"encoder_weights": "http://127.0.0.1/weights.pth"},
        {"encoder_name": "tu-hf-hub:someone/something"},
        {"encoder_name": "resnet18", "checkpoint_path": "/tmp/weights.pth"},
        {"aux_params": {"classes": 2}},
    ],
)
def test_weights_are_not_fetched_because_a_file_says_so(trap, arguments):
    config = write_config(name="smp:Unet", arguments=arguments)
    for network in (None, "smp:Unet"):
        with pytest.raises(SettingError, match=r"^settings\.yaml has arguments for smp:Unet .*repeat them in it") as caught:
            read_settings("quick", config, [], network=network)
        assert list(arguments)[-1] in str(caught.value)
    repeated = [f"network.arguments={json.dumps(arguments)}"]
    assert read_settings("quick", config, repeated).network.arguments == arguments
    harmless = write_config(name="smp:Unet", arguments={"encoder_name": "resnet34", "encoder_weights": None})
    assert read_settings("quick", harmless, []).network.name == "smp:Unet"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "monai:networks.nets.__init__.os.system",
            "monai:os",
            "monai:unet",
            "monai:UNet.__init__",
            "smp:os.system",
            "smp:Unet.x",
        ),
        *(
            "unet:os",
            "monai:",
            ":system",
            "os:",
            "os:path.join",
            "os system:x",
            "../os:system",
            "/tmp/os:system",
            "a..b:c",
            "a:b:c",
        ),
    ],
)
def test_no_name_reaches_into_a_library_past_its_list(name):
    if name == "unet:os":  # a module of that name would be a person's own
        assert not NetworkConfig(name=name).built_in
        return
    with pytest.raises(SettingError, match="^name was "):
        NetworkConfig(name=name)


def test_the_folder_of_a_job_with_hours_does_not_bring_a_network_along(tmp_path):
    asked = build_settings("quick")
    job = PlaceJob(data="d", seed=0, settings=build_settings("quick", {"seeds": 2}), budget_hours=1.0, asked=asked)
    path = tmp_path / "config.yaml"
    path.write_text(sign_text(write_yaml(job)))
    assert recall_settings(tmp_path, asked, 1.0) == job.settings
    path.write_text(sign_text(write_yaml(job).replace("    name: unet", "    name: torch.hub:load", 1)))
    assert "torch.hub" in path.read_text()
    assert recall_settings(tmp_path, asked, 1.0) is None


@pytest.mark.parametrize("text", ["settings: 5", "settings:", "settings: [a]"])
def test_settings_that_are_none_are_refused_by_the_name_of_the_file(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=f"^{path}: settings was .*; expected `name: value` lines. Mend the file.$"):
        read_settings("quick", path, [])


def test_what_stands_in_place_of_a_group_of_settings_is_refused_or_replaced(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("network: 5")
    with pytest.raises(SettingError, match="^network was 5; expected settings"):
        read_settings("quick", path, [])
    assert read_settings("quick", path, ["network.base_width=4"]).network.base_width == 4
