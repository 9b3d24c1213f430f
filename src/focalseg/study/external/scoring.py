"""The scores of every training of a job on another set: computed once, kept in a folder, and not computed again there."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from focalseg.counting import Advance, ignore
from focalseg.errors import Interrupted, SettingError
from focalseg.files import write_text
from focalseg.inference.loading import load
from focalseg.records.record import read_record, write_record
from focalseg.records.result import RESULT, Result, check_run_file
from focalseg.records.scores.external import ScoredTraining
from focalseg.records.seals import hash_file
from focalseg.records.splits import Split
from focalseg.study.external.beginning import Training, Trainings
from focalseg.study.external.fitting import Fit
from focalseg.study.running.cases import digest_split
from focalseg.study.running.local import call_locally
from focalseg.study.running.runs import CASES, TEST, RunPlan, score_at_full_size
from focalseg.study.running.scores import CaseScore, format_scores, read_scores
from focalseg.study.running.stopping import STOP
from focalseg.training.training_config import Device


@dataclass(frozen=True, kw_only=True)
class ScoredSet:
    """The cases of a set that are scored. names: in its order. groups, digests: by name. fit: its labels beside a network's."""

    source: str
    names: tuple[str, ...]
    groups: Mapping[str, str]
    digests: Mapping[str, str]
    fit: Fit

    @property
    def split(self) -> Split:
        """All of them to test on."""
        return Split(fold=0, train=(), validation=(), test=self.names)

    @property
    def digest(self) -> str:
        """Of the cases, what belongs together, and the labels."""
        cases = digest_split(self.split, self.groups, self.digests)
        return hashlib.sha256(json.dumps([cases, self.fit.labels, self.fit.channels]).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """One training that is scored. places: the folders that keep its scores, one per arm that it belongs to."""

    training: Training
    places: tuple[Path, ...]
    on: ScoredSet
    device: Device = "auto"
    own_network: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether its scores are in all of its folders, as they were written, of this network and these cases."""
        return all(self._is_kept(place) for place in self.places)

    def _is_kept(self, place: Path) -> bool:
        with suppress(SettingError):
            kept = read_record(ScoredTraining, place / RESULT)
            kept.check_file(place / CASES)
            return (kept.weights, kept.data) == (self.training.files.digest, self.on.digest)
        return False


def plan_scoring(
    trainings: Trainings, on: ScoredSet, folder: Path, *, device: Device = "auto", own_network: str = ""
) -> list[Scoring]:
    """Every training once, however many arms share it. folder: that keeps the scores, under runs/ARM/fold_K/seed_S."""
    places: dict[Path, list[Path]] = {}
    known: dict[Path, Training] = {}
    for arm, folds in trainings.items():
        for one in (one for fold in folds for one in fold):
            known[one.files.folder] = one
            places.setdefault(one.files.folder, []).append(locate(folder, arm, one))
    return [
        Scoring(training=one, places=tuple(places[run]), on=on, device=device, own_network=own_network)
        for run, one in known.items()
    ]


def locate(folder: Path, arm: str, training: Training) -> Path:
    """Where the scores of a training of an arm lie."""
    return folder / "runs" / arm / f"fold_{training.fold}" / f"seed_{training.seed}"


def score_all(plans: Sequence[Scoring], *, workers: int, advance: Advance = ignore) -> None:
    """Scores what is not scored yet, `workers` at a time. advance: hears of cases that are done, of all that are to do.

    Raises Interrupted when a stop was asked for; what was finished is kept.
    """
    todo = [plan for plan in plans if not plan.is_finished]
    cases = len(plans[0].on.names) if plans else 0
    if workers > 1 and len(todo) > 1:
        call_locally(score, todo, workers=workers, tell=lambda done, of: advance(done * cases, of * cases))
        return
    for number, plan in enumerate(todo):
        score(plan, _count_from(number * cases, len(todo) * cases, advance))


def _count_from(before: int, total: int, advance: Advance) -> Callable[[int, int], None]:
    """Counts the cases of one training as a part of all of them, and stops in between where a stop was asked for."""

    def count(done: int, _of: int) -> None:
        advance(before + done, total)
        if STOP.is_requested():
            raise Interrupted(STOP.requested)

    return count


def score(plan: Scoring, advance: Advance = ignore) -> None:
    """Predicts every case as the network was trained and scored, and writes the scores; they are whole or absent."""
    own = read_record(Result, plan.training.files.folder / RESULT)
    model = load(plan.training.files.folder, device=plan.device, own_network=plan.own_network)
    fit, config = plan.on.fit, model.config
    with in_order(model.network, fit):
        run = RunPlan(
            arm="",
            config=replace(config, data=plan.on.source, labels=fit.labels, marks=()),
            split=plan.on.split,
            folder=plan.places[0],
            groups=plan.on.groups,
            case_digests=plan.on.digests,
            testifies=False,
            scored=(TEST,),
        )
        text = format_scores(score_at_full_size(run, model.network, advance, threshold=own.threshold).scores)
    for place in plan.places:
        write_text(place / CASES, text)
        record = ScoredTraining(
            modules=own.modules,
            parameters=own.parameters,
            flops=own.flops,
            seconds=own.seconds,
            step_seconds=own.step_seconds,
            data=plan.on.digest,
            files={CASES: hash_file(place / CASES)},
            threshold=own.threshold,
            weights=plan.training.files.digest,
            labels=fit.labels,
        )
        write_record(place / RESULT, record)


def read_external(place: Path) -> tuple[CaseScore, ...]:
    """The scores in a folder of one training. Raises SettingError where they are missing or were altered."""
    return read_scores(check_run_file(place / CASES))


@contextmanager
def in_order(network: nn.Module, fit: Fit) -> Iterator[None]:
    """Inside, the logits of a network have the order of a set's labels, so that masks of both mean the same."""
    if not fit.moves:
        yield
        return
    order = [0, *(channel + 1 for channel in fit.channels)]
    # A hook and no module around the network, whose sites and reach are found as before.
    handle = network.register_forward_hook(lambda _network, _given, logits: logits[:, order])
    try:
        yield
    finally:
        handle.remove()
