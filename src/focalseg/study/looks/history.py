"""The looks of a job: read from its folder, begun, gone on with, and written down before a training of theirs starts."""

from dataclasses import dataclass, replace
from pathlib import Path

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.records.outcome.claims import Looks
from focalseg.records.outcome.looks import LOOKS, Look, LookHistory
from focalseg.records.placement import NONE, PLACEMENT, JobRecord
from focalseg.records.record import read_record, write_record
from focalseg.records.result import CONFIG
from focalseg.records.splits import SPLITS, Splits
from focalseg.study.looks.tails import has_error_left, plan_tails, share_error
from focalseg.study.presets import MOST_TRAININGS, Settings
from focalseg.study.running.folder import read_config

_RUNS = "runs"


@dataclass(frozen=True, kw_only=True)
class Extension:
    """How a finished job is made to go on: so many trainings more per arm and fold, and so many folds more."""

    more_trainings: int = 0
    more_folds: int = 0

    def __bool__(self) -> bool:
        return self.more_trainings > 0 or self.more_folds > 0

    def __str__(self) -> str:
        said = [("--more-trainings", self.more_trainings), ("--more-folds", self.more_folds)]
        return " ".join(f"{option} {number}" for option, number in said if number)


NO_EXTENSION = Extension()


def read_looks(folder: Path) -> LookHistory | None:
    """The looks of the job in a folder, None where none has begun.

    Where the file is gone, a first look is known from what else is there. Raises SettingError for a file that is not as it was
    written, and for one that is gone after more looks than one: whoever could make a folder forget its looks could look until
    chance gives a difference.
    """
    path = folder / LOOKS
    if path.exists():
        return read_record(LookHistory, path)
    left = next((name for name in (PLACEMENT, _RUNS) if (folder / name).exists()), None)
    if left is None:
        return None
    if (folder / CONFIG).exists():
        settings = from_mapping(Settings, read_config(folder).get("settings", {}))
        if left == PLACEMENT and (found := _read_only_look(folder, settings)):
            return found
        if left == _RUNS and _has_no_more_runs(folder, settings):
            return None
    raise SettingError(
        f"{path} is missing, though {folder / left} is there; expected the file that counts how often this job was judged. "
        "Restore it, or start anew with another --out."
    )


def _read_only_look(folder: Path, settings: Settings) -> LookHistory | None:
    """The first look, as placement.json tells of it; None where it tells of another one."""
    record = read_record(JobRecord, folder / PLACEMENT)
    history, arm = begin_looks(settings), record.arms[NONE]
    same = record.looks == as_looks(history) and (arm.trainings, arm.folds) == (history.last.seeds, history.last.folds)
    return _end(history, record) if same else None


def _has_no_more_runs(folder: Path, settings: Settings) -> bool:
    """Whether there are at most the trainings of the first look: it has not ended, or what it found is found again."""
    folds = list((folder / _RUNS / NONE).glob("fold_*"))
    return len(folds) <= settings.split.test_folds and all(len(list(fold.iterdir())) <= settings.seeds for fold in folds)


def begin_looks(settings: Settings, most_trainings: int = 0) -> LookHistory:
    """The first look of a job with these settings. most_trainings: up to which it is planned to go on, as in `LookHistory`,
    where the settings do not say."""
    seeds, folds = settings.seeds, settings.split.test_folds
    most = seeds * folds if settings.looks.once else settings.looks.most_trainings or most_trainings
    return LookHistory(most_trainings=most, looks=(_plan_look((), seeds, folds, most),))


def refuse_plan(settings: Settings) -> None:
    """Raises SettingError for a plan up to fewer trainings than the first look has: it would be over before it began."""
    planned, first = settings.looks.most_trainings, settings.seeds * settings.split.test_folds
    if 0 < planned < first:
        raise SettingError(
            f"looks.most_trainings was {planned}, and the first look has {first} already (seeds {settings.seeds} x "
            f"split.test_folds {settings.split.test_folds}); expected more, or none planned. Give --set "
            f"looks.most_trainings={2 * first}, or leave it out."
        )


