"""Every case of a set looked at once: what it is, what is wrong with it, and what the planning of a run needs to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from focalseg.counting import Count, count_for_nobody
from focalseg.errors import DataError
from focalseg.findings import Finding, counted
from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.dataset import is_volume
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.marks import choose_marks
from focalseg.imagesets.masks import VOID
from focalseg.imagesets.survey.comparison import (
    describe_duplicates,
    describe_void,
    find_labels,
    find_marks,
    find_oddities,
    find_unlike,
)
from focalseg.imagesets.survey.duplicates import Pair, find_duplicates, join_groups
from focalseg.imagesets.survey.intensities import find_odd_intensities
from focalseg.imagesets.survey.memory import Memory, Reading
from focalseg.imagesets.survey.repairs import settle_repairs
from focalseg.imagesets.survey.summary import CaseSummary, summarise

MOST_FAULTS = 100
"""At most so many lines of errors are printed by a command other than check."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What every case of a set tells. labels: names of the foreground labels. groups: by case name, near duplicates joined.

    pairs: cases whose images are the same or nearly so, by their place in cases. findings: all of them, errors first.
    observer_dice: mean Dice of the second observer's masks against the first's, where the set has both. marks: what stands for
    the background and for each label in the masks, as `marks.choose_marks` gives it.
    """

    source: str
    layout: str
    labels: tuple[str, ...]
    cases: tuple[CaseSummary, ...]
    groups: dict[str, str]
    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    observer_dice: float | None = None
    marks: tuple[str, ...] = ()

    @property
    def void(self) -> bool:
        """Whether any pixel of any case was judged by nobody."""
        return any(case.void_pixels for case in self.cases)

    @property
    def duplicates(self) -> tuple[tuple[str, str], ...]:
        """Pairs of near duplicates by the names of their cases."""
        return tuple((self.cases[pair.first].name, self.cases[pair.second].name) for pair in self.pairs)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the set from being used."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are legal and noteworthy."""
        return tuple(finding for finding in self.findings if finding.level == "note")


def survey_dataset(dataset: Dataset, count: Count = count_for_nobody) -> Survey:
    """Reads every case once, one at a time, and keeps what is to be known of them. Raises nothing for faulty data."""
    memory, readings = Memory(dataset), []
    with count("reading the cases") as advance:
        for number in range(len(dataset)):
            readings.append(memory.read(number, partial(_read, dataset)))
            advance(number + 1, len(dataset))
    memory.save()
    findings = [*dataset.findings, *(finding for reading in readings for finding in reading.findings)]
    cases = [reading.case for reading in readings if reading.case]
    agreements = [agreement for reading in readings for agreement in reading.agreement]
    if not len(dataset) and not findings:
        findings.append(KINDS["empty_folder"].at(dataset.source, "holds no images"))
    groups = {case.name: case.group for case in cases}
    with count("comparing the images") as advance:
        pairs = find_duplicates([case.signature for case in cases], [case.digest for case in cases], advance)
    labels, strange = find_labels(cases, dataset.labels, dataset.label_table)
    marks = find_marks(cases)
    refused = {finding.file for finding in marks}  # of which nothing is to be done is not said beside an error
    findings = [finding for finding in findings if not (finding.kind == "colour_mask" and finding.file in refused)]
    unlike = find_unlike(cases)
    # What is told to be of another number type or with other channels is on another scale for that reason.
    told = {finding.file for finding in unlike}
    odd = [finding for finding in find_odd_intensities(cases) if finding.file not in told]
    findings += [*unlike, *marks, *strange, *find_oddities(cases), *odd]
    findings += describe_void(cases, dataset.void, dataset.label_table)
    findings += describe_duplicates(cases, pairs, groups)
    return Survey(
        source=dataset.source,
        layout=dataset.layout,
        labels=labels,
        cases=tuple(cases),
        groups=join_groups([case.name for case in cases], [case.group for case in cases], pairs),
        pairs=tuple(pairs),
        findings=tuple(sorted(settle_repairs(dataset, findings), key=lambda finding: finding.level != "error")),
        observer_dice=float(np.mean(agreements)) if agreements else None,
        marks=choose_marks(
            dataset.marks,
            len(labels),
            [case.marks for case in cases],
            volumes=any(is_volume(Path(case.mask_file)) for case in cases),
        ),
    )


def survey_nothing(source: str, findings: Sequence[Finding]) -> Survey:
    """What is known of a source that could not be opened."""
    return Survey(source=source, layout="", labels=(), cases=(), groups={}, pairs=(), findings=tuple(findings))


def _read(dataset: Dataset, number: int) -> Reading:
    """What comes of reading one case."""
    try:
        case = dataset.read_case(number)
        agreement = _compare_observers(dataset, number, case)
    except DataError as error:
        return Reading(case=None, findings=error.findings)
    part = dataset.parts[number] if dataset.parts else ""
    summary = summarise(case, number=number, part=part, files=dataset.files(number))
    return Reading(case=summary, findings=case.notes, agreement=tuple(agreement))


def _compare_observers(dataset: Dataset, number: int, case: Case) -> list[float]:
    """Dice of the second observer's foreground against the first's, both being empty counting 1; empty without a second."""
    second = dataset.read_second_mask(number)
    if second is None:
        return []
    if second.shape != case.mask.shape:
        files = dataset.files(number)
        path = files.second_observer if files and files.second_observer else case.name
        sizes = [" x ".join(map(str, reversed(shape))) for shape in (second.shape, case.mask.shape)]
        raise DataError(KINDS["sizes_differ"].at(path, f"is {sizes[0]} pixels but its image is {sizes[1]}"))
    # What either observer leaves open says nothing on whether they agree.
    judged = (case.mask != VOID) & (second != VOID)
    one, other = (case.mask > 0) & judged, (second > 0) & judged
    total = int(one.sum()) + int(other.sum())
    return [2 * int((one & other).sum()) / total if total else 1.0]


def summarise_notes(notes: Sequence[Finding]) -> list[str]:
    """One line per kind of note, naming the first few files, so that five hundred empty masks do not hide a constant image.

    What needs a look comes first.
    """
    by_kind: dict[str, list[Finding]] = {}
    for note in sorted(notes, key=lambda note: note.quiet):
        by_kind.setdefault(note.kind, []).append(note)
    lines = []
    for kind, alike in by_kind.items():
        several = f"{len(alike)} x {KINDS[kind].title}: {list_names([note.file for note in alike])}; see focalseg check."
        lines.append(several if len(alike) > 1 else str(alike[0]))
    return lines


def cap_faults(errors: Sequence[Finding], source: str) -> list[str | Finding]:
    """The first errors and, where there are more, a line that says where the others are listed."""
    more = [f"{counted(len(errors) - MOST_FAULTS, 'more error')} in {source}; run focalseg check {source} for all of them."]
    return [*errors[:MOST_FAULTS], *(more if len(errors) > MOST_FAULTS else [])]
