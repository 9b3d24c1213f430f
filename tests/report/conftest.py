"""Folders as the main job and a single run leave them, written by hand: no training, numbers of our own choosing."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.training.run import RunConfig
from focalseg.training.training_config import TrainingConfig
from focalseg.yaml_files import write_yaml

SITES = {
    "encoder.0": ("se", 2.25, 0.251, True),
    "encoder.1": ("se", 1.22, 0.0004, False),
    "bottleneck": ("se", 2.41, 0.0006, False),
    "skip.0": ("ag", 1.94, 0.148, True),
    "skip.1": ("ag", 0.79, -0.0013, False),
    "decoder.0": ("se", 0.0, 0.0, False),
    "decoder.1": ("se", 1.67, 0.0013, False),
}
OWN_NAMES = ("layer1.0", "layer1.1", "layer2", "up:1", "the neck", "head.conv", "a" * 60 + ".norm")
OWN_SITES = dict(zip(OWN_NAMES, SITES.values(), strict=True))
"""The same evidence under the names of a network of the person's own."""
Sites = Mapping[str, tuple[str, float, float, bool]]
SENTENCE = "Attention helps: 2 attention modules change the test score by +0.324 Dice, 95 % interval +0.302 to +0.346."
WIDTHS = (8, 16, 32)


def make_arm(dice: float, modules: int) -> dict[str, Any]:
    return {
        "dice": dice, "low": dice - 0.02, "high": dice + 0.02, "iou": 0.7, "precision": 0.8, "recall": 0.9,
        "modules": modules, "parameters": 27705 + modules, "flops": 49545216, "seconds": 12.78, "trainings": 2,
        "cases": 8, "groups": 8, "both_empty": 1, "one_empty": 2, "dice_per_training": [dice - 0.01, dice + 0.01],
        "dice_per_label": {"foreground": dice},
    }  # fmt: skip


def describe_costs(sites: Sites) -> dict[str, Any]:
    """77 parameters more and 0.25 ms longer from site to site; the step takes 10 ms."""
    rows = [
        {"site": site, "gate": gate, "parameters": 77 * number, "flops": 20_000 * number, "seconds": 0.00025 * number}
        for number, (site, (gate, *_)) in enumerate(sites.items(), start=1)
    ]
    return {"sites": rows, "parameters": 29438, "flops": 50345216, "seconds": 0.01}


def describe_placement(sites: Sites) -> dict[str, Any]:
    records = [
        {"site": site, "gate": gate, "gamma": gamma, "removal_cost": cost, "spread": 0.1, "kept": kept,
         "why": f"taking it away costs {cost:.3f} Dice"}
        for site, (gate, gamma, cost, kept) in sites.items()
    ]  # fmt: skip
    return {
        "schema": 1,
        "policy": "removal",
        "sites": records,
        "verdict": "helps",
        "sentence": SENTENCE,
        "difference": {"dice": 0.324, "low": 0.302, "high": 0.346},
        "all_minus_none": {"dice": 0.325, "low": 0.303, "high": 0.348},
        "arms": {"none": make_arm(0.658, 0), "all": make_arm(0.983 - 0.02, 7), "placed": make_arm(0.962, 2)},
        "dead_sites": {},
        "costs": describe_costs(sites),
    }


def make_difference(dice: float, reach: float = 0.02) -> dict[str, float]:
    return {"dice": dice, "low": dice - reach, "high": dice + reach}


def compare(one: str, other: str, dice: float, holm_p: float) -> dict[str, Any]:
    return {
        "one": one, "other": other, **make_difference(dice), "p_value": holm_p / 6, "holm_p": holm_p,
        "permutation_p": 0.5, "smallest_difference": 0.031, "collapsed": False,
    }  # fmt: skip


