"""Does a signal in the first seconds end every verb quietly?

    python benchmarks/early_stops.py [--shots 40] [--seconds 8] [--seed 0] [--dry]

Starts a verb as a module or as the installed command does, sends SIGINT, SIGTERM or SIGHUP at a random instant of its first
seconds, to its process alone or to its whole group, and looks at what is left: the status of that signal and not a word, or the
one line that says that it was stopped. Ends with status 1 where anything else was left. Unless dry, writes
benchmarks/results/early_stops.md.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

RESULT = Path(__file__).parent / "results" / "early_stops.md"
VERBS = {
    "check": ["check", "phantom:polyp", "--out", "OUT"],
    "train": ["train", "phantom:local", "--out", "OUT", "--attention", "all"],
    "place": ["place", "phantom:local", "--out", "OUT", "--workers", "2"],
    "demo": ["demo", "--out", "OUT"],
    "report": ["report", "--focal", "OUT"],
}
STARTS = {
    "module": ["-m", "focalseg"],
    "command": ["-c", "import sys; from focalseg.__main__ import main; sys.exit(main())"],
}
STOPPED = "error: Stopped by a signal."
INTERPRETER_SECONDS = 0.15
"""Before that Python itself may still be starting, and a signal is answered by it."""


@dataclass(frozen=True)
class Shot:
    """What became of one signal. silent: nothing was said. quiet: nothing but our own line was."""

    verb: str
    signal: str
    status: int
    expected: bool
    silent: bool
    quiet: bool
    ended: float


def main() -> None:
    """Fires all shots and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry", action="store_true")
    arguments = parser.parse_args()
    draws, shots = random.Random(arguments.seed), []
    for number in range(arguments.shots):
        shots.append(fire(number, draws, arguments.seconds))
        print(number, shots[-1], flush=True)
    if not arguments.dry:
        given = f"--shots {arguments.shots} --seconds {arguments.seconds:g} --seed {arguments.seed}"
        command = f"python benchmarks/early_stops.py {given}"
        RESULT.write_text(format_table(shots, command))
    sys.exit(not all(shot.expected and shot.quiet for shot in shots))


def fire(number: int, draws: random.Random, seconds: float) -> Shot:
    """Starts a verb, sends it a signal at a random instant, and waits for its end."""
    verb = list(VERBS)[number % len(VERBS)]
    sent = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[number // len(VERBS) % 3]
    start = draws.choice(list(STARTS.values()))
    to_all, instant = draws.random() < 0.3, draws.uniform(INTERPRETER_SECONDS, seconds)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, (Path(folder) / "errors").open("w+") as errors:
        words = [word.replace("OUT", f"{folder}/out") for word in VERBS[verb]]
        process = subprocess.Popen(
            [sys.executable, *start, *words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        time.sleep(instant)
        running, sent_at = process.poll() is None, time.monotonic()
        if running:
            os.killpg(process.pid, sent) if to_all else process.send_signal(sent)
        process.wait(timeout=300)
        errors.seek(0)
        lines = errors.read().splitlines()
    unknown = [
        line for line in lines if not line.startswith((STOPPED, "note: ")) and " left" not in line and " steps" not in line
    ]
    if unknown:
        print(*unknown, sep="\n")
    return Shot(
        verb=verb,
        signal=sent.name,
        status=process.returncode,
        # It may have done its work in the very moment, and a process that has not run a line of ours dies of the signal itself.
        expected=process.returncode in (128 + sent, 0, -sent),
        silent=not lines,
        quiet=not unknown,
        ended=round(time.monotonic() - sent_at, 1),
    )


def format_table(shots: list[Shot], command: str) -> str:
    """The table as Markdown."""
    lines = [
        "# Signals in the first seconds",
        "",
        f"`{command}`: a signal at a random instant, of which",
        f"{sum(shot.silent for shot in shots)} came while modules were being loaded and ended it without a word.",
        "",
        "| verb | signals | ended as asked | with other words than ours | longest until the end |",
        "|---|---|---|---|---|",
    ]
    for verb in VERBS:
        some = [shot for shot in shots if shot.verb == verb]
        right, loud = sum(shot.expected for shot in some), sum(not shot.quiet for shot in some)
        lines.append(f"| {verb} | {len(some)} | {right} | {loud} | {max((shot.ended for shot in some), default=0):.1f} s |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
