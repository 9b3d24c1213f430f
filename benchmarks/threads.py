"""How fast a training is by its number of threads, on an idle machine and beside others' work.

    python benchmarks/threads.py [--seconds 4] [--sizes 64,128]

Steps per second of the quick preset's network with attention everywhere, on images of each size, with one thread and with
more up to the number of cores; once alone, and once beside a process per core that does nothing but count. Each with threads
that sleep while they wait for one another, as the command line makes them, and with those that spin, as libraries do by
themselves.
Writes benchmarks/results/threads.json and threads.md; under four minutes on two idle cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

RESULTS = Path(__file__).parent / "results"
NEIGHBOUR = "while True: pass"
WAITING = {"sleep": {"OMP_WAIT_POLICY": "PASSIVE"}, "spin": {}}
ENDLESS, WARM_UP_STEPS = 2**20, 2


def main() -> None:
    """Measures everything and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of timed steps of each row")
    parser.add_argument("--sizes", default="64,128", help="sides of the images, in pixels")
    parser.add_argument("--measure", nargs=2, metavar=("THREADS", "SIZE"), help="what this script calls itself with")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*map(int, arguments.measure), arguments.seconds)))
        return
    load, rows = os.getloadavg()[0], []
    for size in arguments.sizes.split(","):
        for threads in list_threads():
            for waiting in WAITING if threads > 1 else ("sleep",):
                row: dict[str, object] = {"size": int(size), "threads": threads, "waiting": waiting}
                for name, neighbours in (("idle", 0), ("busy", os.cpu_count() or 1)):
                    with beside(neighbours):
                        found = measure_apart(threads, size, waiting, arguments.seconds)
                    row |= {name: found["steps_per_second"], "operations": found["operations"], "bits": found["bits"]}
                rows.append(row)
                print(row, flush=True)
    command = f"python benchmarks/threads.py --seconds {arguments.seconds:g} --sizes {arguments.sizes}"
    write(rows, f"`{command}`, load average {load:.1f} at the start,")


def list_threads() -> list[int]:
    """1, 2, 4 and so on, up to the number of cores."""
    cores = os.cpu_count() or 1
    return [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= cores]


@contextmanager
def beside(neighbours: int) -> Iterator[None]:
    """Lets so many processes count while the context is open."""
    processes = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) for _ in range(neighbours)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure_apart(threads: int, size: str, waiting: str, seconds: float) -> dict[str, float | str]:
    """What `measure` gives in a process of its own: how threads wait is settled when libraries are loaded."""
    said = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    environment = {name: value for name, value in os.environ.items() if name not in said} | WAITING[waiting]
    command = [sys.executable, __file__, "--measure", str(threads), size, "--seconds", str(seconds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def measure(threads: int, size: int, seconds: float) -> dict[str, float | str]:
    """Steps per second with so many threads, the operations of a step, and a digest of the weights after the first steps."""
    import hashlib

    import torch

    from focalseg.feeding.feed import Feed
    from focalseg.hosts.costs import count_flops
    from focalseg.study.planning.attention import plan_attention
    from focalseg.study.planning.groundwork import lay_groundwork
    from focalseg.study.presets import build_settings
    from focalseg.training.loop import Run, TrainingData

    settings = build_settings("quick", {"training": {"validate_every": ENDLESS, "log_every": ENDLESS, "steps": ENDLESS}})
    base = lay_groundwork("phantom:local", settings, 0, "cpu").config
    base = replace(base, preparation=replace(base.preparation, size=(size, size)))
    config = replace(base, attention=plan_attention(base, settings.gates)[0])
    random = torch.Generator().manual_seed(0)
    images = torch.randn(config.training.batch_size, *config.image_shape, generator=random)
    feed = Feed.from_tensors(images, (images[:, 0] > 1).float())
    with TemporaryDirectory() as folder:
        run = Run(config, TrainingData(train=feed, validation=feed), Path(folder), device="cpu")
        torch.set_num_threads(threads)
        for _ in range(WARM_UP_STEPS):
            run.advance()
        weights = b"".join(values.numpy().tobytes() for values in run.network.state_dict().values())
        times: list[float] = []
        while sum(times) < seconds or len(times) < 3:
            started = time.perf_counter()
            run.advance()
            times.append(time.perf_counter() - started)
        image = torch.zeros(1, *config.image_shape)
        operations = 3 * config.training.batch_size * count_flops(run.network.eval(), image)
    return {
        "steps_per_second": round(1 / statistics.fmean(times), 3),
        "operations": operations,
        "bits": hashlib.sha256(weights).hexdigest()[:8],
    }


def write(rows: list[dict[str, object]], how: str) -> None:
    """Both files of results."""
    from machine import describe_machine

    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "threads.json").write_text(
        json.dumps({"how": how, "machine": describe_machine(), "rows": rows}, indent=1) + "\n"
    )
    lines = [
        "# Threads of a training, on an idle machine and beside others' work",
        "",
        f"{how} {describe_machine()}",
        "Steps per second of the quick preset's network with attention everywhere; busy: beside a counting process per core.",
        "Sleep, spin: what threads do while they wait for one another. Bits: a digest of the weights after two steps.",
        "",
        "| image side | operations of a step | threads | waiting | idle | busy | busy is slower by | bits |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        idle, busy, operations = (float(str(row[name])) for name in ("idle", "busy", "operations"))
        waiting = row["waiting"] if row["threads"] != 1 else "-"
        cells = [row["size"], f"{operations / 1e9:.1f}e9", row["threads"], waiting, f"{idle:.2f}", f"{busy:.2f}"]
        lines.append(f"| {' | '.join(map(str, [*cells, f'{idle / busy:.1f}', row['bits']]))} |")
    (RESULTS / "threads.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
