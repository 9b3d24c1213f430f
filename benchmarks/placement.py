"""The truth table of attention placement: every policy against tasks on which every placement has been trained.

    python benchmarks/placement.py --out RUNS [--tasks NAME ...] [--seeds 6] [--probes 60]

A task is a phantom, a small network and four or five candidate sites. Each subset of the sites is trained with `seeds` seeds,
and trainings of all sites at once are made under each regime of the exponents (`probes` under site dropout, half as many under
the others). Then every policy decides again and again, each time from trainings of its own. Writes
benchmarks/results/placement.json and .md. About two hours on two cores; resumes what is there.

    python benchmarks/placement.py --out RUNS --truths benchmarks/results/placement.json

trains nothing: the truth is that of an earlier table, and rules for removal costs are compared on those probes under site
dropout that are in RUNS (benchmarks/placement_rules.py). Writes benchmarks/results/placement_rules.json and .md.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from pathlib import Path
from statistics import fmean
from textwrap import wrap
from typing import Any

import numpy as np

from focalseg.cli.terminal.progress import build_listeners
from focalseg.configuration import merge
from focalseg.placement.exponents import REGIMES
from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import SMALLEST_WORTH, Layout
from focalseg.records.evidence import Evidence
from focalseg.study.arms.search import PROBE_COUNT, name_trial
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.planning.precision import settle_precision
from focalseg.study.planning.splits_file import claim_split
from focalseg.study.presets import build_settings
from focalseg.study.running.runs import RunResult, dice_matrix, read_evidence
from focalseg.study.running.trainer import Trainer
from machine import describe_machine
from placement_rules import compare_rules
from truth_table import (
    WITNESSES,
    Probes,
    Sites,
    Truth,
    bootstrap_means,
    correlate_witness,
    estimate_tasks,
    judge_policy,
    repeat_policy,
)

RESULTS = Path(__file__).parent / "results" / "placement"
PROBE_SEED, TABLE_SEED = 10_000, 0
PROBING = ("removal", "removal_from_all", "gamma_threshold", "gamma_path", "hard_concrete")
TRYING = ("leave_one_out", "one_at_a_time", "greedy_forward", "greedy_backward", "deep_first", "shallow_first", "exhaustive")
COLUMNS = (
    *("policy", "regret", "of random, as many", "ratio", "needs met", "nothing where idle", "modules", "alike", "trainings"),
    "plug-in",
)
HOW = """
On every task each subset of the candidate sites was trained with several seeds: that is the truth. A policy then
decides again and again, each time from trainings of its own, on validation data; what it chose is looked up among the
test scores.
"""
FIGURES = f"""
regret: test Dice that the choice lacks of the oracle, the subset with the best test Dice; the oracle is picked on one
half of the trainings and measured on the other, both ways, so that it does not owe its place to luck: a choice may do
better, and its regret be below 0. Trainings that a decision rests on have no part in its regret. Mean over tasks, 95
% interval over decisions and trainings of the table. ratio: to the regret of random sites, as many as the policy
kept. needs met: decisions that kept a site of every set that is needed. nothing where idle: decisions that kept
nothing, and shut no skip, where nothing is needed. modules: kept, of all candidates. alike: Jaccard index of two
decisions. trainings: what one decision costs; policies that probe rest on {PROBE_COUNT} trainings of all sites, those that
train layouts on one of each. `focalseg place` gives a layout as many trainings as an arm, three: the second table has
that; its decisions share trainings with one another, which makes their intervals narrower than they should be.
plug-in: the regret to the best mean of the trainings that a decision does not rest on, which owes something to luck.
First stand the policies with a regret up to {SMALLEST_WORTH}, the leanest at the top, then the others by regret.
"""
SMALLEST_RANDOM = 0.001
"""Regret of random sites below which a ratio to it says nothing."""
SMALL = {
    "network": {"base_width": 8, "most_levels": 2},
    "training": {"steps": 300, "learning_rate": 1e-2, "validate_every": 300, "log_every": 100},
}
LARGER = {
    "network": {"base_width": 16},
    "training": {
        "learning_rate": 5e-3,
        "augmentation": {"flip": False, "turn": False},
    },
}
"""For tasks that half of the trainings of a narrower network miss by bad luck, and that hang on what is above and below."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A phantom, the gates that are tried on it, by site, and the truth in a sentence.

    needed: sets of sites of each of which one has to stay; empty: attention is not needed.
    """

    phantom: str
    truth: str
    everywhere: Layout
    needed: tuple[frozenset[str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


DRAW = 2
"""The tasks were designed on the usual images of the phantoms; these are others."""
SE, AG = "se", "ag"
CHANNELS = {"encoder.0": SE, "bottleneck": SE, "skip.0": AG, "decoder.0": SE}
SPATIAL_FIRST = {**CHANNELS, "encoder.0": "spatial"}
TASKS = {
    "idle": Task(
        phantom="small-local",
        truth="All that decides about a pixel stands next to it; the plain network solves it.",
        everywhere=CHANNELS,
    ),
    "idle, hard": Task(
        phantom="faint",
        truth="The same with blobs near the noise: much is missed, and attention does not help with that.",
        everywhere=CHANNELS,
        settings={"training": {"augmentation": {"brightness": 0.0, "contrast": 0.0}}},
    ),
    "one site": Task(
        phantom="small-global-cue",
        truth="A band out of reach tells which colour counts; of these candidates one can pass that on.",
        everywhere={**CHANNELS, "bottleneck": "spatial"},
        needed=(frozenset({"encoder.0"}),),
    ),
    "either of two": Task(
        phantom="small-global-cue",
        truth="The same with a second candidate that can do it as well.",
        everywhere=CHANNELS,
        needed=(frozenset({"encoder.0", "bottleneck"}),),
    ),
    "spatial": Task(
        phantom="halves",
        truth="A band tells which half counts: pooling says nothing, a spatial gate at the first stage sees farther.",
        everywhere={"encoder.0": "spatial", "bottleneck": SE, "decoder.0": SE},
        needed=(frozenset({"encoder.0"}),),
        settings=merge(LARGER, {"training": {"steps": 600, "validate_every": 600}}),
    ),
    "two sites": Task(
        phantom="two-cues",
        truth="One cue for a channel gate and one for a spatial gate, each at its own site.",
        everywhere=SPATIAL_FIRST,
        needed=(frozenset({"encoder.0"}), frozenset({"bottleneck"})),
        settings=merge(LARGER, {"training": {"steps": 1200, "validate_every": 1200}}),
    ),
    "shortcut": Task(
        phantom="shortcut",
        truth="A gate that pools can learn the training scanners by heart, and misleads on others.",
        everywhere=CHANNELS,
        settings={"training": {"steps": 400, "validate_every": 400}},
    ),
}


def main() -> None:
    """Trains what is missing and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--probes", type=int, default=60)
    parser.add_argument("--truths", type=Path, help="take the truth from these results, and decide on the probes at hand")
    arguments = parser.parse_args()
    if arguments.truths:
        compare_rules(arguments.truths, arguments.out, {name: TASKS[name].needed for name in arguments.tasks})
        return
    found = {}
    for name in arguments.tasks:
        truth, probes = train_task(name, arguments.out, seeds=arguments.seeds, probes=arguments.probes)
        found[name] = measure_task(truth, probes)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.with_suffix(".json").write_text(json.dumps(without_samples(found), indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(format_page(found))


def train_task(name: str, out: Path, *, seeds: int, probes: int) -> tuple[Truth, Probes]:
    """Every subset of the sites with its scores, and the evidence of trainings of all sites."""
    task = TASKS[name]
    folder = out / name.replace(",", "").replace(" ", "_")
    settings = settle_precision(build_settings("quick", merge(SMALL, task.settings)), folder, "cpu")
    everywhere, listeners = task.everywhere, build_listeners()
    ground = lay_groundwork(f"phantom:{task.phantom}@{DRAW}", settings, TABLE_SEED, "cpu", listeners)
    claim_split(folder, ground, listeners.tell)
    trainer = Trainer(
        base=ground.config,
        split=ground.split,
        folder=folder,
        device="cpu",
        workers=None,
        watch=listeners.watch,
        cache_mib=settings.data.cache_mib,
        groups=ground.groups,
    )
    layouts = [
        {site: everywhere[site] for site in subset}
        for count in range(len(everywhere) + 1)
        for subset in combinations(everywhere, count)
    ]
    table_seeds = range(TABLE_SEED, TABLE_SEED + seeds)
    plans = [plan for layout in layouts for plan in trainer.plan(name_trial(layout), layout, table_seeds)]
    results = trainer.run(f"{name}: every placement", plans)
    refuse_collapsed(results)
    tried = {frozenset(layout): results[seeds * number : seeds * (number + 1)] for number, layout in enumerate(layouts)}
    truth = Truth(
        name=name,
        everywhere=everywhere,
        needed=task.needed,
        **{
            part: {sites: dice_matrix(own, part).mean(axis=1) for sites, own in tried.items()}
            for part in ("validation", "test")
        },
    )
    evidence: dict[str, list[Evidence | None]] = {}
    for regime in REGIMES:
        count = probes if regime == "dropout" else probes // 2
        probe_seeds = range(PROBE_SEED, PROBE_SEED + count)
        probing = trainer.plan(f"probe_{regime}", everywhere, probe_seeds, exponents=regime, testifies=True)
        results = trainer.run(f"{name}: all sites, exponents {regime}", probing)
        evidence[regime] = [
            None if result.collapsed else read_evidence(plan.folder) for plan, result in zip(probing, results, strict=True)
        ]
    return truth, evidence


def refuse_collapsed(results: Sequence[RunResult]) -> None:
    """Raises RuntimeError where a training of a placement ended predicting nothing, which a job would leave out."""
    if count := sum(result.collapsed for result in results):
        raise RuntimeError(f"{count} of {len(results)} trainings collapsed; the table has no place for them.")


def measure_task(truth: Truth, probes: Probes) -> dict[str, Any]:
    """All figures of a task, as plain data."""
    decisions = {policy: repeat_policy(policy, truth, probes, probes_each=PROBE_COUNT) for policy in POLICIES}
    policies = {policy: judge_policy(truth, own) for policy, own in decisions.items()}
    single = {
        f"{policy}, one training": judge_policy(truth, repeat_policy(policy, truth, probes, probes_each=1))
        for policy in PROBING
    }
    three = {
        f"{policy}, three trainings": judge_policy(truth, repeat_policy(policy, truth, probes, probes_each=3, layouts_each=3))
        for policy in ("removal", *TRYING)
    }
    return {
        "candidates": dict(truth.everywhere),
        "needed": [sorted(need) for need in truth.needed],
        "dice": name_scores(truth.test),
        "validation": name_scores(truth.validation),
        "marginal_values": truth.marginal_values(),
        "policies": policies | three | single,
        "witnesses": {witness: correlate_witness(witness, truth, probes) for witness in WITNESSES} if truth.needed else {},
    }


def name_scores(scores: Mapping[Sites, np.ndarray]) -> dict[str, list[float]]:
    """Dice of the trainings of each subset, under a name that can be read."""
    return {"+".join(sorted(sites)) or "none": values.round(6).tolist() for sites, values in scores.items()}


def without_samples(content: Any) -> Any:
    """The figures alone: what the intervals were made of can be made again."""
    if isinstance(content, dict):
        return {name: without_samples(value) for name, value in content.items() if name != "samples"}
    return content


def format_page(found: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    first = next(iter(found.values()))
    lines = [
        "# The truth table of attention placement",
        "",
        "`python benchmarks/placement.py --out RUNS`,",
        describe_machine(),
        "",
        *wrap(HOW.strip(), 118, break_on_hyphens=False),
        "",
        *wrap(FIGURES.strip(), 118, break_on_hyphens=False),
        "",
        "## Policies",
        "",
        *format_policies(found, list(POLICIES)),
        "",
        "## From other numbers of trainings",
        "",
        *format_policies(found, [name for name in first["policies"] if name not in POLICIES]),
        "",
        *format_witnesses(found),
    ]
    for name, task in found.items():
        lines += ["", *format_task(name, task)]
    return "\n".join(lines) + "\n"


def format_policies(found: Mapping[str, Any], policies: Sequence[str]) -> list[str]:
    """A line a policy, over all tasks: those that lack less than what a site has to be worth first, the leanest at the top."""
    header = f"| {' | '.join(COLUMNS)} |"
    rows = []
    for policy in policies:
        tasks = {name: task["policies"][policy] for name, task in found.items()}
        every = list(tasks.values())
        regret, random = estimate_tasks(every, "policy"), estimate_tasks(every, "random")
        ratio = show(estimate_tasks(every, "ratio"), 2) if random["mean"] > SMALLEST_RANDOM else "-"
        share = fmean(one["modules"] / len(found[name]["candidates"]) for name, one in tasks.items())
        counts = []
        for needy in (True, False):
            ours = [one for name, one in tasks.items() if bool(found[name]["needed"]) == needy]
            counts.append(f"{sum(one['served'] for one in ours)} of {sum(one['decisions'] for one in ours)}" if ours else "-")
        alike, trainings, plug_in = (fmean(one[key] for one in every) for key in ("jaccard", "trainings", "plug_in_regret"))
        cells = [policy, show(regret, 3), f"{random['mean']:.3f}", ratio, *counts, f"{share:.0%}", f"{alike:.2f}"]
        lacks = max(regret["mean"], SMALLEST_WORTH)
        rows.append((lacks, share, f"| {' | '.join(cells)} | {trainings:.1f} | {plug_in:.3f} |"))
    return [header, "|---" * len(COLUMNS) + "|", *(row for *_, row in sorted(rows))]


def format_witnesses(found: Mapping[str, Any]) -> list[str]:
    """Rank correlation of each witness with the marginal values, on the tasks that need attention."""
    needy = [task for task in found.values() if task["needed"]]
    lines = [
        "## What tells the worth of a site",
        "",
        "Rank correlations, over the sites of a training, of what it says of them with what each adds in test Dice (the mean",
        "over all subsets of the others); mean over trainings and the tasks that need attention. Somers' D counts the pairs of",
        f"sites whose worth differs by {SMALLEST_WORTH} or more; Spearman's all, and with them the luck that orders sites that",
        "add nothing.",
        "",
        "| witness, regime of the training | Somers' D | Spearman |",
        "|---|---|---|",
    ]
    if needy:
        for name in WITNESSES:
            samples = [task["witnesses"][name]["samples"] for task in needy]
            found = [bootstrap_means([of_task[kind] for of_task in samples]) for kind in ("somers", "spearman")]
            lines.append(f"| {name} | {' | '.join(show(one, 2) for one in found)} |")
    return lines


def format_task(name: str, task: Mapping[str, Any]) -> list[str]:
    """The truth of a task, and what was chosen."""
    needs = " and ".join(" or ".join(need) for need in task["needed"]) or "nothing"
    values = ", ".join(f"{site} {value:+.3f}" for site, value in task["marginal_values"].items())
    lines = [
        f"## {name}",
        "",
        f"{TASKS[name].truth} Needed: {needs}.",
        f"What a site adds: {values}.",
        "",
        "| sites | test Dice of the trainings | mean |",
        "|---|---|---|",
    ]
    for sites, dice in sorted(task["dice"].items(), key=lambda item: -fmean(item[1])):
        lines.append(f"| {sites} | {', '.join(f'{value:.3f}' for value in dice)} | {fmean(dice):.3f} |")
    lines += ["", "| policy | regret | served | kept, and how often |", "|---|---|---|---|"]
    for policy, one in task["policies"].items():
        kept = ", ".join(f"{sites} {count}" for sites, count in islice(one["chosen"].items(), 4))
        lines.append(f"| {policy} | {one['regret']['policy']:+.3f} | {one['served']} of {one['decisions']} | {kept} |")
    return lines


def show(estimate: Mapping[str, float], digits: int) -> str:
    """A mean with its interval."""
    return f"{estimate['mean']:.{digits}f} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"


if __name__ == "__main__":
    main()
