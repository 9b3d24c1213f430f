"""Does attention help on real images? Every arm, over folds that keep sequences, children and near duplicates together.

    python benchmarks/real_data.py --out RUNS --data FOLDER [--sets cvc_clinicdb chase_db1 busi] [--size small|full]
    python benchmarks/real_data.py --out RUNS --data FOLDER --finished-only     # trains nothing; leaves out what is not done
    python benchmarks/real_data.py --out RUNS --data FOLDER --fixed-arms none se   # what the folds so far say of them

FOLDER holds the data sets by name, RUNS/SET is the job of one: a size wants RUNS of its own. Each is one call of `focalseg
place`: ten folds tested in turn, one training an arm on each, with attention nowhere, SE everywhere, SE and AG everywhere,
placed, and a wider plain network. small is what two cores train in a night; full is 384 pixels and widths from 32 to 512, for a
GPU (--device cuda). Resumes what is there: the same call again goes on.

Writes benchmarks/results/real_data-SIZE.md and .json, with the sets of this call anew and the others as they were, and per set
real_data-SIZE-SET-cases.csv, the score of every test case in every training. Every mean on the page is computed from that file
once more, in plain Python; nothing is written where one differs. Sets that were only trained before scores were kept per case
(five folds, three trainings an arm and fold) stand at the end with the strata that follow from what was kept; all that is known
of those trainings is on real_data-small-earlier.md.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from focalseg.records.placement import PLACEMENT
from focalseg.records.result import CONFIG, RESULT
from focalseg.training.loop import METRICS
from focalseg.training.metrics_log import read_metrics
from focalseg.yaml_files import read_yaml
from machine import describe_machine
from real_images.cases import FIXED, collect_rows, keep_common, list_runs, write_cases
from real_images.checking import list_misfits
from real_images.intervals import measure_rescues, measure_strata, share_training
from real_images.page import format_earlier, format_set, format_strata
from real_images.strata import take_apart

RESULTS = Path(__file__).parent / "results"
SETS = ("cvc_clinicdb", "chase_db1", "busi")
FOLDS = 10
PROTOCOL = {
    "seeds": "1",
    "split.folds": str(FOLDS),
    "split.test_folds": str(FOLDS),
    "rivals": "[se, wider]",
    "looks.once": "true",
}
"""It is looked at once and never extended, so that its intervals are of 95 %."""
SIZES = {
    "small": {
        "data.longest_side": "96",
        "network.base_width": "16",
        "network.most_levels": "4",
        "training.steps": "800",
        "training.validate_every": "200",
        "training.log_every": "50",
    },
    "full": {
        "data.longest_side": "384",
        "network.base_width": "32",
        "network.most_levels": "5",
        "training.steps": "20000",
        "training.learning_rate": "0.001",
        "training.validate_every": "2000",
        "training.log_every": "100",
    },
}
OF_SET = {
    "small": {
        "chase_db1": {
            "data.longest_side": "192",
            "data.patch_side": "96",
            "training.steps": "300",
            "training.validate_every": "75",
        },
    },
    "full": {},
}
"""Vessels are a few pixels wide in the original, a tenth of that at 96 pixels; they are learned in fewer steps."""
LEFT_OUT = ("files", "costs", "lean", "runs", "placed_runs", "distance_differences", "report")
"""Of placement.json: what is of the folder, or what no table shows."""


def main() -> None:
    """Runs what is missing and writes the tables, or looks at the fixed arms alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--size", default="small", choices=list(SIZES))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--finished-only", action="store_true", help="train nothing; leave out sets whose job is not done")
    parser.add_argument(
        "--fixed-arms", nargs="+", choices=FIXED, metavar="ARM", help="write a page of the folds where all of these are done"
    )
    arguments = parser.parse_args()
    for name in arguments.sets:
        job, options = arguments.out / name, PROTOCOL | SIZES[arguments.size] | OF_SET[arguments.size].get(name, {})
        if arguments.fixed_arms:
            print(keep_look(name, job, arguments.fixed_arms, f"real_data-{arguments.size}-{name}-fixed-arms"))
            continue
        if not arguments.finished_only:
            place(arguments.data / name, job, options, device=arguments.device)
        elif not (job / PLACEMENT).exists():
            print(f"{name}: {job / PLACEMENT} is not there yet; left out")
            continue
        keep(name, job, arguments.size, f"focalseg place {name} {show_options(options)}")
    if not arguments.fixed_arms:
        write_page(arguments.size)


