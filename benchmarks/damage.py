"""Every file of a finished and of an interrupted job, with flipped bits and cut short: what becomes of the answer.

    python benchmarks/damage.py [--flips 300] [--whole 4]

A small job is run once on images made here, undamaged. Then each file of it is damaged: `flips` times one random bit, and a cut
at every tenth. Each time all that reads the file is called (the report, the loading of networks and evidence, the look whether
a run is finished), and must refuse it by name, or read the very same values. `whole` of the flips and every other cut are
besides met by the whole command, `focalseg place` on the folder: it has to end with the undamaged answer to the byte, once what
the message names is removed where it names something. Counted are what was accepted though its values are others, exceptions
that are none of ours, and folders that no message leads out of. Writes benchmarks/results/damage.json and .md; about twenty
minutes on two slow cores.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from focalseg.errors import FocalsegError, SettingError
from focalseg.inference.folders import LEAN_CONFIG
from focalseg.inference.loading import load_lean, load_run
from focalseg.records.costs import COSTS
from focalseg.records.evidence import EVIDENCE
from focalseg.records.placement import PLACEMENT, read_placement
from focalseg.records.record import read_record
from focalseg.records.result import CHECKPOINT, CONFIG, RESULT, WEIGHTS
from focalseg.records.splits import SPLITS, Splits
from focalseg.report.placement.page import PAGE, write_report
from focalseg.study.outcome.examples import EXAMPLES
from focalseg.study.place import place
from focalseg.study.presets import build_settings
from focalseg.study.running.folder import read_config
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.runs import CASES, RunPlan, load_training_data, read_evidence, read_result
from focalseg.training.checkpoint import load_checkpoint
from focalseg.training.loop import METRICS, StopRequested, train
from focalseg.yaml_files import write_yaml
from machine import describe_machine
from squares import write_squares

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from damage import cut, flip_bits

RESULTS = Path(__file__).parent / "results" / "damage"
SETTINGS = {
    "seeds": 2,
    "data": {"longest_side": 32},
    "network": {"base_width": 4, "most_levels": 3},
    "training": {"steps": 12, "batch_size": 4, "validate_every": 6, "log_every": 3},
}
REFUSED, SAME, ACCEPTED, TRACEBACK, DEAD_END, ENDED = (
    "refused by name",
    "read with the same values",
    "accepted with other values",
    "a traceback",
    "a dead end",
    "ended with the undamaged answer",
)
STEPS_OUT = 3
"""How often a command may be given again, each time after what it names was removed."""


@dataclass(kw_only=True)
class Target:
    """A file of a job. readers: all that reads it. folder: of the job. counts: of readings and of whole commands."""

    name: str
    path: Path
    readers: Sequence[Callable[[], Any]]
    job: "Job"
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Job:
    """A folder of a job, and what it leaves when nothing is damaged. plan: of the run in it whose files are damaged."""

    data: Path
    folder: Path
    plan: RunPlan
    left: dict[str, bytes] = field(default_factory=dict)

    def run(self) -> None:
        """The command, and its report."""
        place(str(self.data), self.folder, build_settings("quick", SETTINGS), device="cpu", workers=1)
        write_report(self.folder)

    def look(self) -> dict[str, bytes]:
        """What has to be the same: the answer, the lean network, and of every run scores, metrics, weights and evidence."""
        names = [PLACEMENT, SPLITS, f"lean/{WEIGHTS}", f"lean/{LEAN_CONFIG}"]
        assert (self.folder / PAGE).exists()
        for name in (CASES, METRICS, WEIGHTS, EVIDENCE):
            names += [str(path.relative_to(self.folder)) for path in self.folder.rglob(name)]
        # Seconds are measured: a training that is done again takes others.
        content = {name: (self.folder / name).read_bytes() for name in names}
        timed = re.compile(rb'"(seconds|seal)": [^\n]*')
        content[PLACEMENT] = timed.sub(b"", content[PLACEMENT])
        return content


def main() -> None:
    """Damages everything and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--whole", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = write_squares(root / "data", count=10)
        finished, stopped = prepare(data, root)
        targets = [*list_finished(finished), *list_stopped(stopped)]
        for target in targets:
            harm(target, arguments.flips, arguments.whole)
            print(target.name, dict(target.counts), flush=True)
    rows = {target.name: dict(target.counts) for target in targets}
    content = {"machine": describe_machine(), "flips": arguments.flips, "whole": arguments.whole, "files": rows}
    RESULTS.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    RESULTS.with_suffix(".md").write_text(format_page(content))


def prepare(data: Path, root: Path) -> tuple[Job, Job]:
    """A finished job, and one that was stopped in the middle of its last training."""
    plans: list[RunPlan] = []
    folder = root / "finished"
    listeners = Listeners(watch=lambda _title, given: (plans.extend(given), tempfile.TemporaryDirectory())[1])
    place(str(data), folder, build_settings("quick", SETTINGS), device="cpu", workers=1, listeners=listeners)
    finished = Job(data=data, folder=folder, plan=next(plan for plan in plans if plan.leaves_evidence))
    finished.run()
    finished.left = finished.look()
    folder = root / "stopped"
    shutil.copytree(finished.folder, folder)
    for made in (PLACEMENT, EXAMPLES, PAGE):
        (folder / made).unlink()
    shutil.rmtree(folder / "lean")
    plan = replace(plans[-1], folder=folder / plans[-1].folder.relative_to(finished.folder))
    for made in (RESULT, CASES, METRICS, WEIGHTS, COSTS, EVIDENCE, CHECKPOINT):
        (plan.folder / made).unlink(missing_ok=True)
    asked = iter(range(7))
    with load_training_data(plan) as given, suppress(StopRequested):
        train(plan.config, given, plan.folder, device="cpu", should_stop=lambda: next(asked, None) is None)
    return finished, Job(data=data, folder=folder, plan=plan, left=finished.left)


