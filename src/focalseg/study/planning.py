"""From a data set and settings to a run that can start: everything is read and checked here, and nothing written."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from focalseg.attention import GATES
from focalseg.data.checking.summary import CaseSummary
from focalseg.data.checking.survey import Survey, cap_faults, summarise_notes, survey_dataset
from focalseg.data.preparation import Normalisation, on_common_scale, plan_preparation, plan_size
from focalseg.data.splits import Split
from focalseg.distance import check_spacing
from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.files import write_text
from focalseg.labels import count_channels
from focalseg.networks.building import NetworkConfig, build_host, plan_arguments
from focalseg.networks.planning import plan_widths
from focalseg.placement.dead_sites import find_dead_sites
from focalseg.placement.instrument import plan_layout
from focalseg.placement.tracing import check_forward
from focalseg.study.audience import Audience, Tell, ignore
from focalseg.study.folds import choose_folds, describe_sides, plan_splits
from focalseg.study.output import CONFIG
from focalseg.study.presets import NetworkSettings, Settings, SplitSettings
from focalseg.study.runs import open_source
from focalseg.training.loop import choose_precision, open_fabric
from focalseg.training.run import Device, RunConfig, find_candidates
from focalseg.yaml_files import read_yaml

SPLITS = "splits.json"
SCHEMA = 1
NOBODY = Audience()
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """A split that is tested, and the plain run on it."""

    split: Split
    config: RunConfig


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What all folds share: the size of images, what of it the network sees at a time, how intensities are brought to a scale,
    and the network with the channels a level that it was planned from."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    normalisation: Normalisation
    network: NetworkConfig
    widths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """A data set as it was found, and all its splits. groups: by case, what the folds keep together and a score counts as
    one."""

    survey: Survey
    splits: tuple[Split, ...]
    groups: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Groundwork:
    """What a job stands on: the data, and the folds that are tested. remarks: what a person should know beforehand."""

    material: Material
    folds: tuple[Fold, ...]
    frame: Frame
    remarks: tuple[str, ...] = ()

    @property
    def survey(self) -> Survey:
        """Of all cases."""
        return self.material.survey

    @property
    def splits(self) -> tuple[Split, ...]:
        """All folds, tested or not."""
        return self.material.splits

    @property
    def groups(self) -> Mapping[str, str]:
        """By case."""
        return self.material.groups

    @property
    def config(self) -> RunConfig:
        """The plain run on the first fold."""
        return self.folds[0].config

    @property
    def split(self) -> Split:
        """The first fold."""
        return self.folds[0].split


def settle_precision(settings: Settings, folder: Path, device: Device) -> Settings:
    """With the precision that `auto` comes to: that of the job in the folder where one goes on, perhaps on another machine,
    since trainings of two precisions are not to be compared; else what suits this machine."""
    precision = settings.training.precision
    if precision == "auto" and (folder / CONFIG).exists():
        begun = read_yaml(folder / CONFIG)
        with suppress(KeyError, TypeError):  # a config that is none of ours is refused when the folder is claimed
            precision = begun.get("settings", begun)["training"]["precision"]
    return replace(settings, training=replace(settings.training, precision=choose_precision(precision, device)))


def lay_groundwork(source: str, settings: Settings, seed: int, device: Device, audience: Audience = NOBODY) -> Groundwork:
    """Reads every case, and plans the plain run of every fold that is tested.

    Raises SettingError, DataError, ShapeError or MachineError for whatever would stop it later.
    """
    material = read_material(source, settings.split, device, audience)
    return plan_groundwork(material, settings, source=source, seed=seed)


def read_material(source: str, settings: SplitSettings, device: Device, audience: Audience = NOBODY) -> Material:
    """Reads every case and deals them into folds. Raises SettingError, DataError or MachineError."""
    open_fabric(device)
    open_source.cache_clear()  # the folder may have been mended since this process last listed it
    dataset = open_source(source)
    survey = survey_dataset(dataset, audience.count)
    errors = [error for error in survey.errors if not (settings.file and error.kind == "leak")]
    if errors:
        raise DataError(cap_faults(errors, source))
    splits, groups = plan_splits(dataset, survey, settings)
    return Material(survey=survey, splits=splits, groups=groups)


def plan_groundwork(material: Material, settings: Settings, *, source: str, seed: int) -> Groundwork:
    """Plans the plain run of every fold that is tested, and reads nothing. Raises SettingError, DataError or ShapeError.

    settings: of their split only the number of tested folds counts any more.
    """
    survey = material.survey
    tested = choose_folds(material.splits, settings.split)
    for split in tested:
        check_foreground(survey, split)
    frame = plan_frame(survey, tested[0], settings)
    plain = [plan_run(frame, survey, split, settings, source=source, seed=seed) for split in tested]
    find_candidates(plain[0], build_host(frame.network))
    remarks = [describe_sides(tested, material.groups), *summarise_notes(survey.notes)]
    if frame.normalisation == "case" and settings.data.normalisation == "auto":
        remarks.append(
            "the images are on scales of their own; each is normalised by itself (data.normalisation=data_set: by one scale)."
        )
    return Groundwork(
        material=material,
        folds=tuple(Fold(split=split, config=config) for split, config in zip(tested, plain, strict=True)),
        frame=frame,
        remarks=tuple(remarks),
    )


def plan_frame(survey: Survey, split: Split, settings: Settings) -> Frame:
    """What all folds share: a network of one shape has the same sites. From the first fold's training cases, and whether
    intensities are on one scale from its validation cases as well."""
    training = cases_of(survey, split.train)
    size = plan_size(training, longest_side=settings.data.longest_side)
    window = plan_window(size, settings.data.patch_side)
    widths = plan_widths(window, base_width=settings.network.base_width, most_levels=settings.network.most_levels)
    network = plan_network(settings.network, widths, axes=len(window), channels=training[0].channels, labels=len(survey.labels))
    window = fit_size(network, window)
    # A side that is cut into patches need not fit the network; one that is not is the patch.
    size = tuple(max(side, shown) if settings.data.patch_side else shown for side, shown in zip(size, window, strict=True))
    normalisation = settings.data.normalisation
    if normalisation == "auto":
        seen = cases_of(survey, (*split.train, *split.validation))
        normalisation = "data_set" if on_common_scale(seen) else "case"
    return Frame(size=size, window=window, normalisation=normalisation, network=network, widths=widths)


def plan_run(frame: Frame, survey: Survey, split: Split, settings: Settings, *, source: str, seed: int) -> RunConfig:
    """The plain run on a fold: intensities, and the spacing of elements, are those of its own training cases."""
    preparation = plan_preparation(
        cases_of(survey, split.train),
        size=frame.size,
        patch=None if frame.window == frame.size else frame.window,
        normalisation=frame.normalisation,
    )
    loss = settings.loss
    if loss.boundary_weight and loss.spacing_mm is None:
        loss = replace(loss, spacing_mm=preparation.spacing_mm)
    loss.arms(max(frame.network.classes, 2))
    check_spacing(loss.spacing_mm, len(frame.size))
    return RunConfig(
        data=source,
        fold=split.fold,
        seed=seed,
        labels=survey.labels,
        preparation=preparation,
        network=frame.network,
        standardise_logits=settings.standardise_logits,
        loss=loss,
        training=settings.training,
    )


def cases_of(survey: Survey, names: Sequence[str]) -> list[CaseSummary]:
    """The cases of those names."""
    by_name = {case.name: case for case in survey.cases}
    return [by_name[name] for name in names]


def check_foreground(survey: Survey, split: Split) -> None:
    """Raises DataError for a label that no training case has, and for a side to validate or test on without foreground."""
    sides = {side: cases_of(survey, getattr(split, side)) for side in ("train", "validation", "test")}
    faults = []
    if not any(case.foreground for case in sides["train"]):
        faults.append(
            f"{survey.source}: every mask of the {len(sides['train'])} training cases is empty; expected foreground in some. "
            "Check how the masks were exported (0 and 255)."
        )
    else:
        for number, label in enumerate(survey.labels, start=1):
            if not any(len(case.label_pixels) > number and case.label_pixels[number] for case in sides["train"]):
                faults.append(
                    f"{survey.source}: none of the {len(sides['train'])} training cases has the label {label}; expected some. "
                    "Take the label out of its table, add cases, or deal anew with another split.seed."
                )
        faults += [
            f"{survey.source}: every mask of the {len(sides[side])} {side} cases is empty; expected foreground in some. "
            "Deal anew with another split.seed, or mend the official split."
            for side in ("validation", "test")
            if not any(case.foreground for case in sides[side])
        ]
    if faults:
        raise DataError(faults)


def plan_window(size: tuple[int, ...], patch_side: int | None) -> tuple[int, ...]:
    """What the network sees at a time: the whole, or as much of it as patch_side allows along each axis."""
    return size if patch_side is None else tuple(min(side, patch_side) for side in size)


def plan_network(settings: NetworkSettings, widths: Sequence[int], *, axes: int, channels: int, labels: int) -> NetworkConfig:
    """The network of these channels a level, for images with so many spatial axes."""
    planned = plan_arguments(settings.name, widths=widths)
    return NetworkConfig(
        name=settings.name,
        spatial_dims=axes,  # type: ignore[arg-type]  # 1 to 3, as Preparation sees to
        in_channels=channels,
        classes=count_channels(labels),
        arguments={**planned, **settings.arguments},
        stages=settings.stages,
        skips=settings.skips,
        own_gates=settings.own_gates,
    )


def fit_size(config: NetworkConfig, size: tuple[int, ...]) -> tuple[int, ...]:
    """The size, or the nearest that the network takes: many halve their input and want every side to be a multiple of 2^n.

    Raises ShapeError where no such size is within a quarter of every side.
    """
    network = build_host(config)
    refusals: list[ShapeError] = []
    for multiple in MULTIPLES:
        fitted = tuple(max(round(side / multiple), 1) * multiple for side in size)
        if any(abs(new - old) * 4 > old for new, old in zip(fitted, size, strict=True)):
            continue
        try:
            check_forward(network, (config.in_channels, *fitted), classes=config.classes)
        except ShapeError as error:
            refusals.append(error)
        else:
            return fitted
    raise refusals[0]


def plan_attention(config: RunConfig, gates: Sequence[str], tell: Tell = ignore) -> tuple[dict[str, str], dict[str, str]]:
    """Kind of gate by site, for every site where it could do something; and the reason by site, where it could not.

    Raises SettingError where no site is left. tell: hears of each site that is left out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = build_host(config.network)
    candidates = find_candidates(config, network)
    layout = plan_layout(candidates, gates)
    try:
        dead = find_dead_sites(network, gates, candidates=candidates, image_shape=config.image_shape)
    except ShapeError as error:
        tell(str(error))
        dead = {}
    for name, reason in dead.items():
        tell(f"no attention at {name}, where {layout[name]} could do nothing: {reason}.")
    alive = {name: gate for name, gate in layout.items() if name not in dead}
    if not alive:
        names = ", ".join(site.name for site in candidates)
        raise SettingError(
            f"No site of {config.network.name} takes {' or '.join(gates)}; it has {names}. "
            f"Name other gates ({', '.join(GATES)}) or other places."
        )
    return alive, dead


