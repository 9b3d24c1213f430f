"""Loading a lean network: what the folder must hold, and what a file alone may not make us do."""

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.evaluation.verdict import Verdict
from focalseg.inference.folders import find_lean, find_run
from focalseg.inference.loading import load_lean, load_run
from focalseg.records.estimate import Estimate
from focalseg.records.outcome.strata import ArmStratum, Stratum
from focalseg.records.record import read_record
from focalseg.records.result import Result
from focalseg.records.seals import sign_text
from focalseg.study.outcome.lean import write_lean
from focalseg.study.train import train_one
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml, write_yaml
from records.test_record import ARM, SITE


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_folder, tiny_settings):
    """A run's folder with attention, and its config as plain data, laid out as a lean folder."""
    from dataclasses import asdict

    folder = tmp_path_factory.mktemp("lean")
    settings = replace(tiny_settings, training=replace(tiny_settings.training, steps=2))
    data = str(write_folder(folder / "data"))

    train_one(data, folder / "run", settings, attention="all", seed=0, device="cpu")
    config, _ = load_run(folder / "run")
    return folder / "run", json.loads(json.dumps(asdict(config)))


@pytest.fixture
def lean(trained, tmp_path):
    """A lean folder of the test's own."""
    run, config = trained
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    return tmp_path, config


def test_it_loads(lean):
    folder, _ = lean
    config, network = load_lean(folder)
    assert not network.training
    assert network(torch.zeros(1, *config.image_shape)).shape == (1, 1, *config.preparation.size)


def test_it_says_the_threshold_that_was_tuned_where_there_is_one(trained, tmp_path):
    run, _ = trained
    verdict = Verdict(
        outcome="helps", difference=Estimate(mean=0.1, low=0.0, high=0.2), smallest_difference=0.1, modules=1, trainings=2
    )
    for threshold in (0.35, None):
        lean = tmp_path / str(threshold)
        write_lean(lean, run, verdict, ARM, 5, threshold=threshold)
        assert find_lean(lean).threshold == threshold
        assert load_lean(lean).config == load_run(run).config
        assert ("| threshold | 0.5; on its validation cases 0.35 was the best |" in (lean / "README.md").read_text()) == bool(
            threshold
        )
    assert find_run(run).threshold == read_record(Result, run / "result.json").threshold


def test_the_card_tells_images_with_the_object_and_without_apart(trained, tmp_path):
    run, _ = trained
    verdict = Verdict(
        outcome="helps", difference=Estimate(mean=0.1, low=0, high=0.2), smallest_difference=0.1, modules=1, trainings=2
    )
    values = {"with_object": (0.62, 0.58, 0.66, 259), "missed": (0.05, None, None, 259), "left_empty": (0.22, 0.1, 0.34, 51)}
    strata = {
        name: Stratum(arms={"placed": ArmStratum(value=value, low=low, high=high, cases=cases)})
        for name, (value, low, high, cases) in values.items()
    }
    write_lean(tmp_path / "lean", run, verdict, ARM, 5, strata=strata)
    card = (tmp_path / "lean" / "README.md").read_text(encoding="utf-8").replace("\\", "")  # Markdown's signs are escaped
    assert "| test Dice of images with the object | 0.620 (95 % interval 0.580 to 0.660), 259 cases |" in card
    assert "| objects missed altogether | 0.050, 259 cases |" in card
    assert "| images without it left empty | 0.220 (95 % interval 0.100 to 0.340), 51 cases |" in card
    write_lean(tmp_path / "all", run, verdict, ARM, 5, strata={"missed": strata["missed"]})
    assert "with the object" not in (tmp_path / "all" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000])
def test_a_config_that_cannot_be_read_is_named(lean, content):
    folder, _ = lean
    (folder / "config.json").write_text(content)
    with pytest.raises(SettingError) as raised:
        load_lean(folder)
    assert str(raised.value).startswith(f"{folder}/config.json cannot be read (")
    assert str(raised.value).endswith("); expected the folder `lean` that `focalseg place` wrote.")


def test_weights_that_are_missing_cut_or_of_another_network_are_named(lean):
    folder, _ = lean
    path = folder / "model.safetensors"
    whole = load_file(path)
    save_file({name: tensor for name, tensor in whole.items() if "head" not in name}, path)
    with pytest.raises(SettingError, match=r"does not hold the weights of this network \(2 missing, 0 foreign"):
        load_lean(folder)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SettingError, match=r"model\.safetensors cannot be read \(SafetensorError\); expected weights as"):
        load_lean(folder)
    path.unlink()
    with pytest.raises(SettingError, match=r"^No file .*model\.safetensors; expected weights as focalseg saved them\."):
        load_lean(folder)


@pytest.mark.parametrize("gamma", [float("nan"), -3.0, float("inf")])
def test_an_exponent_that_no_training_leaves_is_refused(lean, gamma):
    folder, _ = lean
    path = folder / "model.safetensors"
    whole = load_file(path)
    name = next(name for name in whole if name.endswith("gamma"))
    save_file({**whole, name: torch.tensor(gamma)}, path)
    with pytest.raises(SettingError, match=r"has gamma .* at .*; expected a finite number at least 0\. Restore the file\.$"):
        load_lean(folder)


@pytest.mark.parametrize(
    "network",
    [
        {"name": "os:system"},
        {"name": "smp:Unet", "arguments": {"encoder_name": "tu-resnet18", "checkpoint_path": "weights.pth"}},
        {"name": "smp:Unet", "arguments": {"encoder_name": "tu-hf-hub:someone/something"}},
    ],
)
def test_a_file_alone_runs_loads_and_fetches_nothing(lean, network):
    folder, config = lean
    (folder / "config.json").write_text(json.dumps({**config, "network": {**config["network"], "arguments": {}, **network}}))
    with pytest.raises(SettingError, match=r"no part of focalseg; loading it would run that function\. Say that you trust it"):
        load_lean(folder)


def test_no_name_is_markup_in_the_card(trained, tmp_path):
    run, _ = trained
    config = from_mapping(RunConfig, read_yaml(run / "config.yaml"))
    hostile = "<img src=x onerror=alert(1)> | ](javascript:a) ```\n# b"
    altered = replace(config, data=hostile, labels=(hostile,), attention={hostile: "se"})
    (tmp_path / "config.yaml").write_text(sign_text(write_yaml(altered)), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    verdict = Verdict(
        outcome="helps", difference=Estimate(mean=0.1, low=0.0, high=0.2), smallest_difference=0.1, modules=1, trainings=2
    )
    sites = (replace(SITE, site=hostile, gate="se", why=f"because {hostile}"), SITE)
    write_lean(tmp_path / "lean", tmp_path, verdict, ARM, 5, sites=sites)
    card = (tmp_path / "lean" / "README.md").read_text(encoding="utf-8")
    title = r"# Lean network for &lt;img src=x onerror=alert\(1\)&gt; \| \]\(javascript:a\) \`\`\` \# b"
    assert f"\n---\n\n{title}\n" in card
    assert "<" not in card.partition("```python")[0]
    table = [line for line in card.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}
    assert [line for line in table if line.startswith("| why ")] == [line for line in table if "because &lt;img" in line] != []
    assert len([line for line in card.splitlines() if line.startswith("#")]) == 1
    assert card.count("\n```") == 4  # of two blocks: Python's, and the command's
