"""What becomes of text that a person hands over, altered at random: settings, placements, splits, tables.

    OMP_NUM_THREADS=1 python benchmarks/fuzz_inputs.py [--mutants 7000] [--settings 1700] [--seed 0] [--out FILE]

Seeds are valid files; the tests' own mutants are put to the readers in this process. Seconds are this process's own time;
memory is the most it held beyond what it held before the call, as Linux keeps it.
"""

import argparse
import platform
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

sys.path.pop(0)  # this folder, which has a data.py of its own
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile_text.absurd_settings import try_settings
from hostile_text.reading import LONGEST_LINE, MOST_SECONDS, put_mutants
from hostile_text.targets import list_targets
from imagesets.corpus.looking import measure


def main() -> None:
    """Measures all of it, prints the page and writes it where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=7000, help="over all kinds of files")
    parser.add_argument("--settings", type=int, default=1700, help="absurd settings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    command = (
        f"`OMP_NUM_THREADS=1 python benchmarks/fuzz_inputs.py --mutants {arguments.mutants} --settings {arguments.settings}"
    )
    with tempfile.TemporaryDirectory() as place:
        page = [
            "# Text that a person hands over, altered at random",
            "",
            f"{command} --seed {arguments.seed}`",
            "",
            f"Python {platform.python_version()}, PyYAML {version('pyyaml')}, {platform.machine()}.",
            *describe_mutants(Path(place), arguments.mutants, arguments.seed),
            *describe_settings(arguments.settings, arguments.seed),
        ]
    text = "\n".join(page) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


def describe_mutants(folder: Path, mutants: int, seed: int) -> list[str]:
    """Mutants of a valid file, an equal share a kind of file."""
    targets = list(list_targets(folder))
    each = -(-mutants // len(targets))
    rows: list[str] = []
    kinds: Counter[str] = Counter()
    for target in targets:
        tally, cost = measure(lambda target=target: put_mutants(target, each, seed))
        kinds.update(tally.strangers)
        rows.append(
            f"| {target.name} | {tally.mutants} | {tally.refused} | {tally.read} | {sum(tally.strangers.values())} "
            f"| {tally.longest} | {1e3 * tally.slowest:.0f} | {'' if cost.memory is None else f'{cost.memory:.0f}'} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return [
        "",
        "## Files",
        "",
        f"{each * len(targets):,} mutants: bits, cuts, words, lines, encodings, thousands of brackets, long runs, bombs of",
        "aliases, values of other types, keys renamed and doubled. Other: any exception but the declared one, more than",
        f"{MOST_SECONDS:g} s of computing, an error of more than 25 lines, of a line longer than {LONGEST_LINE:,}, or with",
        "signs that cannot be seen.",
        "",
        "| file | mutants | refused | read | other | longest line of an error | slowest, ms | memory, MiB |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Other: {', '.join(f'{kind} ({count})' for kind, count in kinds.items()) or 'none'}.",
    ]


def describe_settings(count: int, seed: int) -> list[str]:
    """Settings of every name with values that make no sense, as `--set` takes them."""
    tally, cost = measure(lambda: try_settings(count, seed))
    memory = "unknown" if cost.memory is None else f"{cost.memory:.0f} MiB"
    return [
        "",
        "## Settings",
        "",
        f"{tally.mutants:,} absurd values of every setting by `--set`, one or two at a time: {tally.refused:,} refused,",
        f"{tally.read:,} taken, {sum(tally.strangers.values())} other; slowest {1e3 * tally.slowest:.0f} ms, memory {memory}.",
        "",
        f"Other: {', '.join(f'{kind} ({number})' for kind, number in tally.strangers.items()) or 'none'}.",
    ]


if __name__ == "__main__":
    main()