def plan_single_kind(config: RunConfig, gate: str, tell: Tell = ignore) -> dict[str, str]:
    """That kind of gate at every site where it could do something, and nothing else: gates of the host's own stay as they are.

    Raises SettingError where it fits nowhere.
    """
    layout = {site: kind for site, kind in plan_attention(config, (gate,), tell)[0].items() if kind == gate}
    if not layout:
        raise SettingError(
            f"{gate!r} could do something at no site of {config.network.name}; expected a kind of gate that fits. "
            f"Name another ({', '.join(GATES)}), or leave it out."
        )
    return layout


def claim_split(folder: Path, ground: Groundwork, tell: Tell = ignore) -> None:
    """Writes splits.json: names of cases by fold and part, the group of each, and a digest of every pixel; then remarks.

    Raises SettingError where the folder has one that differs: its trainings saw other data.
    """
    path, content = folder / SPLITS, json.dumps(describe_split(ground), indent=1) + "\n"
    if not path.exists():
        write_text(path, content)
    elif path.read_text(encoding="utf-8") != content:
        raise SettingError(
            f"{path}: the data of {ground.survey.source} or its split has changed since; give another --out, "
            f"or remove {folder} to start anew."
        )
    for remark in ground.remarks:
        tell(remark)


def describe_split(ground: Groundwork) -> dict[str, Any]:
    """The content of splits.json."""
    digest = hashlib.sha256()
    for case in ground.survey.cases:
        digest.update(f"{case.name}\0{ground.groups[case.name]}\0{case.digest}{case.mask_digest}".encode())
    return {
        "schema": SCHEMA,
        "data": ground.survey.source,
        "sha256": digest.hexdigest(),
        "folds": [asdict(split) for split in ground.splits],
        "groups": dict(ground.groups),
    }