def describe_contest(sites: Sites) -> dict[str, Any]:
    """What a job with rivals over two folds adds: skip.0 is shut on both, bottleneck kept on the second alone."""
    records = [
        record | {"removal_low": record["removal_cost"] - 0.05, "removal_high": record["removal_cost"] + 0.07,
                  "joint_cost": 2 * record["removal_cost"], "kept": record["site"] == "encoder.0",
                  "shut": record["site"] == "skip.0"}
        for record in describe_placement(sites)["sites"]
    ]  # fmt: skip
    arms = {name: make_arm(0.7, 1) | {"folds": 2, "collapsed": 0} for name in ("none", "all", "placed")}
    rivals = {name: make_arm(0.6, 1) | {"folds": 2, "collapsed": 0} for name in ("wider", "random", "se", "of_old")}
    others = (("none", 0.324, 0.0004), ("all", -0.003, 0.61), ("wider", 0.25, 0.012), ("random", 0.1, 0.03), ("se", 0.02, 0.2))
    folds = [
        {"fold": 0, "kept": {"encoder.0": "se"}, "shut": ["skip.0"], "difference": make_difference(0.3)},
        {"fold": 1, "kept": {"encoder.0": "se", "bottleneck": "se"}, "shut": ["skip.0"], "difference": make_difference(0.35)},
    ]
    return {
        "sites": records,
        "arms": arms | rivals,
        "comparisons": [
            *(compare("placed", *other) for other in others),
            *(compare(one, "none", 0.325 - worse, 0.001) for one, worse, _ in others[1:]),
        ],
        "non_inferiority": {"of": "placed", "to": "all", "margin": 0.01, "bound": -0.023, "shown": False},
        "search": {"collapsed": 0, "trainings": 4},
        "seed_noise": {"deviation": 0.011, "range_of_difference": 0.14, "trainings": 2},
        "folds": folds,
    }


def make_stratum(values: Mapping[str, float], cases: int, groups: int, *, reach: float = 0.05) -> dict[str, Any]:
    """A kind of case: every arm with that value, and its difference to none with an interval of half that reach."""
    arms = {
        name: {"value": value, "low": value - reach, "high": value + reach, "cases": cases} for name, value in values.items()
    }
    differences = {
        f"{name} - none": {
            "value": value - values["none"], "low": value - values["none"] - reach / 2,
            "high": value - values["none"] + reach / 2, "cases": cases, "p_value": 0.004, "holm_p": 0.012,
        }
        for name, value in values.items() if name != "none"
    }  # fmt: skip
    return {"arms": arms, "differences": differences, "groups": groups}


def describe_strata() -> dict[str, Any]:
    """What a job adds whose test cases have the object or not: more is found, and more false alarms are raised."""
    with_object = make_stratum({"none": 0.596, "all": 0.688, "placed": 0.686}, 259, 210)
    missed = make_stratum({"none": 0.09, "all": 0.02, "placed": 0.025}, 259, 210, reach=0.02)
    left_empty = make_stratum({"none": 0.49, "all": 0.15, "placed": 0.22}, 51, 39, reach=0.06)
    small = make_stratum({"none": 0.4, "all": 0.55, "placed": 0.54}, 87, 70)
    tuned = make_stratum({"none": 0.67, "all": 0.69, "placed": 0.69}, 259, 210)
    rescue = {
        "one": "placed", "other": "none", "difference": 0.09, "rescued": 0.06, "lost": -0.015, "rest": 0.045,
        "rescued_objects": 60, "lost_objects": 9, "objects": 777,
    }  # fmt: skip
    return {
        "endpoint": "dice_with_object",
        "difference": make_difference(0.09),
        "all_minus_none": make_difference(0.092),
        "difference_all_cases": make_difference(0.024, 0.04),
        "strata": {"with_object": with_object, "missed": missed, "left_empty": left_empty},
        "by_size": [
            {"size": "small", "least_pixels": 40, "most_pixels": 900, **small},
            {"size": "medium", "least_pixels": 901, "most_pixels": 4000, **with_object},
            {"size": "large", "least_pixels": 4001, "most_pixels": 19000, **with_object},
        ],
        "rescue": [rescue],
        "tuned": {
            **tuned, "thresholds": {"none": [0.15, 0.2], "all": [0.5, 0.5], "placed": [0.45, 0.55]},
            "calibration": ["placed - none"],
        },
        "looks": {"taken": 2, "tail": 0.0125},
        "overlap": 0.625,
        "claim": "new_data",
        "total_effect": {"mean": 0.08, "low": 0.02, "high": 0.14, "explained": False},
    }  # fmt: skip