def place(data: Path, out: Path, options: Mapping[str, str], *, device: str) -> None:
    """One main job."""
    settings = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "focalseg", "place", str(data), "--out", str(out), "--device", device, *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def show_options(options: Mapping[str, str]) -> str:
    """The settings as one types them."""
    return " ".join(f"--set '{name}={value}'" for name, value in options.items())


def keep(name: str, job: Path, size: str, command: str) -> None:
    """Writes what a finished job found: its scores per case, its figures, and the page of all sets.

    Raises SystemExit, and writes nothing, where a mean of the job is not that of the scores per case.
    """
    table = RESULTS / f"real_data-{size}-{name}-cases.csv"
    content = json.loads((job / PLACEMENT).read_text(encoding="utf-8"))
    rows = collect_rows(job, content["runs"])
    found = {"command": command, "machine": describe_machine(), "cases_file": table.name, **reduce_job(job, content, rows)}
    if misfits := list_misfits(found, rows):
        raise SystemExit(f"{name}: what the job says is not what its scores say:\n" + "\n".join(misfits))
    write_cases(table, rows)
    everything = read_figures(size) | {name: found}
    ordered = {name: everything[name] for name in SETS if name in everything}
    (RESULTS / f"real_data-{size}.json").write_text(json.dumps(ordered, indent=1) + "\n")
    write_page(size)


def read_figures(size: str) -> dict[str, Any]:
    """What is kept of every set that is done."""
    path = RESULTS / f"real_data-{size}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_page(size: str) -> None:
    """The page of all sets, from what is kept of them."""
    (RESULTS / f"real_data-{size}.md").write_text(format_page(read_figures(size), size))


