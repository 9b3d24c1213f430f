"""What the README states agrees with where it is decided or measured."""

import json
import re
from collections import Counter
from dataclasses import fields
from pathlib import Path
from statistics import fmean

import pytest
import torch
from focalseg.placement.policies.search import SMALLEST_WORTH
from scipy.stats import binomtest

from focalseg.attention import GATES
from focalseg.configuration import list_settings
from focalseg.hosts.attachment import attention_sites
from focalseg.losses import UnifiedFocalConfig
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from focalseg.study.presets import PRESETS, Settings, build_settings
from focalseg.yaml_files import parse_assignments

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
    kept = ", ".join(f"{site} ({gate.upper()})" for site, gate in result["kept"].items()) or "nothing"
    verdict = result["verdict"].replace("_", " ")
    assert f"| `{result['task']}` | {result['seed']} | {verdict} | {interval} | {kept} |" in README


def test_the_page_of_settings_lists_all_of_them_with_the_values_of_every_preset():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \|", page, flags=re.MULTILINE)
    expected = [name for name in list_settings(Settings) if not name.startswith("loss.")]
    assert sorted(name for name, *_ in rows) == sorted(expected)
    for column, preset in enumerate(PRESETS):
        values = {name: "null" if cells[column] == "nothing" else cells[column] for name, *cells in rows}
        values = {name: str(eval(value)) if value == "1/3" else value for name, value in values.items()}
        given = parse_assignments([f"{name}={value}" for name, value in values.items()])
        assert build_settings("quick", given) == build_settings(preset)


def test_the_truth_table_is_as_it_was_measured():
    rows = (ROOT / "benchmarks" / "results" / "placement.md").read_text().splitlines()
    section = (ROOT / "docs" / "placement.md").read_text().split("## Do they find it?")[1]
    quoted = [line.strip() for line in section.splitlines() if line.strip().startswith("|")]
    assert set(quoted) <= set(rows)
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")] for line in quoted}
    assert {name for name in cells if not name.endswith("three trainings")} == {"policy", "---", *POLICIES}
    assert sum(name.endswith("three trainings") for name in cells) == 7
    _, _, regret, random, _, needs, idle, *_ = cells["removal"]
    text = " ".join(README.split())
    assert (
        f"met every need in {needs} decisions, kept nothing in {idle} where nothing is needed, and lacks {regret} Dice" in text
    )
    assert f"as many sites at random lack {random}." in text
    assert f"met the need in {cells['gamma_threshold'][5]} and kept nothing in {cells['gamma_threshold'][6]}" in text


def test_the_truth_table_shows_that_the_default_policy_is_the_one_to_take():
    """The leanest of those that lack little, nothing that is needed is lost, and nothing is kept where nothing is needed."""
    table = json.loads((ROOT / "benchmarks" / "results" / "placement.json").read_text())

    def mean(policy, figure):
        return fmean(task["policies"][policy]["regret"][figure] for task in table.values())

    default = build_settings("quick").policy
    good = [policy for policy in POLICIES if mean(policy, "policy") <= 0.01]
    shares = {
        policy: fmean(task["policies"][policy]["modules"] / len(task["candidates"]) for task in table.values())
        for policy in good
    }
    assert default == min(good, key=shares.get)
    assert mean(default, "policy") <= mean(default, "random") / 2
    for needy, least in ((True, 0.95), (False, 0.9)):
        ours = [task["policies"][default] for task in table.values() if bool(task["needed"]) == needy]
        assert sum(one["served"] for one in ours) >= least * sum(one["decisions"] for one in ours)
    assert all(task["policies"][default]["trainings"] < 3 for task in table.values())


