"""`focalseg export`, whole: what it writes, what it says, and what it refuses before torch is imported."""

import json
from dataclasses import replace

import pytest

from cli.early import refuse_early
from focalseg.configuration import to_mapping
from focalseg.hosts.building import NetworkConfig
from focalseg.records.costs import NOT_MEASURED
from focalseg.records.record import write_json, write_record
from focalseg.records.result import WEIGHTS
from focalseg.records.seals import hash_file
from inference.models import make_config, write_job, write_lean_folder
from nnunet.architectures import describe
from records.test_record import RECORDS


def refuse(*calls, missing=()):
    """Status and error of every call, one line each; none has imported torch. missing: libraries that are not there."""
    answers = refuse_early([("export", *words) for words in calls], missing=missing)
    assert all(said.startswith("error: ") and len(said.splitlines()) == 1 for _, said in answers)
    return answers


@pytest.mark.slow
def test_what_cannot_be_exported_is_refused_before_torch_is_imported(tmp_path):
    lean, out = write_lean_folder(tmp_path / "lean", make_config()), tmp_path / "out"
    onnx = ("--format", "onnx", "--out", out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    own = tmp_path / "own"
    own.mkdir()
    (own / WEIGHTS).write_bytes((lean / WEIGHTS).read_bytes())
    settings = {**to_mapping(make_config()), "network": to_mapping(NetworkConfig(name="mymodule:build"))}
    write_json(own / "config.json", {**settings, "weights_sha256": hash_file(own / WEIGHTS)}, indent=2)
    at_fault = {
        f"No folder {tmp_path / 'none'}; expected the folder of a `focalseg place` job": (tmp_path / "none", *onnx),
        "empty holds no model; expected": (tmp_path / "empty", *onnx),
        "mine holds notes.txt, which focalseg did not write there. Give a new or an empty folder.": (
            *(lean, "--format", "onnx", "--out", tmp_path / "mine"),
        ),
        "notes.txt is a file; expected a folder to fill": (
            *(lean, "--format", "bundle", "--out", tmp_path / "mine" / "notes.txt"),
        ),
        "If you trust it, add --network mymodule:build.": (own, *onnx),
        "--plans and --configuration belong to --format nnunet": (lean, *onnx, "--plans", "plans.json"),
        "expected --format nnunet --plans nnUNetPlans.json": (lean, "--format", "nnunet", "--out", out),
        "--network was given with --format nnunet, which builds no network of the model. Leave it out.": (
            *(lean, "--format", "nnunet", "--plans", "plans.json", "--out", out, "--network", "mymodule:build"),
        ),
        "'tensorrt' is not one of 'onnx', 'bundle', 'nnunet'": (lean, "--format", "tensorrt", "--out", out),
    }
    for expected, (status, said) in zip(at_fault, refuse(*at_fault.values()), strict=True):
        assert status == 2, said
        assert expected in said
    assert not out.exists()


@pytest.mark.slow
def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(tmp_path):
    lean = write_lean_folder(tmp_path / "lean", make_config())
    calls = [(lean, "--format", kind, "--out", tmp_path / "out") for kind in ("onnx", "bundle")]
    (_, onnx), (_, bundle) = refuse(*calls, missing=("onnx", "onnxscript", "onnxruntime", "monai"))
    assert onnx == (
        "error: --format onnx needs onnx, onnxscript, onnxruntime, which are not installed; run `pip install "
        "'focalseg[onnx]'`.\n"
    )
    assert bundle == "error: --format bundle needs monai, which is not installed; run `pip install 'focalseg[bundle]'`.\n"


@pytest.mark.slow
def test_a_job_is_exported_as_its_lean_network_and_says_so(focalseg, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    job = write_job(tmp_path / "job", [make_config(seed=seed) for seed in range(2)])
    outcome = focalseg("export", job, "--format", "onnx", "--out", tmp_path / "out")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(
        f"{tmp_path}/out/model.onnx: the lean network, one of those whose mean `focalseg predict` takes;"
    )
    assert "compared with torch at 5 sizes, logits within" in outcome.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.onnx",
        "preprocessing.json",
        "predict.py",
        "README.md",
    }


@pytest.mark.slow
def test_a_bundle_and_what_a_program_is_told(focalseg, tmp_path):
    pytest.importorskip("monai")
    lean = write_lean_folder(tmp_path / "lean", make_config())
    said = focalseg("export", lean, "--format", "bundle", "--out", tmp_path / "out").out
    assert said == f"{tmp_path}/out: a MONAI bundle; its logits are the same to the bit\n"
    again = focalseg("export", lean, "--format", "bundle", "--out", tmp_path / "out", "--json")
    assert json.loads(again.out) == {"out": f"{tmp_path}/out"}


@pytest.mark.slow
def test_plans_of_nnunet_get_the_gates_of_a_job_where_they_were_placed(focalseg, tmp_path):
    job = write_job(tmp_path / "job", [make_config(attention={"encoder.0": "se"})])
    placed = replace(RECORDS[1].sites[0], site="encoder.0", gate="se")
    write_record(job / "placement.json", replace(RECORDS[1], sites=(placed,), costs=NOT_MEASURED, folds=()))
    plans = tmp_path / "nnUNetPlans.json"
    configurations = {"2d": {"patch_size": [32, 32], "architecture": describe("PlainConvUNet", 2)}}
    plans.write_text(json.dumps({"plans_name": "nnUNetPlans", "configurations": configurations}))
    out = tmp_path / "out"
    outcome = focalseg("export", job, "--format", "nnunet", "--plans", plans, "--configuration", "2d", "--out", out)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == f"plans with attention in {out}"
    written = json.loads((out / "nnUNetPlans_focal.json").read_text())
    architecture = written["configurations"]["2d"]["architecture"]
    assert architecture["network_class_name"] == "focalseg.nnunet.build"
    assert "encoder.0" in json.dumps(architecture["arch_kwargs"])
