"""nnU-Net itself, with plans that name `focalseg.nnunet.build`: what its own functions build, and its own commands from raw
images to masks.

Needs an environment with nnunetv2, apart from the project's own, since nnU-Net brings torchvision:

    python3 -m venv /tmp/nnunet && /tmp/nnunet/bin/pip install nnunetv2
    PYTHONPATH=src /tmp/nnunet/bin/python benchmarks/nnunet_factory.py [--work DIR] [--only-networks]

Writes benchmarks/results/nnunet_factory.json and .md. Ends with status 1 where anything is not as it should be.
"""

import argparse
import copy
import importlib.metadata
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.gammas import read_gammas
from focalseg.nnunet.plans import export_plans
from focalseg.placement.decision import decide
from focalseg.records.evidence import EVIDENCE, Evidence
from focalseg.records.placement import Placement
from focalseg.records.record import read_record
from focalseg.records.site_decision import SiteDecision

RESULTS = Path(__file__).parent / "results"
DATASET = "Dataset901_Balls"
TRAINERS = {"2d": "nnUNetTrainer_1epoch", "3d_fullres": "nnUNetTrainerShort"}
"""nnU-Net's own trainer of one epoch; and for volumes, whose 250 steps take an hour on a CPU, the stock one with 12."""
SHORTENED = "nnUNetTrainerShort is nnU-Net's trainer with one epoch of 12 iterations: that it runs, no result."
SHAPE, CASES = (8, 24, 24), 10
DECIDED = {  # site: kind of gate, exponent
    "encoder.0": ("se", 0.8),
    "encoder.1": ("cbam", 1.2),
    "bottleneck": ("scse", 1.1),
    "skip.0": ("ag", 0.6),
    "skip.1": ("focus", 0.9),
    "decoder.0": ("spatial", 1.3),
}
LAYERS = ["conv_op", "norm_op", "dropout_op", "nonlin"]
KINDS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
PATCHES = {2: [64, 48], 3: [16, 32, 32]}


