"""A job of predicting: what is to be done is known without torch, and only what is left to do loads a model."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from focalseg.counting import Count, count_for_nobody
from focalseg.errors import DataError, FocalsegError, SettingError
from focalseg.findings import Finding, show_path
from focalseg.imagesets.dataset import Decoded, read_alone
from focalseg.imagesets.marks import choose_marks
from focalseg.inference.cases.folder import OVERLAYS, PROBABILITIES, MaskFolder, hash_inputs, refuse_out
from focalseg.inference.cases.inputs import InputCase, Inputs, list_inputs
from focalseg.inference.cases.writing import write_mask, write_overlay, write_probabilities
from focalseg.inference.folders import NetworkFiles, find_networks, refuse_own_network
from focalseg.records.prediction import MaskEntry, PredictionRecord
from focalseg.records.seals import hash_file

if TYPE_CHECKING:
    import numpy as np

Predict = Callable[[Path, Decoded], "tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]"]
"""(file, its image) -> labels (*spatial) uint8, probabilities (K, *spatial) where they are wanted, and what makes the mask
doubtful. Raises DataError."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person wants of a model. one: of a job, the lean network alone. overlap, flips, threshold: as `predict_mask` has
    them; no threshold: the one that was tuned on the validation cases of the network.

    probabilities, overlays: what is written besides masks. own_network: the name of a network of their own that they trust.
    """

    one: bool = False
    overlap: float
    flips: bool = False
    threshold: float | None = 0.5
    probabilities: bool = False
    overlays: bool = False
    own_network: str = ""


@dataclass(frozen=True, kw_only=True)
class PredictionJob:
    """What is to be done. folder: where masks go. finished: entries of cases that are done already; todo: the others."""

    inputs: Inputs
    folder: MaskFolder
    finished: tuple[tuple[InputCase, MaskEntry], ...]
    todo: tuple[InputCase, ...]


@dataclass(kw_only=True)
class Predicted:
    """What became of a job. made, kept: cases with their entries. skipped: why there is no mask of an image, each once.

    notes: what is to be known of images that were read, and makes no mask doubtful.
    """

    made: list[tuple[InputCase, MaskEntry]] = field(default_factory=list)
    kept: list[tuple[InputCase, MaskEntry]] = field(default_factory=list)
    skipped: list[str | Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)


def plan_job(
    model: Path, given: Sequence[Path], out: Path, wanted: Wanted, *, count: Count = count_for_nobody
) -> PredictionJob:
    """What is asked for and what of it is done already. Nothing is decoded, written, or loaded. count: of files compared.

    Raises SettingError for a model, images or a folder with which nothing could be predicted, or the wrong thing.
    """
    networks = tuple(find_networks(model, one=wanted.one))
    refuse_own_network(networks, wanted.own_network)
    channels, axes = _read_shape(networks[0])
    inputs = list_inputs(given, channels=channels, axes=axes)
    refuse_out(out, model, given)
    settings = networks[0].settings
    record = PredictionRecord(
        model=str(model),
        model_digest=hashlib.sha256(" ".join(network.digest for network in networks).encode()).hexdigest(),
        networks=len(networks),
        labels=tuple(map(str, settings.get("labels", ()))),
        marks=tuple(map(str, settings.get("marks", ()))),
        overlap=wanted.overlap,
        flips=wanted.flips,
        threshold=_settle_threshold(model, wanted, networks),
    )
    besides = ((PROBABILITIES, wanted.probabilities), (OVERLAYS, wanted.overlays))
    folder = MaskFolder(out, record, [name for name, asked in besides if asked])
    folder.refuse_foreign(inputs.cases)
    found = _find_finished(folder, inputs.cases, count)
    return PredictionJob(
        inputs=inputs,
        folder=folder,
        finished=tuple((case, entry) for case, entry in found if entry),
        todo=tuple(case for case, entry in found if not entry),
    )


def _settle_threshold(model: Path, wanted: Wanted, networks: Sequence[NetworkFiles]) -> float:
    """The one that is wanted, or that of the network. Raises SettingError where there is none, or one per network."""
    if wanted.threshold is not None:
        return wanted.threshold
    if len(networks) > 1:
        raise SettingError(
            f"{show_path(model)} holds {len(networks)} networks, each with a tuned threshold of its own; expected one network "
            "for --threshold tuned. Add --one for the lean network, or give a number, such as --threshold 0.4."
        )
    if networks[0].threshold is None:
        raise SettingError(
            f"{show_path(networks[0].folder)} does not say a tuned threshold: an earlier version trained it, or it was saved "
            "without; expected one for --threshold tuned. Give a number, such as --threshold 0.4."
        )
    return networks[0].threshold


def run_job(
    job: PredictionJob,
    load: Callable[[], Predict],
    *,
    count: Count = count_for_nobody,
    tell: Callable[[str], None] = lambda _sentence: None,
    workers: int = 1,
) -> Predicted:
    """Predicts what is left to do, one case after the other. load: gives what predicts; not called where nothing is left.

    An image that cannot be predicted is skipped, and told of at the end. workers: how many images are read ahead, by as many
    threads. tell: hears of each image once it is done. Raises MachineError where a mask cannot be written.
    """
    result = Predicted(kept=list(job.finished), skipped=list(job.inputs.faults))
    if not job.todo:
        return result
    predict = load()
    total = len(job.inputs.cases)
    with job.folder.hold(), count("predicting") as advance:
        for number, (case, read) in enumerate(_read_ahead(job.todo, workers), start=len(job.finished) + 1):
            try:
                entry, notes = _predict_case(job.folder, case, read, predict)
                result.made.append((case, entry))
                result.notes += notes
                tell(f"made {show_path(job.folder.out / case.mask)}")
            except DataError as error:
                stale = _describe_stale(job.folder, case)
                result.skipped += [*(error.findings or error.faults), *stale]
                tell(f"skipped {show_path(case.images[0])}")
            advance(number, total)
    return result


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A case as it was read. digests: of its files, taken before they were decoded."""

    image: Decoded
    digests: dict[str, str]
    notes: tuple[Finding, ...]


