"""How often `focalseg place` claims that attention helps where it does not.

    python benchmarks/null_verdicts.py --out RUNS [--repetitions 40]

Each repetition draws images of its own of phantom:local, on which a plain network sees all that decides about a pixel, and
runs the whole job on them with the small network of benchmarks/placement.py: by the default policy, and with sites that are
drawn at random, so that there is attention to judge whatever the evidence says. Counted are the verdicts, and the comparison
of all sites with none. Writes benchmarks/results/null_verdicts.json and .md. About forty minutes on two cores; resumes what
is there.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import binomtest

from focalseg.cli.progress import build_audience
from focalseg.configuration import merge
from focalseg.study.place import PLACEMENT, place
from focalseg.study.presets import build_settings
from machine import describe_machine
from placement import SMALL

RESULTS = Path(__file__).parent / "results" / "null_verdicts"
PHANTOM = "phantom:local"
POLICIES = ("removal", "random")
FIRST_DRAW = 1000


def main() -> None:
    """Runs what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repetitions", type=int, default=40)
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    for number in range(arguments.repetitions):
        found += [repeat(arguments.out, policy, number) for policy in POLICIES]
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        RESULTS.with_suffix(".md").write_text(format_page(found))


def repeat(out: Path, policy: str, number: int) -> dict[str, Any]:
    """One main job on images of its own."""
    folder = out / policy / str(number)
    settings = build_settings("quick", merge(SMALL, {"policy": policy}))
    if not (folder / PLACEMENT).exists():
        place(f"{PHANTOM}@{FIRST_DRAW + number}", folder, settings, seed=100 * number, audience=build_audience())
    content = json.loads((folder / PLACEMENT).read_text())
    return {
        "policy": policy,
        "number": number,
        "verdict": content["verdict"],
        "difference": content["difference"],
        "all_minus_none": content["all_minus_none"],
        "kept": [site["site"] for site in content["sites"] if site["kept"]],
    }


def format_page(found: list[dict[str, Any]]) -> str:
    """The counts as Markdown."""
    lines = [
        "# Verdicts where nothing is to be found",
        "",
        "`python benchmarks/null_verdicts.py --out RUNS`,",
        describe_machine(),
        f"{PHANTOM}, other images in every repetition.",
        "Three trainings an arm; in brackets the 95 % interval of the share (Clopper and Pearson).",
        "",
        "| comparison | repetitions | helps | harms | mean modules | mean difference |",
        "|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        own = [one for one in found if one["policy"] == policy]
        outcomes = [(one["difference"]["low"], one["difference"]["high"], one["difference"]["dice"]) for one in own]
        lines.append(format_row(f"placed by `{policy}` against none", outcomes, fmean(len(one["kept"]) for one in own)))
    own = [one["all_minus_none"] for one in found if one["policy"] == POLICIES[0]]
    lines.append(format_row("all against none", [(one["low"], one["high"], one["dice"]) for one in own], None))
    return "\n".join(lines) + "\n"


def format_row(name: str, outcomes: list[tuple[float, float, float]], modules: float | None) -> str:
    """How often an interval (low, high, mean) excludes 0 on either side."""
    counts = []
    for hits in (sum(low > 0 for low, _, _ in outcomes), sum(high < 0 for _, high, _ in outcomes)):
        share = binomtest(hits, len(outcomes)).proportion_ci()
        counts.append(f"{hits} [{share.low:.1%}, {share.high:.1%}]")
    shown = "all" if modules is None else f"{modules:.1f}"
    mean = fmean(mean for _, _, mean in outcomes)
    return f"| {name} | {len(outcomes)} | {counts[0]} | {counts[1]} | {shown} | {mean:+.4f} |"


if __name__ == "__main__":
    main()
