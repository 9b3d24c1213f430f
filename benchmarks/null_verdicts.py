"""How often `focalseg place` claims that attention helps where it does not.

    python benchmarks/null_verdicts.py --out RUNS [--repetitions 40]

Each repetition draws images of its own of phantom:faint, on which a plain network sees all that decides about a pixel, but
misses much that is near the noise, so that there is room for luck. It runs the whole job on them with the small network of
benchmarks/placement.py, on whose task "idle, hard" every placement was trained: none is better than the plain network. Once by
the default policy, and once with sites that are drawn at random, so that there is attention to judge whatever the evidence
says. Counted are the verdicts, the comparison of all sites with none, and the sentences that claim anywhere that attention
helps. Writes benchmarks/results/null_verdicts.json and .md. About forty minutes on two cores; resumes what is there, and judges
it anew.

    python benchmarks/null_verdicts.py --simulate 500 [--judged 500]

trains nothing: jobs as noisy as CVC-ClinicDB are drawn as numbers (benchmarks/noisy_nulls.py), nulls and such with a planted
worth, and what decides and judges them is the real thing. Writes benchmarks/results/noisy_nulls.json and .md.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import binomtest

from focalseg.cli.terminal.progress import build_listeners
from focalseg.configuration import merge, to_mapping
from focalseg.study.place import place
from focalseg.study.presets import build_settings
from machine import describe_machine
from noisy_nulls import simulate
from placement import SMALL, TASKS

RESULTS = Path(__file__).parent / "results" / "null_verdicts"
TASK = TASKS["idle, hard"]
POLICIES = ("removal", "random")
FIRST_DRAW = 1000
CLAIMS = ("helps", "is better still")
"""What a sentence of a verdict says where it claims that attention helps, what was placed or all of it."""


def main() -> None:
    """Runs what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--simulate", type=int, help="draw so many jobs of each kind as numbers, and train nothing")
    parser.add_argument("--judged", type=int, default=0, help="of these so many are judged and put into words as well")
    arguments = parser.parse_args()
    if arguments.simulate:
        simulate(arguments.simulate, arguments.judged)
        return
    if arguments.out is None:
        parser.error("--out was not given; expected a folder for the trainings, or --simulate N")
    found: list[dict[str, Any]] = []
    for number in range(arguments.repetitions):
        found += [repeat(arguments.out, policy, number) for policy in POLICIES]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(format_page(found))


def repeat(out: Path, policy: str, number: int) -> dict[str, Any]:
    """One main job on images of its own."""
    folder = out / policy / str(number)
    settings = build_settings("quick", merge(SMALL, TASK.settings), {"policy": policy})
    data = f"phantom:{TASK.phantom}@{FIRST_DRAW + number}"
    record = place(data, folder, settings, seed=100 * number, listeners=build_listeners()).record
    return {
        "policy": policy,
        "number": number,
        "verdict": record.verdict,
        "sentence": record.sentence,
        "claims_help": any(claim in record.sentence for claim in CLAIMS),
        "difference": to_mapping(record.difference),
        "all_minus_none": to_mapping(record.all_minus_none),
        "kept": [site.site for site in record.sites if site.kept],
    }


def format_page(found: list[dict[str, Any]]) -> str:
    """The counts as Markdown."""
    lines = [
        "# Verdicts where nothing is to be found",
        "",
        "`python benchmarks/null_verdicts.py --out RUNS`,",
        describe_machine(),
        f"phantom:{TASK.phantom}, other images in every repetition; three trainings an arm.",
        "In brackets the 95 % interval of the share (Clopper and Pearson).",
        "",
        "| comparison | repetitions | helps | harms | kept anything | mean modules | mean difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        own = [one for one in found if one["policy"] == policy]
        counts = [len(one["kept"]) for one in own]
        shown = f"{sum(map(bool, counts))} of {len(counts)} | {fmean(counts):.1f}"
        lines.append(format_row(f"placed by `{policy}` against none", [one["difference"] for one in own], shown))
    own = [one["all_minus_none"] for one in found if one["policy"] == POLICIES[0]]
    lines.append(format_row("all against none", own, "- | all"))
    lines += ["", "| sentences that claim help | jobs | do |", "|---|---|---|"]
    for policy in POLICIES:
        claims = [one["claims_help"] for one in found if one["policy"] == policy]
        lines.append(f"| placed by `{policy}` | {len(claims)} | {format_share(sum(claims), len(claims))} |")
    return "\n".join(lines) + "\n"


def format_row(name: str, differences: list[dict[str, float]], kept: str) -> str:
    """How often an interval excludes 0 on either side. kept: the cells that say what was kept."""
    sides = (sum(one["low"] > 0 for one in differences), sum(one["high"] < 0 for one in differences))
    counts = [format_share(hits, len(differences)) for hits in sides]
    mean = fmean(one["dice"] for one in differences)
    return f"| {name} | {len(differences)} | {' | '.join(counts)} | {kept} | {mean:+.4f} |"


def format_share(hits: int, of: int) -> str:
    """A count with the 95 % interval of its share."""
    share = binomtest(hits, of).proportion_ci()
    return f"{hits} [{share.low:.1%}, {share.high:.1%}]"


if __name__ == "__main__":
    main()
