"""What the focal parameter does: the page of `focalseg report --focal` with more seeds, and the trainings on two more settings.

    python benchmarks/focal_role.py --out RUNS [--seeds 8]

Writes RUNS/focal/index.html and figures.json, benchmarks/results/focal_role.md and .json, and, where there is a Chromium,
the pictures of docs/focal.md: the three parts of the page. About fifteen minutes on two cores.
"""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from focalseg.focal_role.effect import measure_effect
from focalseg.focal_role.investigation import FocalBudget, FocalRole, investigate_focal_role, list_numbers, to_plain
from focalseg.focal_role.maps import ARMS
from focalseg.focal_role.page import write_focal_page
from focalseg.focal_role.trainings import TrainingBudget, plan_trials, run_trials
from focalseg.focal_role.wording import (
    KNOBS,
    describe_effect,
    describe_factors,
    describe_gradients,
    describe_knob,
    describe_weights,
)
from focalseg.report.wording import decimal, signed
from focalseg.study.running.local import choose_workers

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "focal_role"
COMMAND = "python benchmarks/focal_role.py --out RUNS"
PARTS = ("curves", "maps", "effect")
LONGER = TrainingBudget(steps=400)
OTHER = TrainingBudget(phantom="context")
ARM_NAMES = {"overlap": "overlap", "cross_entropy": "cross-entropy", "both": "both"}


def main() -> None:
    """Measures everything, then writes the page, the results and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    budget = FocalBudget(trainings=replace(TrainingBudget(), seeds=arguments.seeds))
    role = investigate_focal_role(budget, tell=tell)
    page = write_focal_page(arguments.out, role)
    numbers = list_numbers(role)
    numbers.pop("curves")  # NumPy's power gives them, to the last digit but one
    more = {name: measure_more(name, chosen) for name, chosen in (("longer", LONGER), ("other", OTHER))}
    results = {"torch": torch.__version__, "page": numbers, "sentences": describe_all(role), **more}
    RESULTS.with_suffix(".json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(format_results(results), encoding="utf-8")
    take_pictures(page)


def tell(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def measure_more(name: str, budget: TrainingBudget) -> dict[str, Any]:
    """The effect alone, for another budget."""
    workers = choose_workers(len(plan_trials(budget)), "cpu")
    outcomes = run_trials(budget, workers=workers, tell=lambda done, of: tell(f"{name}: {done} of {of} trainings"))
    return {"budget": to_plain(budget), "effect": to_plain(measure_effect(outcomes))}


def describe_all(role: FocalRole) -> tuple[str, ...]:
    """The sentences of the page, in its order, but for those that repeat a table of the documentation."""
    foreground = float(role.maps.subject.mask.mean())
    arms = ([one for one in role.maps.gradients if one.arm == arm] for arm in ARMS)
    return (
        describe_effect(role.effect),
        *(describe_gradients(maps, foreground) for maps in arms),
        describe_factors(role.maps.factors),
        describe_weights(role.maps),
        *(describe_knob(settings, KNOBS[knob]) for knob, settings in vars(role.effect).items()),
    )


def format_results(results: dict[str, Any]) -> str:
    """The tables as Markdown."""
    page = results["page"]
    return "\n".join([
        "# The role of the focal parameter",
        "",
        f"`{COMMAND}`, torch {results['torch']}, CPU.",
        "",
        "## Maps",
        "",
        *format_gradients(page["maps"]["gradients"]),
        "",
        *format_shifts(page["maps"]["shifts"]),
        "",
        *format_factors(page["maps"]["factors"]),
        "",
        *format_weights(page["maps"]["weights"]),
        "",
        *format_section(page["budget"]["trainings"], page["effect"]),
        *format_section(results["longer"]["budget"], results["longer"]["effect"]),
        *format_section(results["other"]["budget"], results["other"]["effect"]),
    ])  # fmt: skip


def format_gradients(maps: list[dict[str, Any]]) -> list[str]:
    """Where the gradient of each arm falls."""
    head = ["| arm | gamma | on the foreground | on wrong pixels | size against gamma 0 |", "|---|---|---|---|---|"]
    return head + [
        f"| {ARM_NAMES[one['arm']]} | {one['gamma']:g} | {one['on_foreground']:.3f} "
        f"| {one['on_wrong']:.3f} | {one['total']:.2f} |"
        for one in maps
    ]


def format_shifts(shifts: list[dict[str, Any]]) -> list[str]:
    """From the smallest to the largest gamma over all held-out images with a border, and on how many of them a share rises."""
    head = ["| arm | on the foreground | rises on | on wrong pixels | rises on | size |", "|---|---|---|---|---|---|"]
    return head + [
        f"| {ARM_NAMES[one['arm']]} "
        f"| {one['foreground_first']:.3f} to {one['foreground_last']:.3f} | {one['foreground_rises']} of {one['images']} "
        f"| {one['wrong_first']:.3f} to {one['wrong_last']:.3f} | {one['wrong_rises']} of {one['images']} "
        f"| {one['total']:.2f} |"
        for one in shifts
    ]


def format_factors(maps: list[dict[str, Any]]) -> list[str]:
    """What the gate lets through."""
    head = ["| network gamma | passed inside the mask | outside | inside / outside |", "|---|---|---|---|"]
    return head + [
        f"| {one['gamma']:g} | {one['foreground']:.3f} | {one['background']:.3f} "
        f"| {one['foreground'] / one['background']:.2f} |"
        for one in maps
    ]


def format_weights(maps: list[dict[str, Any]]) -> list[str]:
    """Where the boundary's weight stands."""
    head = ["| boundary gamma | share of W - 1 within 2 pixels of the border | mean of W |", "|---|---|---|"]
    return head + [f"| {one['gamma']:g} | {one['near_border']:.3f} | {one['mean']:.2f} |" for one in maps]


