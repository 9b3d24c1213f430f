"""What becomes of bad data: the corpus of planted faults, damaged and altered files, and files that would fill the memory.

    OMP_NUM_THREADS=1 python benchmarks/faults.py [--files 20000] [--seed 0] [--out FILE]

Everything is made by the tests' own corpus (tests/data/corpus) in a temporary folder and put to the product as a folder.
Seconds are this process's own time; memory is the most it held beyond what it held before the call, as Linux keeps it.
"""

import argparse
import platform
import sys
import tempfile
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, which has a data.py of its own
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from imagesets.corpus.bombs import BOMBS
from imagesets.corpus.catalogue import FAULTS, good_sets
from imagesets.corpus.damage import damaged_files
from imagesets.corpus.fault import Fault, as_tuple, fingerprint
from imagesets.corpus.fuzzing import fuzz, make_targets
from imagesets.corpus.looking import Cost, concerns, look_at, measure
from imagesets.corpus.mixed import write_mixed
from imagesets.corpus.pictures import write_pictures


def main() -> None:
    """Measures all of it, prints the page and writes it where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000, help="altered files, over all formats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("error")  # a warning that reaches the caller is nothing that was declared
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        page = [
            *describe_run(arguments),
            *describe_corpus(folder / "corpus"),
            *describe_mixed(folder / "mixed"),
            *describe_damage(folder / "damage"),
            *describe_fuzzing(folder / "fuzz", arguments.files, arguments.seed),
            *describe_bombs(folder / "bombs"),
        ]
    text = "\n".join(page) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


def describe_run(arguments: argparse.Namespace) -> list[str]:
    """The head of the page."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("pillow", "tifffile", "nibabel", "numpy"))
    versions = f"Python {platform.python_version()}, {packages}"
    return [
        "# What becomes of bad data",
        "",
        f"`OMP_NUM_THREADS=1 python benchmarks/faults.py --files {arguments.files} --seed {arguments.seed}`, {versions}.",
        f"{find_processor()}, one process. Seconds are the process's own; memory is what it held at most beyond what it held",
        "before. The corpus is made by `tests/data/corpus`, where each fault can be read.",
    ]


def describe_corpus(folder: Path) -> list[str]:
    """One fault a set, and good sets."""
    counts: Counter[str] = Counter()
    missed = []
    for number, fault in enumerate(FAULTS):
        outcome = judge(fault, folder / str(number))
        counts.update(outcome)
        if not {"named", "mend"} <= outcome or outcome & {"traceback", "false alarm", "touched"}:
            missed.append(f"- {fault.name}: {', '.join(sorted(outcome)) or 'nothing'}")
    alarms, cases = 0, 0
    for good in good_sets():
        place = folder / good.name
        expected = {str(path): kinds for path, kinds in good.make(place).items()}
        findings = look_at(place)
        alarms += sum(finding.kind not in expected.get(finding.file, set()) for finding in findings)
        cases += len(good.masks)
    names = ("named", "mend", "silent", "traceback", "false alarm", "touched")
    return [
        "",
        "## The corpus",
        "",
        "| faults | named, by a right kind | with a mend | silent | traceback | another file accused | inputs touched |",
        "|---|---|---|---|---|---|---|",
        f"| {len(FAULTS)} | {' | '.join(str(counts[name]) for name in names)} |",
        "",
        f"Good cases: {cases} in {len(good_sets())} sets; false alarms: {alarms}.",
        *(["", "Not as they should be:", "", *missed] if missed else []),
    ]


def judge(fault: Fault, folder: Path) -> set[str]:
    """What holds of a fault's report."""
    planted = as_tuple(fault.make(folder))
    before = fingerprint(folder)
    try:
        findings = look_at(folder)
    except Exception:
        return {"traceback"}
    about = [finding for finding in findings if finding.kind in fault.kinds and concerns(finding, planted)]
    outcome = {"named"} if about else set()
    outcome |= {"mend"} if about and all(finding.mend.endswith(".") for finding in findings) else set()
    outcome |= {"silent"} if not any(concerns(finding, planted) for finding in findings) else set()
    outcome |= {"false alarm"} if not all(concerns(finding, planted) for finding in findings) else set()
    return outcome | ({"touched"} if fingerprint(folder) != before else set())


