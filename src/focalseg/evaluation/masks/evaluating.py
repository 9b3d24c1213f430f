"""Predicted masks scored against true ones: opened, paired, looked at, scored, and told."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from focalseg.counting import Count, count_for_nobody
from focalseg.errors import DataError, SettingError
from focalseg.evaluation.masks.folders import MaskFolder, name_of_mask, open_masks
from focalseg.evaluation.masks.labelling import Labelling, find_regions, settle_declared, settle_values
from focalseg.evaluation.masks.pairing import PairedCase, pair_masks
from focalseg.evaluation.masks.reading import build_readers
from focalseg.evaluation.masks.scoring import LookedAt, Sides, look_at_pairs, score_pairs
from focalseg.evaluation.masks.settings import EvaluationSettings, read_wanted_labels
from focalseg.evaluation.masks.strata import summarise_labels, summarise_strata
from focalseg.evaluation.masks.summary import find_worst, list_cases, summarise_score
from focalseg.evaluation.masks.wording import Facts, describe_answer, describe_methods, list_notes
from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.folders.files import list_files
from focalseg.imagesets.kinds import list_names
from focalseg.imagesets.splits import regroup
from focalseg.metrics.case import DEFAULT_TOLERANCE
from focalseg.metrics.emptiness import DEFAULT_EMPTY, Empty
from focalseg.metrics.surfaces import DEFAULT_SURFACE, SurfaceKind
from focalseg.records.scores.evaluation import EvaluationRecord

MOST_FAULTS = 20
"""So many are told at once."""
GroupsOf = Callable[[Sequence[str]], Mapping[str, str] | None]
"""The groups of cases by their names, None where nobody says."""


def evaluate(  # noqa: PLR0913
    predicted: str | Path,
    reference: str | Path,
    *,
    groups: Mapping[str, str] | None = None,
    group_pattern: str | None = None,
    labels: Sequence[str] = (),
    spacing_mm: Sequence[float] | float | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE,
    empty: Empty = DEFAULT_EMPTY,
    surface: SurfaceKind = DEFAULT_SURFACE,
    ignore: int | None = None,
    inside: str | Path | None = None,
    lesions: bool = False,
    cldice: bool = False,
    partial: bool = False,
) -> EvaluationRecord:
    """Scores a folder of predicted masks against the true ones, case by case; prints as the summary, worst cases first.

    predicted, reference: folders of masks of the same names, pictures or NIfTI, or sets in a known layout, whose masks are
    taken. groups: by case, what belongs together, such as the patient; group_pattern: what finds it in their names. labels:
    `NAME`, `NAME=VALUE` or `NAME=1+2` for a region; all by default. spacing_mm: of pictures; volumes say theirs. inside: a
    folder of masks of where scores count. partial: leaves out cases without a prediction. The others as `metrics.measure`.

    Raises SettingError for a call that makes no sense, DataError for masks that cannot be scored, with every fault.

    >>> import focalseg, numpy, tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for side, start in (("true", 10), ("found", 12)):
    ...     (folder / side).mkdir()
    ...     mask = numpy.zeros((64, 64), numpy.uint8)
    ...     mask[10:40, start : start + 30] = 255
    ...     Image.fromarray(mask).save(folder / side / "case_1.png")
    >>> round(focalseg.evaluate(folder / "found", folder / "true").summary["dice"].mean, 3)
    0.933
    """
    given = spacing_mm if spacing_mm is None or isinstance(spacing_mm, Sequence) else (spacing_mm,)
    settings = EvaluationSettings(
        empty=empty,
        tolerance_mm=tolerance_mm,
        surface=surface,
        ignore=ignore,
        spacing_mm=None if given is None else tuple(map(float, given)),
        lesions=lesions,
        cldice=cldice,
        labels=read_wanted_labels(labels),
        partial=partial,
    )
    if groups is not None and group_pattern is not None:
        raise SettingError("groups and group_pattern both say what belongs together; expected one of the two.")

    def find(names: Sequence[str]) -> Mapping[str, str] | None:
        return groups if group_pattern is None else regroup(names, [], pattern=group_pattern)

    return evaluate_masks(
        str(predicted), str(reference), settings, groups_of=find, inside=None if inside is None else Path(inside)
    )


def evaluate_masks(
    predicted: str,
    reference: str,
    settings: EvaluationSettings,
    *,
    groups_of: GroupsOf = lambda _names: None,
    inside: Path | None = None,
    count: Count = count_for_nobody,
    workers: int | None = None,
) -> EvaluationRecord:
    """The same from settings. groups_of: asked once the names are known; count: hears how far it is."""
    _refuse_same(predicted, reference)
    mine, theirs = open_masks(predicted), open_masks(reference)
    _raise([*mine.faults, *theirs.faults])
    pairing = pair_masks(mine, theirs, partial=settings.partial)
    names = [pair.name for pair in pairing.pairs]
    said = groups_of(names)
    groups = _settle_groups(names, said if said is not None else {name: theirs.groups[name] for name in names if theirs.groups})
    one, other, labels = build_readers(mine, theirs, ignore=settings.ignore, named=settings.values)
    if settings.ignore is not None and labels:
        _refuse_ignore(mine if theirs.coding is None else theirs)
    sides = Sides(predicted=one, reference=other, views={} if inside is None else _find_views(inside, pairing.pairs))
    looks = look_at_pairs(pairing.pairs, sides, settings, count=count, workers=workers)
    labelling = _settle_labels(looks, labels, mine if theirs.coding is None else theirs, settings)
    unit, elements = _choose_unit(looks, settings)
    measures = score_pairs(pairing.pairs, sides, settings, labelling, count=count, workers=workers)
    facts = Facts(
        pairing=pairing,
        settings=settings,
        labels=tuple(labelling.labels),
        groups=groups,
        known=len(set(groups.values())) < len(names) or said is not None,
        unit=unit,
        views=sum(pair.name in sides.views or pair.reference.field_of_view is not None for pair in pairing.pairs),
        measures=measures,
    )
    notes = (*mine.notes, *theirs.notes, *labelling.notes, *_tell_marks(looks))
    return record_scores(predicted, reference, facts, notes, elements)


def record_scores(predicted: str, reference: str, facts: Facts, notes: Sequence[str], elements: str) -> EvaluationRecord:
    """What was found as a record. elements: what masks are made of."""
    settings, measures = facts.settings, facts.measures
    names = [pair.name for pair in facts.pairing.pairs]
    groups = [facts.groups[name] for name in names]
    cases = list_cases(names, facts.groups, measures, settings.scores)
    strata = summarise_strata(measures, groups)
    summary = {score: summarise_score(score, measures, groups, settings.empty) for score in settings.scores}
    return EvaluationRecord(
        predicted=predicted,
        reference=reference,
        sentence=describe_answer(summary["dice"], facts, strata),
        labels=tuple(facts.labels),
        scores=settings.scores,
        cases=cases,
        summary=summary,
        strata=strata,
        strata_by_label=summarise_labels(measures, groups),
        worst=find_worst(cases),
        groups=len(set(groups)),
        unit="mm" if facts.unit == "mm" else "pixels",
        tolerance_mm=float(settings.tolerance_mm),
        surface=settings.surface,
        elements="voxels" if elements == "voxels" else "pixels",
        empty=settings.empty,
        missing=facts.pairing.missing,
        unused=facts.pairing.unused,
        notes=(*notes, *list_notes(facts)),
        methods=describe_methods(facts),
    )


def _refuse_same(predicted: str, reference: str) -> None:
    """Raises SettingError where both are one folder: every score would be perfect, and tell nothing."""
    one, other = Path(predicted), Path(reference)
    if one.exists() and other.exists() and one.resolve() == other.resolve():
        raise SettingError(
            f"{show_path(one)} is both the predictions and the reference, so that every score would be perfect; expected two "
            "folders. Give the predicted masks first, then the true ones."
        )


def _refuse_ignore(declared: MaskFolder) -> None:
    where = show_path(declared.coding.table) if declared.coding and declared.coding.table else show_path(declared.path)
    raise SettingError(
        f"--ignore says what nobody judged, and {where} says already what the values of masks are; expected that table to name "
        "it, as void or ignore. Add it there, or leave --ignore out."
    )


def _settle_groups(names: Sequence[str], said: Mapping[str, str]) -> dict[str, str]:
    """The group of every case, its own name where nobody says any. Raises DataError where some have one and others not."""
    if not said:
        return {name: name for name in names}
    found = {name: said.get(name, said.get(name.rpartition("/")[2], "")) for name in names}
    if lacking := [name for name in names if not found[name]]:
        raise DataError(
            f"{counted(len(lacking), 'case')} of {len(names)} without a group: {list_names(lacking)}; expected one for every "
            "case. Add them to the groups; a case that stands alone has its own name."
        )
    return {name: str(group) for name, group in found.items()}


def _find_views(inside: Path, pairs: Sequence[PairedCase]) -> dict[str, Path]:
    """The mask of where scores count of every case. Raises DataError where one has none."""
    if not inside.is_dir():
        raise SettingError(f"No folder {show_path(inside)}; expected masks of where scores count. Check --inside.")
    listed = list_files(inside)
    _raise([finding for finding in listed.findings if finding.level == "error"])
    found = {}
    for pair in pairs:
        stems = (pair.name, pair.name.rpartition("/")[2], name_of_mask(pair.reference), name_of_mask(pair.predicted))
        if (stem := next((stem for stem in stems if stem in listed.files), None)) is not None:
            found[pair.name] = listed.files[stem]
    if lacking := [pair.name for pair in pairs if pair.name not in found]:
        raise DataError(
            f"{show_path(inside)}: has no mask of {counted(len(lacking), 'case')} ({list_names(lacking)}); expected one for "
            "every case, of its name. Add them, or leave --inside out."
        )
    return found


def _settle_labels(
    looks: Sequence[LookedAt], names: Sequence[str], declared: MaskFolder, settings: EvaluationSettings
) -> Labelling:
    """The labels to score. Raises DataError with every fault of every mask."""
    faults = [fault for look in looks for fault in look.faults]
    mine = [look.predicted for look in looks if look.predicted is not None]
    theirs = [look.reference for look in looks if look.reference is not None]
    if names:
        wanted = find_regions(declared.regions, settings.labels)
        labelling = settle_declared(names, None if declared.by_file else declared.coding, wanted, mine)
    elif len(theirs) == len(looks):
        labelling = settle_values(mine, theirs, settings.labels, ignore=settings.ignore)
    else:  # labels that no mask that can be read has are in those that cannot
        labelling = Labelling(labels={})
    _raise([*faults, *labelling.faults])
    return labelling


def _choose_unit(looks: Sequence[LookedAt], settings: EvaluationSettings) -> tuple[str, str]:
    """The unit of distances and what masks are made of. Raises SettingError where volumes and --spacing disagree."""
    volumes = sum(look.spacing_mm is not None for look in looks)
    if settings.spacing_mm is not None and volumes == len(looks):
        raise SettingError("--spacing is of pictures, and these masks are volumes, which say theirs. Leave --spacing out.")
    if settings.spacing_mm is None and 0 < volumes < len(looks):
        raise DataError(
            f"{counted(volumes, 'mask')} of {len(looks)} are volumes with sizes in mm and the others pictures without; "
            "expected one unit for all distances. Add --spacing for the pictures, or score the two apart."
        )
    axes = {len(look.reference.shape) for look in looks if look.reference is not None}
    return "mm" if volumes or settings.spacing_mm is not None else "pixels", "voxels" if axes == {3} else "pixels"


def _tell_marks(looks: Sequence[LookedAt]) -> list[str]:
    """Masks that have another value for the one label than the table of the set."""
    marks = [look.note for look in looks if look.note]
    if not marks:
        return []
    return [f"{counted(len(marks), 'mask')} hold {marks[0]} for the one label of the set: what is not 0 is that label."]


def _raise(faults: Sequence[str | Finding]) -> None:
    if faults:
        told: list[str | Finding] = list(dict.fromkeys(faults))
        more = len(told) - MOST_FAULTS
        raise DataError(
            [*told[:MOST_FAULTS], *([f"There are {more} more faults than these; mend these first."] if more > 0 else [])]
        )
