"""evaluation.json: what predicted masks scored against true ones, case by case and on average."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from focalseg.configuration import CheckedConfig, setting, to_mapping
from focalseg.findings import counted, show_name
from focalseg.records.outcome.strata import ArmStratum
from focalseg.records.record import Record, write_json
from focalseg.records.scores.emptiness import describe_empty, show_stratum, title_stratum

EVALUATION = "evaluation.json"
WORST = 5
"""Cases that are named first, by what they scored."""
MOST_WORST = 50
"""Of the worst cases so many are in the record."""
MAIN = ("dice", "iou", "precision", "recall", "nsd", "hd95", "assd")
"""Scores that are printed; the tables have them all."""
FEW = ("dice", "iou", "nsd", "hd95")
"""Scores in tables that have a column for each."""
_FEWEST = ("dice", "nsd", "hd95")
TITLES = {
    "dice": "Dice", "iou": "IoU", "precision": "Precision", "recall": "Recall", "specificity": "Specificity", "nsd": "NSD",
    "hd95": "HD95", "hd": "HD", "assd": "ASSD", "masd": "MASD", "volume_difference": "Volume difference",
    "relative_volume_difference": "Relative volume difference", "lesion_f1": "Lesion F1", "lesion_recall": "Lesion recall",
    "lesion_precision": "Lesion precision", "cldice": "clDice",
}  # fmt: skip
"""How a score is called where people read it, as `focalseg compare` calls it, too."""


@dataclass(frozen=True, kw_only=True)
class CaseScores:
    """The scores of one label of one case; None where a score is not defined, or was not asked for.

    group: what the case belongs to, its own name where it stands alone. true_pixels, predicted_pixels: sizes of the masks.
    """

    case: str
    label: str
    group: str
    dice: float | None
    iou: float | None
    precision: float | None
    recall: float | None
    specificity: float | None
    nsd: float | None
    hd95: float | None
    hd: float | None
    assd: float | None
    masd: float | None
    volume_difference: float | None
    relative_volume_difference: float | None
    true_pixels: int
    predicted_pixels: int
    lesion_f1: float | None = None
    lesion_recall: float | None = None
    lesion_precision: float | None = None
    cldice: float | None = None

    def get(self, score: str) -> float | None:
        """A score by its name."""
        value: float | None = getattr(self, score)
        return value


@dataclass(frozen=True, kw_only=True)
class LabelMean(CheckedConfig):
    """A mean score with its 95 % interval and what it rests on. mean: None where no case has the score; low, high: None where
    nothing bounds it, since one group tells nothing of others.

    counted, left_out: cases in the mean, and those that have no such score. both_empty, one_empty: cases, counted or not, in
    which both masks or one of them is empty; of the mean over labels, labels of cases. empty: what such cases count.
    """

    mean: float | None
    low: float | None
    high: float | None
    counted: int = setting(at_least=0)
    left_out: int = setting(at_least=0)
    both_empty: int = setting(at_least=0)
    one_empty: int = setting(at_least=0)
    empty: Literal["one", "zero", "leave-out"] = "one"

    def __str__(self) -> str:
        if self.mean is None:
            return "none"
        low, high = ("unknown" if end is None else show_score(end) for end in (self.low, self.high))
        return f"{show_score(self.mean)} [{low}, {high}]"


@dataclass(frozen=True, kw_only=True)
class ScoreSummary(LabelMean):
    """The same of a score over all labels, each case counting with the mean over its labels. labels: by label alone."""

    labels: Mapping[str, LabelMean]


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord(CheckedConfig, Record):
    """All that was found. predicted, reference: as they were given. sentence: the answer in a line.

    cases: by case and label, in the order of the reference. summary: by score. worst: numbers in `cases`, the worst first.
    unit: of distances, mm or pixels; tolerance_mm: of NSD, in that unit; surface: its definition; empty: what empty masks
    score. groups: how many. missing: cases without a prediction that were left out; unused: predictions without a reference.
    scores: the names of those that were computed. elements: what masks are made of.
    notes: what is to be known; methods: a paragraph for a paper. strata: by the names of `records.outcome.strata.STRATA`, what
    is reached on cases that have the object and on those that lack it, whatever empty masks score; strata_by_label: the same of
    every label, where there are several.
    """

    made_by = "`focalseg evaluate`"
    again = "run `focalseg evaluate` again"

    schema: int = 1
    predicted: str
    reference: str
    sentence: str
    labels: tuple[str, ...]
    scores: tuple[str, ...]
    cases: tuple[CaseScores, ...]
    summary: Mapping[str, ScoreSummary]
    worst: tuple[int, ...] = ()
    groups: int = setting(at_least=1)
    unit: Literal["mm", "pixels"]
    tolerance_mm: float = setting(at_least=0)
    surface: Literal["surfels", "voxels"]
    elements: Literal["pixels", "voxels"] = "pixels"
    empty: Literal["one", "zero", "leave-out"]
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    methods: str = ""
    strata: Mapping[str, ArmStratum] = field(default_factory=dict)
    strata_by_label: Mapping[str, Mapping[str, ArmStratum]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data: cases with the scores that were asked for alone."""
        plain = to_mapping(dataclasses.replace(self, cases=()))
        kept = self.columns
        return {**plain, "cases": [{name: getattr(case, name) for name in kept} for case in self.cases]}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what is known of every case, in the order of a table."""
        return ("case", "label", "group", *self.scores, "true_pixels", "predicted_pixels")

    @property
    def number_of_cases(self) -> int:
        """How many cases were scored, each with all labels."""
        return len(self.cases) // len(self.labels)

    def save(self, path: str | Path) -> None:
        """Writes the evaluation as JSON."""
        write_json(Path(path), self.to_json(), indent=self.indent)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.sentence
        yield ""
        yield from self._list_means()
        yield from self._list_strata()
        yield ""
        yield "worst first"
        several = len(self.labels) > 1
        for place in self.worst[:WORST]:
            case = self.cases[place]
            label = f", {show_name(case.label)}" if several else ""
            yield f"  {show_optional(case.dice)}  {show_name(case.case)}{label}: {self._describe(case)}"
        if not self.worst:
            yield "  no case has a Dice"
        yield from (f"note: {note}" for note in self.notes)
        yield f"empty masks (--empty {self.empty}): {describe_empty(self.empty)}"
        yield f"methods: {self.methods}"

    def _list_means(self) -> Iterator[str]:
        several = len(self.labels) > 1
        over = "mean over labels" if several else show_name(self.labels[0])
        blocks: list[tuple[str, str, LabelMean]] = [
            (over if number == 0 else "", score, self.summary[score])
            for number, score in enumerate(filter(self._is_printed, dict.fromkeys(MAIN + self.scores)))
        ]
        if several:
            blocks += [
                (show_name(label) if score == _FEWEST[0] else "", score, self.summary[score].labels[label])
                for label in self.labels
                for score in _FEWEST
            ]
        head = ("", "", "mean [95 % interval]", "counted", "left out", "both empty", "one empty")
        rows = [list(head)] + [
            [name, self.name_score(score), str(mean)]
            + [str(number) for number in (mean.counted, mean.left_out, mean.both_empty, mean.one_empty)]
            for name, score, mean in blocks
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            first = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
            rest = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
            yield f"  {'  '.join(first + rest)}".rstrip()

    def _list_strata(self) -> Iterator[str]:
        """What is reached on each kind of case: over the labels of a case, and of every label."""
        several = {show_name(label): strata for label, strata in self.strata_by_label.items()}
        for label, strata in {"": self.strata, **several}.items():
            for name, found in strata.items():
                where = f"{label}: " if label else ""
                yield f"  {where}{title_stratum(name)}, {counted(found.cases, 'case')}: {show_stratum(found)}"

    def _is_printed(self, score: str) -> bool:
        """Whether a score is one of the main ones, or was asked for; those come after the main ones."""
        return score in self.scores and (score in MAIN or score.startswith("lesion") or score == "cldice")

    def _describe(self, case: CaseScores) -> str:
        if case.predicted_pixels == case.true_pixels == 0:
            return "both masks are empty"
        if case.predicted_pixels == 0:
            return f"nothing predicted of {case.true_pixels:,} {self.elements}"
        if case.true_pixels == 0:
            return f"{case.predicted_pixels:,} {self.elements} predicted where nothing is"
        return (
            f"HD95 {show_optional(case.hd95)} {self.unit}, {case.predicted_pixels:,} {self.elements} predicted of "
            f"{case.true_pixels:,}"
        )

    def name_score(self, score: str) -> str:
        """A score as people call it, with its unit or its tolerance."""
        title = TITLES[score]
        if score in ("hd95", "hd", "assd", "masd"):
            return f"{title} ({self.unit})"
        return f"{title} at {show_length(self.tolerance_mm, self.unit)}" if score == "nsd" else title


def show_length(length: float, unit: str) -> str:
    """A length with its unit: 1 pixel, 2 pixels, 1 mm."""
    return f"{length:g} {'pixel' if unit == 'pixels' and length == 1 else unit}"


def show_score(value: float) -> str:
    """A score with three digits after the point, and large ones with fewer."""
    return f"{value:z.3f}" if abs(value) < 100 else f"{value:,.1f}"


def show_optional(value: float | None) -> str:
    """A score, or that there is none."""
    return "none" if value is None else show_score(value)