def describe(kind: str, axes: int) -> dict[str, Any]:
    """An architecture as nnU-Net plans it, of five levels, with anisotropic kernels and strides."""
    last = [2] * (axes - 1)
    arguments = {
        "n_stages": 5,
        "features_per_stage": [8, 16, 32, 32, 32],
        "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
        "kernel_sizes": [[1] + [3] * (axes - 1), *[[3] * axes] * 4],
        "strides": [[1] * axes, [1, *last], [2, *last], [2, *last], [2, *last]],
        KINDS[kind]: [2] * 5,
        "n_conv_per_stage_decoder": [2] * 4,
        "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    name = f"dynamic_network_architectures.architectures.unet.{kind}"
    return {"network_class_name": name, "arch_kwargs": arguments, "_kw_requires_import": LAYERS}


def build(architecture: dict[str, Any], *, deep_supervision: bool, start: bool = True) -> Any:
    """nnU-Net's own function, with the seed 0."""
    torch.manual_seed(0)
    return get_network_from_plans(
        architecture["network_class_name"],
        copy.deepcopy(architecture["arch_kwargs"]),
        architecture["_kw_requires_import"],
        1,
        3,
        allow_init=start,
        deep_supervision=deep_supervision,
    )


def write_placement(folder: Path) -> Path:
    """A placement by hand, as `focalseg place` writes it."""
    numbers = {"removal_cost": 0.0, "spread": 0.0, "kept": True, "why": "by hand"}
    sites = (SiteDecision(site=name, gate=gate, gamma=gamma, **numbers) for name, (gate, gamma) in DECIDED.items())  # type: ignore[arg-type]
    Placement(policy="by hand", sites=tuple(sites)).save(folder / "placement.json")
    return folder / "placement.json"


def place(architecture: dict[str, Any], axes: int, folder: Path) -> dict[str, Any]:
    """The architecture with the gates in it, through the plans that are exported."""
    configuration = {"patch_size": PATCHES[axes], "architecture": architecture}
    plans = folder / "nnUNetPlans.json"
    plans.write_text(json.dumps({"plans_name": "nnUNetPlans", "configurations": {"one": configuration}}), encoding="utf-8")
    export_plans(write_placement(folder), plans, folder)
    written = json.loads((folder / "nnUNetPlans_focal.json").read_text(encoding="utf-8"))
    placed: dict[str, Any] = written["configurations"]["one"]["architecture"]
    return placed


def as_list(output: Any) -> list[torch.Tensor]:
    """The logits of every level that is supervised, the finest first."""
    return list(output) if isinstance(output, list | tuple) else [output]


def same(one: Any, other: Any) -> bool:
    """Whether two outputs are the same to the bit."""
    pairs = list(itertools.zip_longest(as_list(one), as_list(other)))
    return all(left is not None and right is not None and torch.equal(left, right) for left, right in pairs)


@torch.no_grad()
def check_network(kind: str, axes: int, folder: Path, *, deep_supervision: bool) -> dict[str, Any]:
    """What must hold of one network, by what it is called."""
    stock = describe(kind, axes)
    architecture = place(stock, axes, folder)
    plain = build(stock, deep_supervision=deep_supervision).eval()
    network = build(architecture, deep_supervision=deep_supervision).eval()
    untouched = build(architecture, deep_supervision=deep_supervision, start=False)
    image = torch.randn(1, 1, *PATCHES[axes])
    state, drawn = network.state_dict(), untouched.state_dict()
    added = [name for name in state if name.startswith("focal_attention.")]
    overwritten = [name for name in added if not torch.equal(state[name], drawn[name])]
    untouched.apply(type(untouched).initialize)
    logits = network(image)
    again = build(architecture, deep_supervision=deep_supervision).eval()
    for parameter in again.parameters():
        parameter.add_(1)
    again.load_state_dict(state)
    found = {
        "network": kind,
        "axes": axes,
        "deep supervision": deep_supervision,
        "gates at the placed sites": {site: gate for site, (_, gate) in filled_sites(network).items()}
        == {site: gate for site, (gate, _) in DECIDED.items()},
        "exponents as placed": all(abs(read_gammas(network)[site] - gamma) < 1e-6 for site, (_, gamma) in DECIDED.items()),
        "tensors added": len(added),
        "of them overwritten": len(overwritten),
        "overwritten without us": sum(not torch.equal(untouched.state_dict()[name], state[name]) for name in added),
        "host weights of the seed": all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items()),
        "differs from the stock network": not same(logits, plain(image)),
        "same logits after reload": same(again(image), logits),
    }
    network.decoder.deep_supervision = not deep_supervision
    found["switched at the decoder"] = torch.equal(as_list(network(image))[0], as_list(logits)[0])
    network.decoder.deep_supervision = deep_supervision
    for site in attention_sites(network).values():
        site.gamma.zero_()
    found["gamma 0 is the stock network to the bit"] = same(network(image), plain(image))
    return found


def make_raw_dataset(folder: Path) -> None:
    """Volumes with a bright ball on noise, as nnU-Net wants them: ten to train on, two to predict."""
    random = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for case in range(CASES + 2):
        centre = np.array(SHAPE)[:, None, None, None] * random.uniform(0.35, 0.65, (3, 1, 1, 1))
        ball = ((grid - centre) ** 2).sum(axis=0) < random.uniform(3, 5) ** 2
        image = random.normal(0, 1, SHAPE) + 2 * ball
        where = "imagesTr" if case < CASES else "imagesTs"
        save = {f"{where}/ball_{case:03d}_0000": image.astype(np.float32)}
        if case < CASES:
            save[f"labelsTr/ball_{case:03d}"] = ball.astype(np.uint8)
        for path, array in save.items():
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 1, 1, 1])), folder / f"{path}.nii.gz")  # type: ignore[attr-defined]
    about = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "ball": 1},
        "numTraining": CASES,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")


def run(command: list[str], environment: dict[str, str], log: list[dict[str, Any]], work: Path) -> None:
    """Runs one of nnU-Net's commands, unless it is done in this folder. Raises CalledProcessError, after what it said."""
    told = " ".join(command).replace(str(work), "WORK")
    notes = work / "done.json"
    done_before = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    if told in done_before:
        log.append({"command": told, "seconds": done_before[told]})
        return
    started = time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"{told}: status {done.returncode}, {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        done.check_returncode()
    seconds = round(time.monotonic() - started)
    log.append({"command": told, "seconds": seconds})
    notes.write_text(json.dumps({**done_before, told: seconds}, indent=1), encoding="utf-8")


