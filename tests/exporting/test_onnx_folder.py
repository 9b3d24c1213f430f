"""The folder of an ONNX export: what another program needs, and that a program without us makes our masks with it."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focalseg.exporting import onnx_folder
from focalseg.exporting.graph import Graph
from focalseg.exporting.onnx_folder import export_onnx
from focalseg.feeding.preparation import Preparation
from focalseg.inference.model import Model, TrainedNetwork
from focalseg.records.preprocessing import PREPROCESSING, Preprocessing
from focalseg.records.record import read_record
from focalseg.training.run import build_network
from inference.models import make_config

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

PREPARATIONS = {
    "whole": Preparation(size=(40, 48), mean=(100.0, 90.0, 80.0), standard_deviation=(50.0, 40.0, 45.0)),
    "windows": Preparation(
        size=(56, 48), patch=(24, 32), mean=(100.0,) * 3, standard_deviation=(50.0,) * 3, normalisation="case"
    ),
}


def build(name="whole", labels=("lesion",)):
    config = make_config(preparation=PREPARATIONS[name], labels=labels)
    network = build_network(config)
    with torch.no_grad():
        for seed in range(20):  # its norms learn what passes, without which it hardly tells one pixel from another
            network(torch.randn(4, 3, *config.preparation.window, generator=torch.Generator().manual_seed(seed)))
        network.head.weight.mul_(5)
        network.head.bias.zero_()
    return Model((TrainedNetwork(config, network),), name="OUT")


def draw(seed, size):
    """A smooth picture (3, *size) of bytes."""
    coarse = np.random.default_rng(seed).integers(0, 256, (size[0] // 6 + 2, size[1] // 6 + 2, 3)).astype(np.uint8)
    return np.moveaxis(np.array(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)), -1, 0)


@pytest.fixture(scope="module", params=[("whole", ("lesion",)), ("windows", ("cyst", "solid"))], ids=["whole", "windows"])
def exported(request, tmp_path_factory):
    """A model and the folder it was exported to."""
    model, out = build(*request.param), tmp_path_factory.mktemp("onnx") / "out"
    export_onnx(model, out)
    return model, out


def load_program(folder):
    """predict.py of an export, as a module."""
    spec = importlib.util.spec_from_file_location("exported_predict", folder / "predict.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


@pytest.mark.slow
def test_the_program_in_the_folder_makes_the_masks_that_the_model_makes(exported):
    model, out = exported
    predict = load_program(out).predict
    for seed, size in enumerate([(40, 48), (80, 96), (61, 47), (30, 100), (150, 133)]):
        image = draw(seed, size)
        expected = model.predict(image)
        given = predict(image)
        assert len(np.unique(expected)) > 1
        assert given.dtype == np.uint8
        np.testing.assert_array_equal(given, expected)


@pytest.mark.slow
def test_the_program_takes_a_palette_picture_for_the_colours_it_shows(exported, tmp_path, monkeypatch):
    """The numbers in its pixels are places in a table."""
    _, out = exported
    picture = Image.fromarray(np.moveaxis(draw(7, (40, 48)), 0, -1)).quantize(64)
    picture.save(tmp_path / "palette.png")
    picture.convert("RGB").save(tmp_path / "colour.png")
    monkeypatch.setattr(sys, "argv", ["predict.py", str(tmp_path / "palette.png"), str(tmp_path / "colour.png")])
    runpy.run_path(str(out / "predict.py"), run_name="__main__")
    masks = [np.array(Image.open(tmp_path / f"{name}_mask.png")) for name in ("palette", "colour")]
    assert len(np.unique(masks[1])) > 1
    np.testing.assert_array_equal(*masks)


@pytest.mark.slow
def test_the_program_needs_nothing_of_ours_and_writes_masks_beside_pictures(exported, tmp_path):
    model, out = exported
    image = draw(7, (64, 50))
    Image.fromarray(np.moveaxis(image, 0, -1)).save(tmp_path / "image.png")
    script = "import sys; sys.modules['focalseg'] = sys.modules['torch'] = None; import runpy; runpy.run_path(sys.argv.pop(1), "
    call = [sys.executable, "-c", f"{script}run_name='__main__')", out / "predict.py", tmp_path / "image.png"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "image_mask.png")), model.predict(image))


@pytest.mark.slow
def test_the_lines_in_the_documentation_make_the_masks_too(exported, tmp_path, monkeypatch):
    model, out = exported
    if model.preparation.patch:
        pytest.skip("they are for a network that sees the whole image")
    page = (Path(__file__).parents[2] / "docs" / "exporting.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "onnxruntime" in block)
    assert len(code.splitlines()) <= 25
    image = draw(3, (61, 47))
    Image.fromarray(np.moveaxis(image, 0, -1)).save(tmp_path / "image.png")
    (tmp_path / "DIR").symlink_to(out)
    monkeypatch.chdir(tmp_path)
    names = {}
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        exec(code, names)
    np.testing.assert_array_equal(names["mask"], model.predict(image))


@pytest.mark.slow
def test_the_folder_says_what_is_done_before_and_after(exported):
    model, out = exported
    found = {path.name for path in out.iterdir()} - {"__pycache__"}  # of a test that imports the program
    assert found == {"model.onnx", "preprocessing.json", "predict.py", "README.md"}
    plan = read_record(Preprocessing, out / PREPROCESSING)
    assert (plan.size, plan.mean, plan.window) == (model.preparation.size, model.preparation.mean, model.preparation.patch)
    assert (plan.labels, plan.channels) == (model.labels, 3)
    several = len(model.labels) > 1
    assert (plan.activation, plan.normalisation) == (("softmax", "image") if several else ("sigmoid", "data_set"))
    assert json.loads((out / PREPROCESSING).read_text())["threshold"] == 0.5
    card = (out / "README.md").read_text()
    assert "se at encoder.0, ag at skip.0" in card
    assert ("0 background, 1 cyst, 2 solid" if several else "0 background, 1 lesion") in card


def test_an_export_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    def fail(_network, path, **_settings):
        path.write_bytes(b"half")
        raise ValueError("no graph")

    monkeypatch.setattr(onnx_folder, "write_graph", lambda *_arguments, **_settings: Graph(1, 20, 0.0, ((1, 3, 8, 8),)))
    export_onnx(build(), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(onnx_folder, "write_graph", fail)
    with pytest.raises(ValueError, match="no graph"):
        export_onnx(build(), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