def list_finished(job: Job) -> list[Target]:
    """The files of a finished job, and of one of its runs with evidence."""
    folder, plan = job.folder, job.plan
    run = plan.folder

    def report() -> None:
        write_report(folder)

    def is_finished() -> None:
        if not plan.is_finished:
            raise SettingError(f"{run} is not finished: every file of it is looked at again.")

    at_top = {
        CONFIG: [lambda: read_config(folder), report],
        SPLITS: [lambda: read_record(Splits, folder / SPLITS), report],
        PLACEMENT: [lambda: read_placement(folder / PLACEMENT), report],
        EXAMPLES: [report],
        f"lean/{LEAN_CONFIG}": [lambda: load_lean(folder / "lean")],
        f"lean/{WEIGHTS}": [lambda: load_lean(folder / "lean")],
    }
    of_run = {
        RESULT: [is_finished, lambda: read_result(run)],
        CONFIG: [is_finished, lambda: load_run(run)],
        METRICS: [is_finished],
        WEIGHTS: [is_finished, lambda: load_run(run)],
        CASES: [is_finished, lambda: read_result(run)],
        COSTS: [is_finished],
        EVIDENCE: [is_finished, lambda: read_evidence(run)],
    }
    return [
        *(Target(name=f"finished: {name}", path=folder / name, readers=readers, job=job) for name, readers in at_top.items()),
        *(Target(name=f"finished run: {name}", path=run / name, readers=readers, job=job) for name, readers in of_run.items()),
    ]


def list_stopped(job: Job) -> list[Target]:
    """The files that a job goes on from: its own, and those of the training that it was stopped in."""
    folder, plan = job.folder, job.plan
    identity = write_yaml(plan.config)
    readers: dict[Path, list[Callable[[], Any]]] = {
        folder / CONFIG: [lambda: read_config(folder)],
        folder / SPLITS: [lambda: read_record(Splits, folder / SPLITS)],
        plan.folder / CONFIG: [lambda: read_config(plan.folder)],
        plan.folder / CHECKPOINT: [lambda: load_checkpoint(plan.folder / CHECKPOINT, run=identity, data=plan.data_digest)],
        plan.folder / METRICS: [],
    }
    names = ["stopped: ", "stopped: ", *["stopped run: "] * 3]
    return [
        Target(name=name + path.name, path=path, readers=given, job=job)
        for name, (path, given) in zip(names, readers.items(), strict=True)
    ]


def harm(target: Target, flips: int, whole: int) -> None:
    """Damages a file in every way, and counts what becomes of it."""
    content = target.path.read_bytes()
    flipped, cuts = list(flip_bits(content, flips)), list(cut(content))
    values = [describe(read) for read in target.readers]
    for damaged in (*flipped, *cuts):
        for read, value in zip(target.readers, values, strict=True):
            target.path.write_bytes(damaged)
            target.counts[judge(read, value)] += 1
    for damaged in (*flipped[:whole], *cuts[::2]):
        with tempfile.TemporaryDirectory() as name:
            copy = replace(target.job, folder=Path(name) / "job")
            target.path.write_bytes(damaged)
            shutil.copytree(target.job.folder, copy.folder)
            target.counts[go_on(copy)] += 1
    target.path.write_bytes(content)


def describe(read: Callable[[], Any]) -> str:
    """What a reader gives, in a form that can be compared."""
    given = read()
    if isinstance(given, tuple) and hasattr(given[1], "state_dict"):
        state = {name: tensor.double().numpy().tobytes() for name, tensor in given[1].state_dict().items()}
        return f"{given[0]} {hash(tuple(state.items()))}"
    return repr(given)


def judge(read: Callable[[], Any], value: str) -> str:
    """What a reader makes of a damaged file."""
    try:
        return SAME if describe(read) == value else ACCEPTED
    except FocalsegError:
        return REFUSED
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return TRACEBACK


def go_on(job: Job) -> str:
    """What the command makes of it, when a person follows its messages."""
    for _ in range(STEPS_OUT):
        try:
            job.run()
        except FocalsegError as error:
            message = str(error)
            named = re.search(r"(/\S+?\.(?:yaml|json|ckpt|csv|npz|safetensors))", message)
            if not named or "emove" not in message:
                print(message, flush=True)
                return DEAD_END
            Path(named[1]).unlink()
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return TRACEBACK
        else:
            return ENDED if job.look() == job.left else ACCEPTED
    return DEAD_END


def format_page(content: dict[str, Any]) -> str:
    """The table as Markdown."""
    kinds = [REFUSED, SAME, ENDED, ACCEPTED, TRACEBACK, DEAD_END]
    lines = [
        "# Damaged files of a job",
        "",
        "`python benchmarks/damage.py`: every file with one flipped bit and cut short, met by all that reads it and by the",
        "whole command.",
        f"{content['machine']} Flips per file: {content['flips']}.",
        "",
        f"| file | {' | '.join(kinds)} |",
        f"|---|{'---:|' * len(kinds)}",
    ]
    for name, counts in content["files"].items():
        lines.append(f"| {name} | {' | '.join(str(counts.get(kind, 0)) for kind in kinds)} |")
    total = {kind: sum(counts.get(kind, 0) for counts in content["files"].values()) for kind in kinds}
    lines.append(f"| all | {' | '.join(str(total[kind]) for kind in kinds)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