def prepare_environment(work: Path) -> dict[str, str]:
    """The environment for nnU-Net's commands: its three folders, few processes, and where the shortened trainers are."""
    trainers = work / "trainers"
    trainers.mkdir(exist_ok=True)
    (trainers / "shortened.py").write_text(SHORT, encoding="utf-8")
    folders = {name: str(work / name) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    # nnU-Net computes with a thread per core; without this they burn a busy machine while they wait for one another.
    few = {"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**os.environ, **folders, **few, "nnUNet_extTrainer": str(trainers)}


def run_nnunet(work: Path, configuration: str) -> dict[str, Any]:
    """From raw images to masks by nnU-Net's commands, with the plans that are exported."""
    environment, log = prepare_environment(work), list[dict[str, Any]]()
    make_raw_dataset(work / "nnUNet_raw" / DATASET)
    prepared = work / "nnUNet_preprocessed" / DATASET
    prepare = ["nnUNetv2_plan_and_preprocess", "-d", "901", "-c", "2d", "3d_fullres", "-np", "1", "-npfp", "1"]
    run(prepare, environment, log, work)
    remarks = export_plans(write_placement(work), prepared / "nnUNetPlans.json", prepared)
    trainer = TRAINERS[configuration]
    what = ["901", configuration, "0", "-tr", trainer, "-p", "nnUNetPlans_focal"]
    run(["nnUNetv2_train", *what, "-device", "cpu"], environment, log, work)
    source, masks = work / "nnUNet_raw" / DATASET / "imagesTs", work / f"masks_{configuration}"
    what = ["-d", "901", "-c", configuration, "-f", "0", "-tr", trainer, "-p", "nnUNetPlans_focal"]
    places = ["-i", str(source), "-o", str(masks)]
    run(["nnUNetv2_predict", *places, *what, "-device", "cpu", "-npp", "1", "-nps", "1"], environment, log, work)
    results = work / "nnUNet_results" / DATASET / f"{trainer}__nnUNetPlans_focal__{configuration}"
    return {"configuration": configuration, "remarks": remarks, "commands": log, **look_at_results(results, masks)}


SHORT = '''"""Trainers, shortened to what a test can wait for."""

from focalseg.nnunet.trainer.nnUNetTrainerFocal import nnUNetTrainerFocal
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class nnUNetTrainerShort(nnUNetTrainer):
    def __init__(self, plans, configuration, fold, dataset_json, device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 1, 12, 2


class nnUNetTrainerFocalShort(nnUNetTrainerFocal):
    def __init__(self, plans, configuration, fold, dataset_json, device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 20, 2
'''


def run_search(work: Path, configuration: str) -> dict[str, Any]:
    """The search by nnU-Net's command, with a trainer that it finds in a folder of the person's own."""
    environment = prepare_environment(work)
    log: list[dict[str, Any]] = []
    run(
        ["nnUNetv2_train", "901", configuration, "0", "-tr", "nnUNetTrainerFocalShort", "-device", "cpu"],
        environment,
        log,
        work,
    )
    name = f"nnUNetTrainerFocalShort__nnUNetPlans__{configuration}"
    fold = work / "nnUNet_results" / DATASET / name / "fold_0"
    evidence = read_record(Evidence, fold / EVIDENCE)
    return {
        "configuration": configuration,
        "command": log[0]["command"],
        "seconds": log[0]["seconds"],
        "exponents trained under": evidence.exponents,
        "sites with evidence": len(evidence.sites),
        "images": len(evidence.case_scores),
        "cases": len(set(evidence.groups)),
        "exponents": ", ".join(f"{site.site} {site.gamma:.3f}" for site in evidence.sites),
        "decided": str(decide(evidence)).splitlines(),
    }


def look_at_results(results: Path, masks: Path) -> dict[str, Any]:
    """What the stock trainer left behind: its checkpoint, its validation and the masks."""
    checkpoint = torch.load(results / "fold_0" / "checkpoint_final.pth", map_location="cpu", weights_only=False)
    plans = json.loads((results / "plans.json").read_text(encoding="utf-8"))
    summary = json.loads((results / "fold_0" / "validation" / "summary.json").read_text(encoding="utf-8"))
    kept = {name: float(tensor) for name, tensor in checkpoint["network_weights"].items() if name.endswith(".gamma")}
    expected = {f"focal_attention.{site.replace('.', '/')}.gamma": gamma for site, (_, gamma) in DECIDED.items()}
    predicted = sorted(masks.glob("*.nii.gz"))
    return {
        "trainer": checkpoint["trainer_name"],
        "plans_name": plans["plans_name"],
        "exponents after training as placed": kept.keys() == expected.keys()
        and all(abs(kept[name] - gamma) < 1e-6 for name, gamma in expected.items()),
        "validation Dice": round(summary["foreground_mean"]["Dice"], 3),
        "masks": len(predicted),
        "voxels predicted": [int((np.asarray(nibabel.load(path).dataobj) > 0).sum()) for path in predicted],  # type: ignore[attr-defined]
    }


def write_results(found: dict[str, Any]) -> None:
    """JSON, and a page with two tables."""
    (RESULTS / "nnunet_factory.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    columns = list(found["networks"][0])
    lines = [
        "# nnU-Net with plans that name `focalseg.nnunet.build`",
        "",
        f"Written by `benchmarks/nnunet_factory.py`; {versions};",
        "on two shared cores, beside other work, so that seconds tell nothing. Networks are those of nnU-Net's own",
        "`get_network_from_plans`, with SE, CBAM, scSE, AG, Focus and a spatial gate at six sites.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---" * len(columns) + "|",
        *("| " + " | ".join(_show(row[column]) for column in columns) + " |" for row in found["networks"]),
    ]
    for job in found["jobs"]:
        lines += ["", f"## {job['configuration']}, from raw images to masks by nnU-Net's commands", ""]
        lines += [SHORTENED, ""] * (job["trainer"] == "nnUNetTrainerShort") + ["| command | s |", "|---|---|"]
        lines += [f"| `{entry['command']}` | {entry['seconds']} |" for entry in job["commands"]]
        told = {name: value for name, value in job.items() if name not in ("configuration", "commands", "remarks")}
        lines += ["", *(f"- {name}: {_show(value)}" for name, value in told.items())]
        lines += ["", "What `export` said:", "", *(f"> {remark}\n>" for remark in job["remarks"])]
    for search in found["searches"]:
        lines += ["", f"## {search['configuration']}, a search of two epochs of 20 iterations: that it runs, no result", ""]
        lines += [f"- {name}: {_show(value)}" for name, value in search.items() if name not in ("configuration", "decided")]
        lines += ["", "```", *search["decided"], "```"]
    (RESULTS / "nnunet_factory.md").write_text("\n".join(lines).rstrip(">\n") + "\n", encoding="utf-8")


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def is_right(found: dict[str, Any]) -> bool:
    """Whether everything is as it should be."""
    networks = [
        all(value is not False or name == "deep supervision" for name, value in row.items()) and not row["of them overwritten"]
        for row in found["networks"]
    ]
    jobs = [
        job["exponents after training as placed"] and job["masks"] == 2 and job["trainer"] in TRAINERS.values()
        for job in found["jobs"]
    ]
    searches = [
        search["exponents trained under"] == "dropout" and search["sites with evidence"] for search in found["searches"]
    ]
    return all(networks) and all(jobs) and all(searches)


def main() -> None:
    """Everything, or the networks alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder for nnU-Net's folders; by default a temporary one")
    parser.add_argument("--only-networks", action="store_true", help="build networks, and train none")
    parser.add_argument("--configurations", nargs="*", default=["2d", "3d_fullres"])
    parser.add_argument("--searches", nargs="*", default=["2d", "3d_fullres"])
    given = parser.parse_args()
    names = ("nnunetv2", "dynamic-network-architectures", "torch", "torchvision", "timm", "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        networks = [
            check_network(kind, axes, work, deep_supervision=deep)
            for kind in KINDS
            for axes in PATCHES
            for deep in (False, True)
        ]
        print(json.dumps(networks, indent=1), flush=True)
        jobs = [] if given.only_networks else [run_nnunet(work, configuration) for configuration in given.configurations]
        searches = [] if given.only_networks else [run_search(work, configuration) for configuration in given.searches]
    found = {"versions": versions, "networks": networks, "jobs": jobs, "searches": searches}
    write_results(found)
    print(json.dumps(jobs, indent=1))
    sys.exit(0 if is_right(found) else 1)


if __name__ == "__main__":
    main()