def format_section(budget: dict[str, Any], effect: dict[str, Any]) -> list[str]:
    """The effect for one budget, with its heading."""
    title = f"## phantom:{budget['phantom']}, {budget['steps']} steps, {budget['seeds']} seeds"
    return [title, "", *format_effect(effect), ""]


def format_effect(effect: dict[str, Any]) -> list[str]:
    """Scores by knob and gamma: mean [range over seeds], and the difference to gamma 0 [95 % interval]."""
    head = [
        "| knob | gamma | Dice | precision | recall | Dice - that at 0 | nothing predicted |",
        "|---|---|---|---|---|---|---|",
    ]
    names = {"loss": "loss", "network": "network, held", "turned": "network, turned"}
    return head + [format_setting(names[knob], one) for knob in KNOBS for one in effect[knob]]


def format_setting(knob: str, setting: dict[str, Any]) -> str:
    """One row."""
    scores = [setting[name] for name in ("dice", "precision", "recall")]
    cells = [f"{decimal(one['mean'])} [{decimal(one['lowest'])}, {decimal(one['highest'])}]" for one in scores]
    zero = setting["against_zero"]
    difference = f"{signed(zero['mean'])} [{signed(zero['low'])}, {signed(zero['high'])}]" if setting["gamma"] else ""
    row = [knob, f"{setting['gamma']:g}", *cells, difference, f"{setting['empty']} of {setting['predictions']}"]
    return f"| {' | '.join(row)} |"


def take_pictures(page: Path) -> None:
    """The three parts of the page as docs/focal-PART.png."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        tell("no Chromium: docs/focal-*.png are left as they are")
        return
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        view.goto(page.resolve().as_uri())
        for part in PARTS:
            box = view.locator(f"#{part}").evaluate(
                "section => { const box = section.getBoundingClientRect();"
                " return {x: 0, y: box.top + scrollY + 4, width: innerWidth, height: box.height}; }"
            )
            view.screenshot(path=ROOT / "docs" / f"focal-{part}.png", full_page=True, clip=box)
        browser.close()


if __name__ == "__main__":
    main()