def reduce_job(job: Path, content: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
    """What the tables show of a job: what it says itself and, where it does not, what follows from its scores per case."""
    parts, tuned = take_apart(rows), take_apart(rows, tuned=True)
    overlap = content["overlap"] if content["claim"] == "new_data" else 0.0
    tail = content["looks"]["tail"]
    at_tuned = measure_strata(tuned, overlap=overlap, tail=tail)
    if content["tuned"]:
        at_tuned["with_object"] = {name: content["tuned"][name] for name in ("arms", "differences")}
    return {
        **{name: value for name, value in content.items() if name not in LEFT_OUT},
        "protocol": {"folds": content["arms"]["none"]["folds"], "trainings": content["arms"]["none"]["trainings"]},
        "strata": {**measure_strata(parts, overlap=overlap, tail=tail), **content["strata"]},
        "tuned": at_tuned,
        "these_images": measure_strata(parts, overlap=0.0, tail=tail),
        "rescues": measure_rescues(parts),
        "thresholds": read_thresholds(job, content["runs"]),
        "seen": read_seen(job / "runs" / "none"),
        "plain_curve": average_curve(job / "runs" / "none"),
    }


def keep_look(name: str, job: Path, arms: Sequence[str], title: str) -> str:
    """Writes what the folds say on which all of these arms are trained, and their scores per case, while others are still at
    work. Returns the page, or why there is none."""
    runs = {arm: found for arm, found in list_runs(job).items() if arm in arms}
    if missing := [arm for arm in arms if arm not in runs]:
        return f"{name}: nothing yet of {', '.join(missing)}"
    runs = keep_common(runs)
    if not runs[arms[0]]:
        return f"{name}: no fold yet with all of {', '.join(arms)}"
    rows = collect_rows(job, runs)
    page = format_look(name, arms, rows, count=len(runs[arms[0]]), cases_file=f"{title}-cases.csv")
    write_cases(RESULTS / f"{title}-cases.csv", rows)
    (RESULTS / f"{title}.md").write_text(page)
    return page


def format_look(name: str, arms: Sequence[str], rows: Sequence[Any], *, count: int, cases_file: str) -> str:
    """Strata of the fixed arms with both claims, and at both thresholds where every training was scored at both."""
    parts = take_apart(rows)
    lines = [
        f"# {name}: {' and '.join(arms)}, {count} of {FOLDS} folds",
        "",
        f"`python benchmarks/real_data.py --out RUNS --data FOLDER --sets {name} --fixed-arms {' '.join(arms)}`,",
        describe_machine(),
        "",
        "One training per arm and fold, as in real_data.py; the other arms wait for the decision. 95 % intervals over",
        f"trainings, groups and folds. Scores per case: [{cases_file}]({cases_file}).",
        "",
        "## For data sets like this one",
        "",
        *format_strata(measure_strata(parts, overlap=share_training(FOLDS))),
        "",
        "## For these images alone",
        "",
        *format_strata(measure_strata(parts, overlap=0.0)),
        "",
    ]
    for pair, summands in measure_rescues(parts).items():
        missed, others = (f"{summands[name]:+.3f} from" for name in ("rescued", "others"))
        what = f"Of {pair} in Dice with the object"
        lines += [f"{what}: {missed} cases that one of the two missed, {others} the others.", ""]
    if all(row.tuned_dice is not None for row in rows):
        tuned = measure_strata(take_apart(rows, tuned=True), overlap=0.0)
        lines += ["## For these images alone, at thresholds tuned on validation cases", "", *format_strata(tuned), ""]
    return "\n".join(lines)


def read_thresholds(job: Path, runs: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Least, median and greatest tuned threshold of each arm; no arm where a training tuned none."""
    tuned = {
        arm: [json.loads((job / run / RESULT).read_text()).get("threshold") for run in found] for arm, found in runs.items()
    }
    return {
        arm: {"least": min(found), "median": median(found), "greatest": max(found)}
        for arm, found in tuned.items()
        if None not in found
    }


def read_seen(folder: Path) -> str:
    """The size in pixels that the networks of an arm saw images at, and the patches of it that they were trained on."""
    preparation = read_yaml(next(folder.glob(f"fold_*/seed_*/{CONFIG}")))["preparation"]
    whole, patch = (" x ".join(map(str, preparation[name] or ())) for name in ("size", "patch"))
    return f"{whole} pixels" + (f", in patches of {patch}" if patch else "")


def average_curve(folder: Path) -> dict[int, float]:
    """Validation Dice of an arm by step, the mean over its trainings."""
    curves = [
        {int(row["step"]): float(row["validation_dice"]) for row in read_metrics(path) if row["validation_dice"]}
        for path in sorted(folder.glob(f"fold_*/seed_*/{METRICS}"))
    ]
    return {step: fmean(curve[step] for curve in curves) for step in curves[0]}


def read_earlier(size: str) -> dict[str, Any]:
    """What is known of trainings from before scores were kept per case, by set."""
    path = RESULTS / f"real_data-{size}-earlier.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def format_page(found: Mapping[str, Any], size: str) -> str:
    """All sets: those of the protocol, then those that were only trained before."""
    lines = [
        f"# Attention on real images, {size} size",
        "",
        f"`python benchmarks/real_data.py --out RUNS --data FOLDER --size {size}`",
        "",
        "Ten folds tested in turn, no group of cases on two sides, sites chosen on validation cases, one training per arm on",
        "each fold from seeds that nothing was chosen with. What counts, fixed beforehand, is the Dice of the cases that have",
        "the object. Beside it stand the share of those that were missed altogether (no pixel in common), the share of the",
        "cases without the object that were left empty, and the mean Dice of all cases. Scores at the images' own resolution;",
        "95 % intervals over trainings, groups and folds, which allow for the training cases that folds have in common and so",
        "speak for new data like these; those that speak for these images alone do not.",
        "Differences are paired by case and training, and those of shares are in points of a hundred.",
    ]
    for name, one in found.items():
        lines += ["", *format_set(name, one), "", one["machine"]]
    others = {name: one for name, one in read_earlier(size).items() if name not in found}
    if others:
        lines += ["", *describe_earlier(size)]
    for name, one in others.items():
        lines += ["", f"### {name}", "", *format_earlier(name, one)]
    return "\n".join(lines) + "\n"


def describe_earlier(size: str) -> list[str]:
    """What stands above the sets that were not trained anew."""
    page = f"real_data-{size}-earlier.md"
    return [
        "## Not trained anew yet",
        "",
        f"Five folds, three trainings per arm and fold, from before scores were kept per case ([in full]({page})).",
        "These strata follow exactly from the mean Dice and the counts of empty masks that were kept. Which case it was is not",
        "known, so that they have no intervals. Counted are cases times trainings; *missed* here means that nothing was",
        "predicted.",
    ]


if __name__ == "__main__":
    main()