def test_the_counts_of_null_verdicts_are_as_they_were_measured():
    """Help is claimed in at most one of twenty jobs where there is none, whether sites are chosen or drawn."""
    found = json.loads((ROOT / "benchmarks" / "results" / "null_verdicts.json").read_text())
    verdicts = Counter((one["policy"], one["verdict"]) for one in found)
    repetitions = len({one["number"] for one in found})
    for policy in ("removal", "random"):
        assert verdicts[policy, "helps"] <= repetitions / 20
        assert verdicts[policy, "no_difference_shown"] >= 0.9 * repetitions
    assert not any(one["kept"] for one in found if one["policy"] == build_settings("quick").policy)
    claims = sum(one["claims_help"] for one in found)
    assert claims == 0
    bound = binomtest(0, repetitions).proportion_ci().high
    everywhere = [one["all_minus_none"] for one in found if one["policy"] == "removal"]
    above, below = sum(one["low"] > 0 for one in everywhere), sum(one["high"] < 0 for one in everywhere)
    assert all(abs(one["dice"]) < 0.01 for one in everywhere if one["low"] > 0 or one["high"] < 0)
    helps, harms = verdicts["random", "helps"], verdicts["random", "harms"]
    text = " ".join(README.split())
    assert f"on {repetitions} sets of images" in text
    assert f"claims help: {claims} of {repetitions}, at most {bound:.1%}".replace("%", " %") in text
    assert f"the verdict was *helps* in {helps} and *harms* in {harms}." in text
    assert f"minus none lay above 0 in {above} and below in {below}, by less than 0.01 Dice" in text


REAL = json.loads((ROOT / "benchmarks" / "results" / "real_data-small.json").read_text())


@pytest.mark.parametrize(("name", "shown"), [("cvc_clinicdb", "CVC-ClinicDB"), ("chase_db1", "CHASE_DB1"), ("busi", "BUSI")])
def test_the_figures_on_real_images_are_as_they_were_measured(name, shown):
    one = REAL[name]
    arms, change = one["arms"], one["difference"]
    order = ("none", "se", "ag", "all", "placed", "random", "wider")
    cells = [f"{shown}, {one['seen']}", *(f"{arms[arm]['dice']:.3f}" if arm in arms else "-" for arm in order)]
    cells += [
        f"{arms['all']['modules']}, {arms['placed']['modules']}",
        f"{change['dice']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}]",
    ]
    assert f"| {' | '.join(cells)} |" in README
    assert one["verdict"] == "no_difference_shown"
    assert arms["none"]["trainings"] == 3
    assert arms["none"]["folds"] == 5


def test_the_words_on_real_images_are_what_was_measured():
    best = [max(one["arms"], key=lambda arm: one["arms"][arm]["dice"]) for one in REAL.values()]
    assert best.count("se") == 2
    assert REAL["chase_db1"]["sentence"].startswith("No attention is justified on this data: ")
    smallest = {(one["one"], one["other"]): one["smallest_difference"] for one in REAL["cvc_clinicdb"]["comparisons"]}
    assert f"four studies of five would show a gain of {smallest['placed', 'none']:.2f} Dice" in " ".join(README.split())


