"""Does what a job found hold on images that it never saw? BUSI in two halves: placed on one, asked again on the other.

    python benchmarks/external.py --data FOLDER --out RUNS [--device auto]

FOLDER holds `busi`. It is halved by near-duplicate group, class by class: each group goes to the half that has fewer cases of
its class, in the order of the table, so that the halves are the same every time. `focalseg place` works on the first half,
`focalseg evaluate` asks its trainings on the second. The halves are of one hospital: this stands in for an external set, and
shows what the command does rather than what another scanner would. Writes benchmarks/results/external.md, external.json and
external-cases.csv (Dice of every case there, by arm). Resumes what is there: the same call again goes on. The job takes
about an hour on two cores.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from focalseg.records.names import PLACEMENT
from machine import describe_machine

RESULTS = Path(__file__).parent / "results"
SETTINGS = {
    "seeds": "3",
    "data.longest_side": "96",
    "network.base_width": "16",
    "network.most_levels": "4",
    "training.steps": "1500",
    "training.validate_every": "250",
    "training.log_every": "50",
}
HALVES = ("busi_a", "busi_b")


def main() -> None:
    """Halves the set, runs what is missing and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    halves = halve(arguments.data / "busi", arguments.out / "halves")
    own, other = (arguments.out / "halves" / half for half in HALVES)
    job, there = arguments.out / HALVES[0], arguments.out / "busi_a_on_b"
    settings = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    if not (job / PLACEMENT).exists():
        run("place", str(own), "--out", str(job), *settings, "--device", arguments.device)
    record = run("evaluate", str(job), str(other), "--out", str(there), "--leave-out-seen", "--device", arguments.device)
    write(record, halves)
    shutil.copy(there / "cases.csv", RESULTS / "external-cases.csv")


def halve(source: Path, out: Path) -> dict[str, Counter[str]]:
    """Copies each group of the set into one of two halves; how many cases of each class they have."""
    rows = list(csv.DictReader((source / "cases.csv").open(encoding="utf-8")))
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["near_duplicate_group"] or row["id"], []).append(row)
    halves: dict[str, list[dict[str, str]]] = {half: [] for half in HALVES}
    for members in groups.values():
        kind = members[0]["class"]
        counts = {half: sum(row["class"] == kind for row in part) for half, part in halves.items()}
        halves[min(counts, key=lambda half: counts[half])] += members
    for half, part in halves.items():
        if not (out / half / "cases.csv").exists():
            copy(source, out / half, part)
    return {half: Counter(row["class"] for row in part) for half, part in halves.items()}


def copy(source: Path, folder: Path, part: list[dict[str, str]]) -> None:
    """The cases of a half in the layout of the set, its table last."""
    for inner in ("images", "masks"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    for row in part:
        shutil.copy(source / "images" / f"{row['id']}.jpg", folder / "images")
        shutil.copy(source / "masks" / f"{row['id']}.png", folder / "masks")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, part[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(part, key=lambda row: row["id"]))


def run(*words: str) -> dict[str, Any]:
    """What a command says as JSON."""
    command = [sys.executable, "-m", "focalseg", *words, "--json"]
    content: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return content


def write(record: dict[str, Any], halves: dict[str, Counter[str]]) -> None:
    """Both files."""
    kept = {name: value for name, value in record.items() if name not in ("page", "job", "data")}
    kept["own"] = {name: value for name, value in kept["own"].items() if name != "data"}
    kept["methods"] = kept["methods"].replace(record["own"]["data"], HALVES[0]).replace(record["data"], HALVES[1])
    kept["agreement"] = kept["agreement"].replace(record["data"], HALVES[1])
    content = {"halves": {half: dict(counts) for half, counts in halves.items()}, "settings": SETTINGS, **kept}
    (RESULTS / "external.json").write_text(json.dumps(content, indent=1) + "\n")
    (RESULTS / "external.md").write_text("\n".join(format_page(kept, halves)) + "\n")


def format_page(record: dict[str, Any], halves: dict[str, Counter[str]]) -> list[str]:
    """The page as Markdown."""
    own = record["own"]
    settings = " ".join(f"--set {name}={value}" for name, value in SETTINGS.items())
    sizes = "; ".join(f"{half}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}" for half, counts in halves.items())
    there = f"{record['cases']} cases, {record['groups']} groups"
    lines = [
        "# A job on the other half of BUSI",
        "",
        "`python benchmarks/external.py --data FOLDER --out RUNS`,",
        describe_machine(),
        "",
        f"Halves by near-duplicate group, class by class ({sizes}).",
        "The groups are the set's own; `evaluate` finds images of the second half that are nearly those of the first all the",
        "same, and refuses them unless it is told to leave them out, as it was here.",
        "",
        "```bash",
        f"focalseg place busi_a --out OUT {settings}",
        "focalseg evaluate OUT busi_b --out THERE --leave-out-seen",
        "```",
        "",
        f"On its own {own['cases']} test cases ({own['groups']} groups): **{own['verdict']}**. {own['sentence']}",
        "",
        f"On the other half ({there}): **{record['verdict']}**. {record['sentence']}",
        "",
        record["agreement"],
        "",
        "| arm | Dice on the other half | Dice on the own test cases | modules |",
        "|---|---|---|---|",
    ]
    for name, arm in record["arms"].items():
        lines.append(f"| {name} | {show(arm)} | {show(own['arms'][name])} | {arm['modules']} |")
    lines += ["", "| difference | there | own test cases | p there, adjusted (Holm) |", "|---|---|---|---|"]
    before = {(pair["one"], pair["other"]): pair for pair in own["comparisons"]}
    for pair in record["comparisons"]:
        one, other = pair["one"], pair["other"]
        lines.append(f"| {one} - {other} | {show(pair, '+')} | {show(before[one, other], '+')} | {pair['holm_p']:.3f} |")
    return [*lines, "", "Dice of every case is in external-cases.csv. " + record["methods"]]


def show(found: dict[str, Any], sign: str = "") -> str:
    """A mean with its interval."""
    return f"{found['dice']:{sign}.3f} [{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"


if __name__ == "__main__":
    main()
