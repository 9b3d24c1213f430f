"""The header of a model card: the Hub's fields, and valid YAML of one shape whatever anything is called."""

import re
from dataclasses import replace

import pytest
import yaml

from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.study.outcome.card import Card, write_card
from focalseg.training.run import RunConfig
from focalseg.training.start_config import StartConfig

CONFIG = RunConfig(
    data="folder/polyps",
    preparation=Preparation(size=(16, 16), mean=(100.0, 90.0, 80.0), standard_deviation=(50.0, 40.0, 30.0)),
    network=NetworkConfig(arguments={"widths": [4, 8]}),
    attention={"encoder.0": "se", "skip.0": "ag"},
)
CARD = Card(title="A network", lead="It works.", dice={"test Dice": 0.87654, "test Dice of polyp": 0.5})
# As the Hub's own library finds the header of a card.
HEADER = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))")
HOSTILE = [
    "a: b # c",
    "---\nlicense: mit\n---",
    "'\"\\ \t\x00\x85\u2028\u202e",
    "- [x](javascript:alert(1)) <script>alert(1)</script> `code` {{ jinja }} {0} {header}",
    "*anchor &anchor !!python/object:os.system %TAG | > @ ? no 0x1F 1:30 2020-01-01",
    "no",
    "\udcff\ud800",
    "日本語 データ",
    "x" * 3000,
    "...",
]


def write(folder, config=CONFIG, card=CARD):
    folder.mkdir(exist_ok=True)
    write_card(folder, config, card)
    return (folder / "README.md").read_text(encoding="utf-8")


def read_header(text):
    found = HEADER.search(text)
    assert found
    assert text.count("\n---\n") == 1
    return yaml.safe_load(found.group(2)), text[found.end() :]


def test_it_has_the_fields_of_the_hub(tmp_path):
    header, body = read_header(write(tmp_path))
    assert header == {
        "license": "unknown",
        "library_name": "focalseg",
        "pipeline_tag": "image-segmentation",
        "tags": ["image-segmentation", "biomedical", "medical-imaging", "pytorch", "attention", "ag", "se"],
        "metrics": ["dice"],
        "model-index": [
            {
                "name": "A network",
                "results": [
                    {
                        "task": {"type": "image-segmentation"},
                        "dataset": {"type": "polyps", "name": "polyps", "split": "test"},
                        "metrics": [
                            {"type": "dice", "name": "test Dice", "value": 0.8765},
                            {"type": "dice", "name": "test Dice of polyp", "value": 0.5},
                        ],
                    }
                ],
            }
        ],
    }
    assert body.startswith("\n# A network\n\nIt works.\n")
    assert "Trained on the data named above and on nothing else." in body
    assert f"model = focalseg.load('{tmp_path.as_posix()}')\nmask = model.predict(image)" in body


def test_the_header_does_not_tell_the_folders_that_the_data_lies_in(tmp_path):
    config = replace(CONFIG, data="/home/somebody/patients/polyps")
    text = write(tmp_path, config, replace(CARD, title=f"Lean network for {config.data}"))
    header, body = read_header(text)
    assert header["model-index"][0]["name"] == "Lean network for polyps"
    assert "somebody" not in HEADER.search(text).group(2)
    assert "# Lean network for /home/somebody/patients/polyps\n" in body


def test_what_was_not_tested_claims_no_score(tmp_path):
    header, _ = read_header(write(tmp_path, replace(CONFIG, attention={}), replace(CARD, dice={})))
    assert not {"metrics", "model-index"} & header.keys()
    assert "attention" not in header["tags"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_things_are_called_the_header_is_the_same_and_nothing_is_markup(tmp_path, name):
    usual, _ = read_header(write(tmp_path))
    config = replace(CONFIG, data=name, labels=(name, "b"), network=replace(CONFIG.network, classes=3))
    text = write(tmp_path, config, replace(CARD, title=name, dice={f"test Dice of {name}": 0.5}, rows=[(name, name)]))
    header, body = read_header(text)
    assert {key: value for key, value in header.items() if key != "model-index"} == {
        key: value for key, value in usual.items() if key != "model-index"
    }
    (index,) = header["model-index"]
    assert isinstance(index["name"], str)
    assert index["name"]
    assert index["results"][0]["metrics"] == [{"type": "dice", "name": index["results"][0]["metrics"][0]["name"], "value": 0.5}]
    assert re.fullmatch(r"[a-z0-9-]+", index["results"][0]["dataset"]["type"])
    assert not re.search(r"[<>`\[\]{}*\x00]", HEADER.search(text).group(2))
    assert "<" not in body.partition("```python")[0]
    assert len([line for line in body.splitlines() if line.startswith("#")]) == 1


def test_what_the_weights_come_from_is_said(tmp_path):
    begun = replace(CONFIG, start_from=StartConfig(path="a/model.safetensors", sha256="0" * 64))
    assert "Trained on the data named above, from the weights named above." in write(tmp_path, begun)
    arguments = {"encoder_name": "resnet34", "encoder_weights": "imagenet"}
    scale = replace(CONFIG.preparation, normalisation="encoder")
    smp = replace(CONFIG, preparation=scale, attention={}, network=NetworkConfig(name="smp:Unet", arguments=arguments))
    text = write(tmp_path, smp)
    assert "Trained on the data named above, from an encoder pretrained on imagenet." in text
    assert "divided by 50.0, 40.0, 30.0, per channel: the scale of the pretrained encoder" in text
    assert "own_network" not in text  # all weights are in the file, and nothing is fetched
    own = replace(CONFIG, attention={}, network=NetworkConfig(name="mine:build"))
    assert ", own_network='mine:build')" in write(tmp_path, own)
