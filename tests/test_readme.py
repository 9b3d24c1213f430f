"""What the README states agrees with where it is decided or measured."""

import json
import re
from pathlib import Path

import pytest
import torch

from focalseg.placement.sites import attention_sites
from focalseg.study.presets import PRESETS, build_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "planted_truths.json").read_text())


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_presets_is_that_of_the_code(name):
    settings = build_settings(name)
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    numbers = [int(number) for number in re.findall(r"\d+", row)]
    expected = [
        settings.data.longest_side,
        settings.network.base_width,
        settings.network.most_levels,
        settings.training.steps,
        settings.seeds,
    ]
    assert numbers == expected


@pytest.mark.parametrize("result", RESULTS["places"], ids=lambda result: f"{result['task']} {result['seed']}")
def test_the_planted_truths_are_as_they_were_measured(result):
    difference = result["difference"]
    interval = f"{difference['dice']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
    kept = ", ".join(f"{site} ({gate.upper()})" for site, gate in result["kept"].items())
    verdict = result["verdict"].replace("_", " ")
    assert f"| `{result['task']}` | {result['seed']} | {verdict} | {interval} | {kept} |" in README


def test_the_planted_truths_are_what_the_tasks_were_made_for():
    useful = {row["arm"] for row in RESULTS["single_sites"] if row["gain"]["low"] > 0.1 and row["arm"] != "all"}
    best = max(useful, key=lambda arm: sum(next(row["dice"] for row in RESULTS["single_sites"] if row["arm"] == arm)))
    for result in RESULTS["places"]:
        if result["task"] == "phantom:global-cue":
            assert result["verdict"] == "helps"
            assert result["kept"][best] == "se"
        else:
            assert result["verdict"] != "helps"


def test_the_python_example_runs_as_it_stands():
    torch.manual_seed(0)
    batches = [(torch.randn(2, 3, 32, 32), torch.rand(2, 32, 32) > 0.5)]
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names = {"batches": batches}
    exec(example, names)
    loss = names["loss"](names["lean"](batches[0][0]), batches[0][1])
    assert torch.isfinite(loss)
    assert set(names["placement"].layout) == set(attention_sites(names["lean"]))