def go_on(folder: Path, history: LookHistory | None, extension: Extension) -> LookHistory | None:
    """The looks with the one that is to be made now as the last.

    Without an extension that is the one that is under way, or the latest. Raises SettingError for an extension of a job that
    has not ended, or that cannot have any more trainings, folds or claims.
    """
    if not extension:
        return history
    if history is None or (len(history.looks) == 1 and not history.last.finished):
        raise SettingError(
            f"{extension} was given for {folder}, where no job has ended; expected the folder of a finished one. Run the "
            "command without it first; for more from the beginning give --set seeds=N or --folds K."
        )
    if not history.last.finished:
        return _go_on_with(folder, history, extension)
    last = history.last
    seeds, tested = last.seeds + extension.more_trainings, last.folds + extension.more_folds
    if seeds > MOST_TRAININGS:
        raise SettingError(
            f"--more-trainings was {extension.more_trainings}, on top of {last.seeds} per arm and fold; expected at most "
            f"{MOST_TRAININGS} in all. Give fewer."
        )
    folds = len(read_record(Splits, folder / SPLITS).folds)
    if tested > folds:
        rest = folds - last.folds
        mend = f"Give --more-folds {rest}" if rest else "Give --more-trainings instead"
        raise SettingError(
            f"--more-folds was {extension.more_folds}, and {last.folds} of the {counted(folds, 'fold')} of the split are "
            f"tested; expected at most {rest} more. {mend}, or another --out with a larger split.folds."
        )
    if not has_error_left(list_trainings(history), history.most_trainings):
        raise SettingError(
            f"{extension} was given for {folder}, whose verdict rests on all of the {history.most_trainings} trainings per arm "
            "that were planned, so that its looks have spent their whole error; expected a job with a claim left. A further "
            "look could claim nothing: test on other images with `focalseg evaluate`, or plan more in another --out with "
            "--set looks.most_trainings=N."
        )
    return replace(history, looks=(*history.looks, _plan_look(history.looks, seeds, tested, history.most_trainings)))


def _go_on_with(folder: Path, history: LookHistory, extension: Extension) -> LookHistory:
    """The same looks, whose last one is under way. Raises SettingError where it was begun with another extension."""
    before, last = history.looks[-2:]
    begun = Extension(more_trainings=last.seeds - before.seeds, more_folds=last.folds - before.folds)
    if extension != begun:
        raise SettingError(
            f"{extension} was given, and {folder} is being extended by {begun}, which was stopped; expected that to end first. "
            f"Run the command with {begun}, then again with {extension}."
        )
    return history


def _plan_look(before: tuple[Look, ...], seeds: int, folds: int, most: int) -> Look:
    trainings = [*(look.trainings for look in before), seeds * folds]
    return Look(seeds=seeds, folds=folds, tail=plan_tails(trainings, most)[-1], spent=share_error(trainings, most)[-1])


def list_trainings(history: LookHistory) -> list[int]:
    """Per arm and over all folds, of each look."""
    return [look.trainings for look in history.looks]


def apply_look(settings: Settings, look: Look) -> Settings:
    """The settings of a job with the trainings and folds of a look."""
    return replace(settings, seeds=look.seeds, split=replace(settings.split, test_folds=look.folds))


def check_first(folder: Path, history: LookHistory, settings: Settings) -> None:
    """Raises SettingError where the settings are not those of the first look, as of a job that was begun anew over it."""
    first = history.looks[0]
    if apply_look(settings, first) != settings:
        raise SettingError(
            f"{folder / LOOKS} tells of a job with {counted(first.seeds, 'training')} on each of "
            f"{counted(first.folds, 'fold')}; the settings have {settings.seeds} on each of {settings.split.test_folds}. Give "
            f"those it was begun with (--set seeds={first.seeds} --set split.test_folds={first.folds}) and --more-trainings or "
            "--more-folds, or another --out."
        )


def claim_looks(folder: Path, before: LookHistory | None, history: LookHistory) -> None:
    """Writes the looks into a folder that is held, before anything of the last one is trained. before: as they were read.

    Raises SettingError where another process has changed them since.
    """
    if read_looks(folder) != before:
        raise SettingError(f"{folder / LOOKS} was changed by another process meanwhile; run the same command again.")
    if history != before or not (folder / LOOKS).exists():
        write_record(folder / LOOKS, history)


def finish_look(folder: Path, history: LookHistory, record: JobRecord) -> LookHistory:
    """Writes down what the last look found, and gives the looks with it. The record is in the folder by then: one that is
    stopped between the two is judged anew, from the same scores."""
    ended = _end(history, record)
    if ended != history:
        write_record(folder / LOOKS, ended)
    return ended


def _end(history: LookHistory, record: JobRecord) -> LookHistory:
    """The same looks, the last one with what it found."""
    found = replace(history.last, verdict=record.verdict, sentence=record.sentence, difference=record.difference)
    return replace(history, looks=(*history.looks[:-1], found))


def as_looks(history: LookHistory) -> Looks:
    """What the last look may claim, as a verdict has it."""
    return Looks(taken=len(history.looks), tail=history.last.tail)
