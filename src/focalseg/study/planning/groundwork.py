"""From a data set and settings to a run that can start: everything is read and checked here, and nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from focalseg.distance import check_spacing
from focalseg.errors import DataError, SettingError
from focalseg.feeding.preparation import plan_preparation
from focalseg.findings import counted
from focalseg.hosts.building import build_host
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.masks import VOID
from focalseg.imagesets.survey.readiness import find_foreground_faults
from focalseg.imagesets.survey.survey import Survey, cap_faults, summarise_notes, survey_dataset
from focalseg.records.splits import Split
from focalseg.study.planning.folds import choose_folds, describe_sides, plan_splits, take_all
from focalseg.study.planning.frame import Frame, cases_of, plan_frame
from focalseg.study.presets import Settings
from focalseg.study.running.cases import open_source
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.training.loop import open_fabric
from focalseg.training.run import RunConfig, find_candidates
from focalseg.training.training_config import Device

_FAULTS_OF_SPLITS = frozenset({"leak", "no_part"})
"""Kinds of findings on the parts of an official split, and on nothing else."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A split that is tested, and the plain run on it."""

    split: Split
    config: RunConfig


@dataclass(frozen=True, kw_only=True)
class Material:
    """A data set as it was found, and all its splits, tested or not. groups: by case, what the folds keep together and a score
    counts as one."""

    survey: Survey
    splits: tuple[Split, ...]
    groups: Mapping[str, str]

    @property
    def case_digests(self) -> dict[str, str]:
        """That of each case by name, to which every later reading is held."""
        return {case.name: case.case_digest for case in self.survey.cases}


@dataclass(frozen=True, kw_only=True)
class Groundwork(Material):
    """What a job stands on: the data, and the folds that are tested. remarks: what a person should know beforehand."""

    folds: tuple[Fold, ...]
    frame: Frame
    remarks: tuple[str, ...] = ()

    @property
    def config(self) -> RunConfig:
        """The plain run on the first fold."""
        return self.folds[0].config

    @property
    def split(self) -> Split:
        """The first fold."""
        return self.folds[0].split


def lay_groundwork(
    source: str, settings: Settings, seed: int, device: Device, listeners: Listeners = NOBODY, *, all_data: bool = False
) -> Groundwork:
    """Reads every case, and plans the plain run of every fold that is tested. all_data: of one fold that trains on every case.

    Raises SettingError, DataError, ShapeError or MachineError for whatever would stop it later.
    """
    material = _read_material(source, settings, device, listeners, all_data=all_data)
    return plan_groundwork(material, settings, source=source, seed=seed)


def _read_material(
    source: str, settings: Settings, device: Device, listeners: Listeners = NOBODY, *, all_data: bool = False
) -> Material:
    """Reads every case and deals them into folds. Raises SettingError, DataError or MachineError."""
    open_fabric(device)
    open_source.cache_clear()  # the folder may have been mended since this process last listed it
    dataset = open_source(source)
    _check_ignored(settings.loss.ignore_index, dataset)
    survey = survey_dataset(dataset, listeners.count)
    # A split of the person's own takes the place of the official one; where nothing is split, nothing of a split is wrong.
    passed = _FAULTS_OF_SPLITS if all_data else {"leak"} if settings.split.file else set()
    errors = [error for error in survey.errors if error.kind not in passed]
    if errors:
        raise DataError(cap_faults(errors, source))
    splits, groups = ((take_all(survey),), survey.groups) if all_data else plan_splits(dataset, survey, settings.split)
    return Material(survey=survey, splits=splits, groups=groups)


def _check_ignored(ignore_index: int | None, dataset: Dataset) -> None:
    """Raises SettingError where loss.ignore_index names a value that the set's table does not leave open: only the table is
    known to all that counts pixels, such as scores and shares of foreground."""
    if ignore_index is None or ignore_index in dataset.void_values:
        return
    declared = dataset.label_table or "labels.csv, a table with label,value beside the folders of images and masks"
    given = ", ".join(map(str, sorted(dataset.void_values))) or "no value"
    raise SettingError(
        f"loss.ignore_index was {ignore_index}; in a training the table of the labels says which values do not count, and for "
        f"{dataset.source} it names {given}. Declare the value under the name void in {declared}, or leave the setting out."
    )


