"""Every setting by its name, with values that make no sense, as the command line takes them."""

import time
from functools import cache

import numpy as np

from focalseg.cli.options import read_settings
from focalseg.configuration import list_settings
from focalseg.errors import FocalsegError
from focalseg.study.presets import PRESETS, Settings
from hostile_text.reading import Tally, TooSlow, find_fault, limit_seconds

VALUES = (
    *(
        "0",
        "-1",
        "1",
        "2",
        "7",
        "0.5",
        "-0.0",
        "1e-300",
        "1e20",
        "1e30",
        "1e300",
        "1e999",
        ".inf",
        "-.inf",
        ".nan",
        "true",
        "no",
    ),
    *("", "~", "x", "''", "auto", "010", "1:30", "0x1F", "2020-01-01", "1_0", "9" * 30, "9" * 5000, "-" + "9" * 99, "x" * 5000),
    *(
        "[]",
        "{}",
        "[[]]",
        "[1]",
        "[-1, 1]",
        "[.nan]",
        "[x, x]",
        "[se, ag, se]",
        "{a: 1}",
        "{a: [x, y]}",
        "{'': ''}",
        "{a: .nan}",
    ),
    *(
        "[" * 5000,
        "{a: " * 5000,
        "&a [*a]",
        "!!python/name:os.system x",
        "os:system",
        "torch.hub:load",
        "smp:Unet",
        "monai:DynUNet",
    ),
    *(
        "'../../x'",
        "/dev/zero",
        "/dev/stdin",
        "'\\x1b[2J'",
        "\u202e",
        "\ud800",
        "'a\\nb'",
        "((a+)+)+b",
        "[1e300, 1e300]",
        "null",
        "- 1",
    ),
)
"""As text of YAML. A few are right for a few settings."""


@cache
def list_names() -> tuple[str, ...]:
    """The settings, the groups of them, and a few that are none."""
    known = list_settings(Settings)
    groups = {name.rpartition(".")[0] for name in known} - {""}
    return (
        *known,
        *sorted(groups),
        "bogus",
        "training.step",
        "",
        ".",
        "a..b",
        "training",
        "network.arguments.x.y.z",
        "loss." + "x" * 3000,
    )


def try_settings(count: int, seed: int) -> Tally:
    """So many absurd settings: the pairs of a name and a value in an order by the seed, at times with a second pair."""
    random = np.random.default_rng(seed)
    pairs = [(name, value) for name in list_names() for value in VALUES]
    order = random.permutation(len(pairs))
    tally, presets = Tally(), list(PRESETS)
    for number in range(count):
        chosen = [pairs[order[number % len(pairs)]]]
        if random.random() < 0.2:
            chosen.append(pairs[random.integers(len(pairs))])
        assignments = [f"{name}={value}" for name, value in chosen]
        started, stranger = time.process_time(), ""
        try:
            with limit_seconds():
                read_settings(presets[random.integers(len(presets))], None, assignments)
            tally.read += 1
        except FocalsegError as error:
            tally.refused += 1
            stranger = find_fault(str(error))
        except (Exception, TooSlow) as error:
            stranger = f"{type(error).__name__}: {error}"[:160]
        if stranger:
            tally.strangers[stranger] += 1
            tally.examples.setdefault(stranger, "\n".join(assignments).encode(errors="replace"))
        tally.slowest = max(tally.slowest, time.process_time() - started)
        tally.mutants += 1
    return tally