def _read_ahead(cases: Sequence[InputCase], workers: int) -> Iterator[tuple[InputCase, Callable[[], _Read]]]:
    """Each case with a function that gives what was read of it or raises, while the next ones are read."""
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        waiting = iter(cases)
        begun = deque((case, pool.submit(_read, case)) for case in islice(waiting, workers))
        try:
            while begun:
                case, future = begun.popleft()
                if (following := next(waiting, None)) is not None:
                    begun.append((following, pool.submit(_read, following)))
                yield case, future.result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(case: InputCase) -> _Read:
    digests = hash_inputs(case)
    image, notes = read_alone(case.images)
    return _Read(image=image, digests=digests, notes=notes)


def _predict_case(
    folder: MaskFolder, case: InputCase, read: Callable[[], _Read], predict: Predict
) -> tuple[MaskEntry, list[Finding]]:
    """Predicts a case and writes all that is wanted of it, its mask last, so that it is there only with all else.

    Gives its entry, and notes about its files that make the mask no doubtful one.
    """
    file = case.images[0]
    try:
        given = read()
        labels, probabilities, doubts = predict(file, given.image)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, FocalsegError) or (isinstance(error, RuntimeError) and "memory" not in str(error)):
            raise
        mend = "Cut it into parts, or free memory and run the same command again."
        raise DataError(f"{show_path(file)}: memory ran out; expected an image that fits into it. {mend}") from error
    except SettingError as error:
        raise DataError(f"{show_path(file)}: {error}") from error
    outputs = folder.list_outputs(case)
    others = folder.settle_others(case, given.digests)
    folder.keep(MaskEntry(mask=case.mask, inputs=given.digests))
    for name in reversed(outputs):
        path = folder.out / name
        if name == case.mask:
            write_mask(path, labels, given.image, _choose_marks(folder.record, given.image))
        elif name.startswith(f"{PROBABILITIES}/") and probabilities is not None:
            write_probabilities(path, probabilities, given.image)
        else:
            write_overlay(path, labels, given.image)
    entry = MaskEntry(
        mask=case.mask,
        inputs=given.digests,
        outputs={name: hash_file(folder.out / name) for name in outputs} | others,
        doubts=(*doubts, *map(_describe_note, filter(_is_doubt, given.notes))),
    )
    folder.keep(entry)
    return entry, [note for note in given.notes if not _is_doubt(note)]


def _is_doubt(note: Finding) -> bool:
    """Whether a note about a file makes its mask doubtful; that its name tells another format does not."""
    return not note.quiet and note.kind != "wrong_suffix"


def _describe_note(note: Finding) -> str:
    return f"The image {note.found}; expected {note.expected}. {note.mend}"


def _choose_marks(record: PredictionRecord, image: Decoded) -> tuple[str, ...]:
    """The marks of the set, or where an earlier version trained the model and kept none, those of most sets of its kind."""
    return record.marks or choose_marks((), len(record.labels), (), volumes=image.header is not None)


def _describe_stale(folder: MaskFolder, case: InputCase) -> list[str]:
    """Says where an earlier mask lies in the folder of an image that could not be predicted now."""
    mask = folder.out / case.mask
    if not mask.exists():
        return []
    return [f"{show_path(mask)}: is of the image as it was before; expected none, as the image is at fault now. Remove it."]


def _find_finished(folder: MaskFolder, cases: Sequence[InputCase], count: Count) -> list[tuple[InputCase, MaskEntry | None]]:
    """Each case with its entry where its mask need not be made again. Files are read for that, and nothing is decoded."""
    if not folder.entries:
        return [(case, None) for case in cases]
    found: list[tuple[InputCase, MaskEntry | None]] = []
    with count("comparing with the masks that are there") as advance:
        for number, case in enumerate(cases, start=1):
            entry = None
            with suppress(DataError):  # an image that cannot be read is told of once it is to be predicted
                entry = folder.find_finished(case)
            found.append((case, entry))
            advance(number, len(cases))
    return found


def _read_shape(files: NetworkFiles) -> tuple[int, int]:
    """How many channels and spatial axes the images of a network have. Raises SettingError for settings that do not say it."""
    settings: Any = files.settings
    try:
        return int(settings["network"]["in_channels"]), len(settings["preparation"]["size"])
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(
            f"{show_path(files.folder)} has settings that do not name the channels and the size of images; expected those "
            "of a training. Restore the file."
        ) from error