def plan_groundwork(material: Material, settings: Settings, *, source: str, seed: int) -> Groundwork:
    """Plans the plain run of every fold that is tested, and reads nothing. Raises SettingError, DataError or ShapeError.

    settings: of their split only the number of tested folds counts any more.
    """
    survey = material.survey
    tested = choose_folds(material.splits, settings.split)
    for split in tested:
        if faults := find_foreground_faults(survey, split):
            raise DataError(faults)
    frame = plan_frame(survey, tested[0], settings)
    plain = [_plan_run(frame, survey, split, settings, source=source, seed=seed) for split in tested]
    find_candidates(plain[0], build_host(frame.network))
    remarks = [describe_sides(tested, material.groups), *summarise_notes(survey.notes)]
    if frame.normalisation == "case" and settings.data.normalisation == "auto":
        remarks.append(
            "the images are on scales of their own; each is normalised by itself (data.normalisation=data_set: by one scale)."
        )
    remarks += [frame.remark] if frame.remark else []
    remarks += _remark_entries(survey, tested, plain)
    return Groundwork(
        survey=survey,
        splits=material.splits,
        groups=material.groups,
        folds=tuple(Fold(split=split, config=config) for split, config in zip(tested, plain, strict=True)),
        frame=frame,
        remarks=tuple(remarks),
    )


def _plan_run(frame: Frame, survey: Survey, split: Split, settings: Settings, *, source: str, seed: int) -> RunConfig:
    """The plain run on a fold: intensities, and the spacing of elements, are those of its own training cases."""
    preparation = plan_preparation(
        cases_of(survey, split.train),
        size=frame.size,
        patch=None if frame.window == frame.size else frame.window,
        normalisation=frame.normalisation,
    )
    if frame.encoder is not None:
        preparation = replace(preparation, mean=frame.encoder.mean, standard_deviation=frame.encoder.deviation)
    loss = settings.loss
    if loss.boundary_weight and loss.spacing_mm is None:
        loss = replace(loss, spacing_mm=preparation.spacing_mm)
    # Whatever value the files have for it, masks are read with this one.
    loss = replace(loss, ignore_index=VOID if survey.void else None)
    loss.arms(max(frame.network.classes, 2))
    check_spacing(loss.spacing_mm, len(frame.size))
    return RunConfig(
        data=source,
        fold=split.fold,
        seed=seed,
        labels=survey.labels,
        marks=survey.marks,
        preparation=preparation,
        network=frame.network,
        standardise_logits=settings.standardise_logits,
        loss=loss,
        training=settings.training,
        scores=settings.scores,
    )


def _remark_entries(survey: Survey, tested: Sequence[Split], plain: Sequence[RunConfig]) -> list[str]:
    """A sentence on images that enter the network far from those it is trained on, with the strangest of each fold."""
    strange: dict[str, tuple[float, str]] = {}
    for split, config in zip(tested, plain, strict=True):
        for side in ("train", "validation", "test"):
            for case in cases_of(survey, getattr(split, side)):
                entry = config.preparation.measure_entry(case.mean, case.standard_deviation)
                if entry.is_extreme:
                    found = f"{case.name} ({side}) {entry}"
                    strange[case.name] = max(strange.get(case.name, (0.0, "")), (entry.strangeness, found))
    if not strange:
        return []
    _, worst = max(strange.values())
    others = f", and {counted(len(strange) - 1, 'other image')} far off as well" if len(strange) > 1 else ""
    advice = "What the network says of such images is not to be trusted; data.normalisation=case scales each by itself."
    return [f"{worst}{others}. {advice}"]