def describe_mixed(folder: Path, rounds: int = 5) -> list[str]:
    """25 faults among 300 good cases, and what they cost: the least of several times each."""
    write_pictures(folder / "good", 300)
    faults = write_mixed(folder / "bad")
    findings = look_at(folder / "bad")
    told = {finding.file for finding in findings if finding.level == "error"}
    planted = set(map(str, faults))
    others = len({finding.file for finding in findings} - planted)
    good, bad = (
        min(measure(lambda place=place: look_at(place))[1].seconds for _ in range(rounds))
        for place in (folder / "good", folder / "bad")
    )
    return [
        "",
        "## 25 faults among 300 good cases",
        "",
        "| told | others accused | time, of that of the good cases alone |",
        "|---|---|---|",
        f"| {len(told & planted)} of {len(planted)} | {others} | {bad / good:.2f} ({bad:.2f} s of {good:.2f} s) |",
    ]


def describe_damage(folder: Path) -> list[str]:
    """Cut files, flipped bits, wrong checksums."""
    counts: Counter[str] = Counter()
    accepted = []
    for number, (what, content, write) in enumerate(damaged_files()):
        place, path = write(folder / str(number), content)
        refused = any(finding.level == "error" and finding.file == str(path) for finding in look_at(place))
        counts.update(["files", "refused" if refused else "accepted"])
        accepted += [] if refused else [f"- {what}"]
    return [
        "",
        "## Damaged files",
        "",
        "Cut at each tenth and by 1 to 8 bytes (PNG, JPEG, TIFF, BMP, .nii, .nii.gz); one flipped bit, and each checksum",
        "altered (PNG, .nii.gz).",
        "",
        "| files | refused by name | accepted |",
        "|---|---|---|",
        f"| {counts['files']} | {counts['refused']} | {counts['accepted']} |",
        *(["", *accepted] if accepted else []),
    ]


def describe_fuzzing(folder: Path, files: int, seed: int) -> list[str]:
    """Files altered at random, an equal share a format."""
    targets = list(make_targets(folder))
    each = -(-files // len(targets))
    rows: list[str] = []
    kinds: Counter[str] = Counter()
    for target in targets:
        tally, cost = measure(lambda target=target: fuzz(target, each, seed))
        kinds.update(tally.strangers)
        strangers = sum(tally.strangers.values())
        rows.append(
            f"| {target.name} | {tally.files} | {tally.refused} | {tally.accepted} | {tally.other} | {strangers} "
            f"| {1e3 * tally.slowest:.0f} | {show_memory(cost)} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return [
        "",
        "## Altered files",
        "",
        f"{each * len(targets):,} files, each put in the place of a good one of its set. Read as other data: without a word",
        "though the first case differs, as formats without checksums allow (and tables whose lines change places).",
        "",
        "| format | files | refused | read | read as other data | other exceptions | slowest, ms | memory, MiB |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Exceptions beside the declared one: {', '.join(f'{kind} ({count})' for kind, count in kinds.items()) or 'none'}.",
    ]


def describe_bombs(folder: Path) -> list[str]:
    """Small files that promise or hold too much."""
    rows = []
    for number, (name, bomb) in enumerate(BOMBS.items()):
        place = folder / str(number)
        planted = as_tuple(bomb(place))
        findings, cost = measure(lambda place=place: look_at(place))
        said = next((finding.found for finding in findings if concerns(finding, planted)), "accepted")
        size = sum(path.stat().st_size for path in planted) / 2**10
        rows.append(f"| {name} | {size:,.0f} | {said} | {cost.seconds:.2f} | {show_memory(cost)} |")
    return ["", "## Bombs", "", "| file | KiB | it | s | MiB |", "|---|---|---|---|---|", *rows]


def show_memory(cost: Cost) -> str:
    """In MiB; a dash off Linux."""
    return "-" if cost.memory is None else f"{cost.memory:.0f}"


def find_processor() -> str:
    """The processor's name as Linux gives it, else what Python knows."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
