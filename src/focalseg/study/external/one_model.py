"""One model on a set of images: every case predicted and scored as two folders of masks would be, without writing a mask."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from focalseg.errors import DataError
from focalseg.evaluation.masks.evaluating import record_scores
from focalseg.evaluation.masks.pairing import PairedCase, Pairing
from focalseg.evaluation.masks.settings import EvaluationSettings
from focalseg.evaluation.masks.wording import Facts
from focalseg.findings import counted
from focalseg.imagesets.case import Case, CaseFiles
from focalseg.imagesets.masks import VOID
from focalseg.imagesets.opening import open_dataset
from focalseg.inference.loading import load
from focalseg.inference.model import Model
from focalseg.inference.prediction import keep_quiet, predict_mask
from focalseg.metrics.case import CaseMeasures, measure
from focalseg.records.record import read_record
from focalseg.records.scores.evaluation import EvaluationRecord
from focalseg.records.splits import Splits
from focalseg.study.external.beginning import refuse_same_data
from focalseg.study.external.reading import WHOLE, ReadSet, Wanted, read_set
from focalseg.study.external.scoring import ScoredSet, in_order
from focalseg.study.running.cases import read_same_case
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.start import find_splits
from focalseg.training.training_config import Device

_USUAL = EvaluationSettings()


class _Kind(NamedTuple):
    """What a case is, besides its scores: whether it is in mm, whether scores count within a field of view alone, its axes."""

    mm: bool
    view: bool
    axes: int


def evaluate_one(
    path: str | Path,
    source: str | Path,
    *,
    wanted: Wanted = WHOLE,
    settings: EvaluationSettings = _USUAL,
    device: Device = "auto",
    listeners: Listeners = NOBODY,
) -> EvaluationRecord:
    """Scores one model on a set of images, case by case, with distances and intervals; nothing is written.

    path: a run (`focalseg train`), a lean folder, or a model of `focalseg.save`, whose networks' probabilities are averaged.
    settings: as scores of masks have them. The interval speaks of new cases or groups for this model; what another training
    would change is not in it. Raises SettingError and DataError as `evaluate_job` does.
    """
    path, source = Path(path), str(source)
    place = find_splits(path.resolve())
    splits = None if place is None else read_record(Splits, place)
    if place is not None and splits is not None:
        refuse_same_data(place.parent, splits.data, open_dataset(source).source)
    model = load(path, device=device, own_network=wanted.own_network)
    folds = tuple({config.fold for config in model.configs})
    read = read_set(source, model.configs, wanted, listeners, splits=splits, folds=folds)
    for note in read.notes:
        listeners.tell(note)
    with listeners.count("predicting and scoring") as advance, ExitStack() as ordered:
        for member in model.members:
            ordered.enter_context(in_order(member.network, read.scored.fit))
        measures, found = [], list[_Kind]()
        for number, name in enumerate(read.scored.names, start=1):
            case = read_same_case(source, name, read.scored.digests)
            measures.append(_score(model, case, read.scored, settings))
            found.append(_Kind(mm=case.spacing_mm is not None, view=case.field_of_view is not None, axes=case.mask.ndim))
            advance(number, len(read.scored.names))
    if len({kind.mm for kind in found}) > 1:
        raise DataError(f"{source}: holds images in mm and others without; expected one unit. Score the two apart.")
    return _record(path, source, model, read, measures, settings, found)


def _score(model: Model, case: Case, on: ScoredSet, settings: EvaluationSettings) -> dict[str, CaseMeasures]:
    """The measures of a case by the name of the label."""
    predicted = predict_mask(model.members, case.image, tell=keep_quiet)
    numbers = tuple(range(1, len(on.fit.labels) + 1))
    found = measure(
        np.where(predicted <= len(numbers), predicted, 0),
        case.mask,
        labels=numbers,
        spacing_mm=case.spacing_mm,
        tolerance_mm=settings.tolerance_mm,
        inside=case.field_of_view,
        ignore=VOID,
        empty=settings.empty,
        surface=settings.surface,
        lesions=settings.lesion_rule,
        cldice=settings.cldice,
    )
    return {name: found[number] for number, name in zip(numbers, on.fit.labels, strict=True)}


def _record(
    path: Path,
    source: str,
    model: Model,
    read: ReadSet,
    measures: Sequence[dict[str, CaseMeasures]],
    settings: EvaluationSettings,
    found: Sequence[_Kind],
) -> EvaluationRecord:
    on = read.scored
    files = [CaseFiles(name=name, images=(), masks=()) for name in on.names]
    pairs = [PairedCase(name=one.name, predicted=one, reference=one) for one in files]
    facts = Facts(
        pairing=Pairing(pairs=tuple(pairs), missing=(), unused=()),
        settings=settings,
        labels=on.fit.labels,
        groups=on.groups,
        known=read.grouped,
        unit="mm" if found[0].mm else "pixels",
        views=sum(kind.view for kind in found),
        measures=measures,
    )
    of = f"The model is {counted(len(model.members), 'network')}."
    if len(model.members) > 1:
        of = f"The model is {counted(len(model.members), 'network')}, whose probabilities are averaged."
    return record_scores(str(path), source, facts, (of, *read.notes), "voxels" if found[0].axes == 3 else "pixels")