def test_the_costs_of_the_main_job_are_as_they_were_measured():
    page = (ROOT / "benchmarks" / "results" / "main_job.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for cells in (line.split("|") for line in page.splitlines() if line.startswith("| `"))}
    demo, place = rows["focalseg demo"], rows["focalseg place cvc_clinicdb --preset quick"]
    text = " ".join(README.split())
    assert f"about {round(float(demo[2]), -1):.0f} s on two cores" in text
    assert f"`quick` took {float(place[2]) / 60:.0f} minutes and {float(place[3]):.1f} GiB and kept nothing" in text
    change, low, high = re.search(r"(\S+) \(95 % interval (\S+) to (\S+)\)", place[5]).groups()
    assert f"gains*: {change} Dice [{low}, {high}]" in text
    networks = (ROOT / "benchmarks" / "results" / "networks.md").read_text(encoding="utf-8")
    assert "-0.001 (95 % interval -0.048 to +0.042)" in networks
    assert "all minus none is -0.001 [-0.048, +0.042] at Dice 0.853" in text
    assert networks.count("Kept: none.") == 2


def test_the_planted_truths_are_what_the_tasks_were_made_for():
    useful = {row["arm"] for row in RESULTS["single_sites"] if row["gain"]["low"] > 0.1 and row["arm"] != "all"}
    best = max(useful, key=lambda arm: sum(next(row["dice"] for row in RESULTS["single_sites"] if row["arm"] == arm)))
    for result in RESULTS["places"]:
        if result["task"] == "phantom:global-cue":
            assert result["verdict"] == "helps"
            assert result["kept"][best] == "se"
        else:
            assert result["verdict"] != "helps"


def python_blocks(text):
    """Every Python example of a page."""
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/losses.md"])
def test_the_examples_of_the_losses_run_as_they_stand_and_leave_a_gradient(page, capsys):
    blocks = python_blocks((ROOT / page).read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    exec("\n".join(blocks if page != "README.md" else blocks[1:]), names)
    assert torch.isfinite(names["logits"].grad).all()
    capsys.readouterr()


def test_the_settings_that_the_page_of_the_losses_lists_are_those_of_the_code():
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    table = page[page.index("| argument | default | is |") : page.index("phi is 1 on every pixel")]
    listed = {}
    for line in table.splitlines()[2:]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            defaults = cells[1].split(", ") if "," in cells[0] else [cells[1]]
            listed |= dict(zip(re.findall(r"`(\w+)`", cells[0]), defaults, strict=True))
    defaults = {field.name: field.default for field in fields(UnifiedFocalConfig)}
    assert {name: eval(value.strip("`")) for name, value in listed.items()} == defaults


def test_the_examples_of_the_networks_run_as_they_stand(capsys):
    pytest.importorskip("monai")
    names: dict[str, object] = {}
    exec("\n".join(python_blocks((ROOT / "docs" / "networks.md").read_text(encoding="utf-8"))), names)
    assert set(attention_sites(names["own"])) == {"fine", "coarse", "top"}
    gammas = [weight.grad for name, weight in names["network"].named_parameters() if name.endswith("gamma")]
    assert len(gammas) == 7
    assert all(grad is not None for grad in gammas)
    assert "skip.0" in capsys.readouterr().out


def test_the_costs_of_attention_are_as_they_were_measured():
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    results = (ROOT / "benchmarks" / "results" / "attention.md").read_text(encoding="utf-8")
    table = page[page.index("| | float32 | bfloat16") : page.index("One thread: ")]
    cells = re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", table)
    assert len(cells) == 10
    assert [cell for cell in cells if f"| {cell} |" not in results] == []


def test_the_table_of_gates_is_the_catalogue():
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (channels|space|both) \| (yes|no) \|", page, flags=re.MULTILINE)
    assert rows == [(name, gate.varies_over, "yes" if gate.needs_gating_signal else "no") for name, gate in GATES.items()]


def read_speed():
    """By shape: how many times as fast as each peer, eager and compiled, and the eager peak."""
    text = (ROOT / "benchmarks" / "results" / "losses-cpu-float32.md").read_text()
    for section in text.split("### ")[1:]:
        lines = section.splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        by_name = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
        yield lines[0], by_name["focalseg"], by_name["focalseg compiled"]


def test_the_costs_of_the_losses_are_as_they_were_measured():
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    for shape, eager, compiled in read_speed():
        cells = [shape]
        for peer in ("MONAI AsymmetricUnifiedFocalLoss", "MONAI DiceFocalLoss", "torch cross_entropy"):
            known = f"{peer} / it" in eager
            cells.append(f"{eager[f'{peer} / it']} / {compiled[f'{peer} / it']}" if known else "")
        cells.append(f"{eager['peak / logits']} / {compiled['peak / logits']}")
        assert "| " + " | ".join(cells) + " |" in page


def test_the_python_example_runs_as_it_stands():
    torch.manual_seed(0)
    batches = [(torch.randn(2, 3, 32, 32), torch.rand(2, 32, 32) > 0.5)]
    example, _ = python_blocks(README)
    names = {"batches": batches}
    exec(example, names)
    loss = names["loss"](names["lean"](batches[0][0]), batches[0][1])
    assert torch.isfinite(loss)
    assert set(names["placement"].layout) == set(attention_sites(names["lean"]))


def test_the_page_on_placement_lists_every_policy_and_every_regime():
    page = (ROOT / "docs" / "placement.md").read_text(encoding="utf-8")
    names = {
        name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert set(POLICIES) | set(REGIMES) <= names
    assert f"| `{Settings().policy}` (default) |" in page
    assert f"at least {SMALLEST_WORTH} Dice" in page