UNET = NetworkConfig(in_channels=1, arguments={"widths": list(WIDTHS)})


def write_config(
    folder: Path, data: str, seed: int, attention: dict[str, str], network: NetworkConfig, exponents: str = "free"
) -> None:
    preparation = Preparation(size=(16, 16), mean=(1.0,), standard_deviation=(1.0,))
    config = RunConfig(
        data=data,
        seed=seed,
        preparation=preparation,
        network=network,
        attention=attention,
        training=TrainingConfig(exponents=exponents),
    )
    (folder / "config.yaml").write_text(write_yaml(config), encoding="utf-8")


def write_metrics(folder: Path, seed: int, attention: dict[str, str], sites: Sites) -> None:
    rows = []
    for step in range(10, 110, 10):
        row = {"step": step, "loss": 1 / step + 0.01 * seed, "validation_dice": step / 120 if step % 50 == 0 else ""}
        rows.append(row | {f"gamma/{site}": 1 + (sites[site][1] - 1) * step / 100 for site in attention})
    with (folder / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_examples(path: Path, names: list[str]) -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {"names": np.array(names)}
    for number in range(len(names)):
        mask = np.zeros((16, 24), dtype=np.uint8)
        mask[4:10, 6 : 12 + number] = 1
        arrays[f"image_{number}"] = generator.integers(0, 255, (1, 16, 24), dtype=np.uint8)
        arrays[f"mask_{number}"], arrays[f"placed_{number}"] = mask, mask
        arrays[f"none_{number}"] = np.roll(mask, 3, axis=1) & mask
        arrays[f"dice_placed_{number}"], arrays[f"dice_none_{number}"] = np.array(1.0), np.array(0.625)
    np.savez_compressed(path, **arrays)


@pytest.fixture
def own() -> dict[str, Any]:
    """For make_placement and make_run: a network of the person's own, its places named by the person."""
    return {"found": OWN_SITES, "network": NetworkConfig(name="mine:build", in_channels=1, stages=("layer*",))}


@pytest.fixture
def made_job() -> dict[str, Any]:
    """For make_placement: what a job with rivals over two folds adds to placement.json."""
    return describe_contest(SITES)


@pytest.fixture
def made_strata() -> dict[str, Any]:
    """For make_placement: what a job adds whose test cases have the object or not."""
    return describe_strata()


@pytest.fixture
def add_probes() -> Callable[..., None]:
    """Adds to the folder of a main job the trainings that its decision rests on, gammas a half of what those of `all` are."""

    def add(folder: Path, *, exponents: str = "dropout", folds: int = 2, seeds: int = 2) -> None:
        halved = {site: (gate, gamma / 2, cost, kept) for site, (gate, gamma, cost, kept) in SITES.items()}
        everywhere = {site: values[0] for site, values in SITES.items()}
        for fold in range(folds):
            for seed in range(seeds):
                run = folder / "runs" / f"probe_{exponents}" / f"fold_{fold}" / f"seed_{seed}"
                run.mkdir(parents=True)
                write_config(run, "case_7", seed, everywhere, UNET, exponents)
                write_metrics(run, seed, everywhere, halved)

    return add


@pytest.fixture
def make_placement(tmp_path: Path) -> Callable[..., Path]:
    """Writes the folder of a main job; every name in it is `name`, every top-level value of placement.json can be changed.

    old: as it was before costs were measured.
    """

    def make(
        name: str = "case_7", *, found: Sites = SITES, network: NetworkConfig = UNET, old: bool = False, **changes: Any
    ) -> Path:
        folder = tmp_path / "job"
        folder.mkdir()
        everywhere = {site: values[0] for site, values in found.items()}
        lean = {site: values[0] for site, values in found.items() if values[3]}
        for arm, seeds, attention in (("all", (0, 1), everywhere), ("none", (2, 3), {}), ("placed", (2, 3), lean)):
            for seed in seeds:
                run = folder / "runs" / arm / "fold_0" / f"seed_{seed}"
                run.mkdir(parents=True)
                write_config(run, name, seed, attention, network)
                write_metrics(run, seed, attention, found)
        content = describe_placement(found) | changes
        if old:
            del content["costs"], content["dead_sites"]
        (folder / "placement.json").write_text(json.dumps(content), encoding="utf-8")
        fold = {"fold": 0, "train": [name] * 24, "validation": [name] * 8, "test": [name] * 8}
        splits = {"schema": 1, "data": name, "folds": [fold], "groups": {name: name}}
        (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
        (folder / "config.yaml").write_text(f"name: {name}\n", encoding="utf-8")
        write_examples(folder / "examples.npz", [name, f"{name} again"])
        return folder

    return make


CASE_SIZES = (0, 40, 60, 90, 120, 500, 700, 900, 1200, 4000)
"""Of the objects of the test cases that `add_scores` writes."""


def dice_of_case(arm: str, number: int, seed: int) -> float:
    """0.1 a case up to 0.9, attention 0.05 better and on case 3 worse, the seeds 0.01 apart."""
    gain = 0.0 if arm == "none" else -0.2 if number == 3 else 0.05
    return round(0.1 * number + gain + 0.01 * (seed % 2), 6)


@pytest.fixture
def add_scores() -> Callable[..., None]:
    """Adds to the folder of a main job the scores that every training leaves, of ten test cases in five groups."""

    def add(folder: Path, name: str = "case", *, sizes: tuple[int, ...] = CASE_SIZES) -> None:
        for run in sorted(folder.glob("runs/*/fold_*/seed_*")):
            arm, seed = run.parts[-3], int(run.name.removeprefix("seed_"))
            rows = [["case", "group", "part", "label", "dice", "iou", "precision", "recall", "true_pixels", "predicted_pixels"]]
            for part in ("validation", "test"):
                for number, size in enumerate(sizes):
                    dice = dice_of_case(arm, number, seed)
                    scores = [dice, 0.5, 0.6, 0.7, size, 90]
                    rows.append([f"{name} {number}", f"{name} group {number // 2}", part, "foreground", *map(str, scores)])
            with (run / "cases.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
            result = {"modules": 1, "parameters": 29438, "flops": 50345216, "seconds": 35.9}
            (run / "result.json").write_text(json.dumps(result), encoding="utf-8")

    return add


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes the folder of a single run, with attention everywhere or nowhere."""

    def make(
        name: str = "case_7",
        *,
        attention: bool = True,
        exponents: str = "free",
        shut: tuple[str, ...] = (),
        found: Sites = SITES,
        network: NetworkConfig = UNET,
        old: bool = False,
    ) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        layout = {site: values[0] for site, values in found.items()} if attention else {}
        write_config(folder, name, 5, layout | dict.fromkeys(shut, "shut"), network, exponents)
        write_metrics(folder, 5, layout, found)
        rows = ["case,group,part,label,dice,iou,precision,recall,true_pixels,predicted_pixels"]
        rows += [f"{name} {i},group_{i // 2},{part},foreground,0.{8 - i},0.5,0.6,0.7,{100 + i},{90 + i}"
                 for part in ("validation", "test") for i in range(6)]  # fmt: skip
        (folder / "cases.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        result = {"modules": len(layout), "parameters": 29438, "flops": 50345216, "seconds": 35.9}
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        if attention:
            records = [{"site": site, "gate": gate, "gamma": gamma, "spread": 0.1, "case_costs": [cost, cost]}
                       for site, (gate, gamma, cost, _) in found.items()]  # fmt: skip
            evidence = {"sites": records, "case_scores": [0.9, 0.8], "groups": ["a", "b"], "path": [],
                        "exponents": exponents}  # fmt: skip
            (folder / "evidence.json").write_text(json.dumps(evidence), encoding="utf-8")
            if not old:
                (folder / "costs.json").write_text(json.dumps(describe_costs(found)), encoding="utf-8")
        return folder

    return make
