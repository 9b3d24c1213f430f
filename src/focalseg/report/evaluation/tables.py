"""An evaluation as tables: every case, and the means, for a spreadsheet and for LaTeX."""

from collections.abc import Iterator, Sequence

from focalseg.comparison.tables import CI, escape_latex, lay_latex, show_latex
from focalseg.records.escapes import format_table
from focalseg.records.estimate import Interval
from focalseg.records.scores.evaluation import FEW, EvaluationRecord, LabelMean

ALL_LABELS = "mean over labels"


def format_cases(record: EvaluationRecord) -> str:
    """A line per case and label, which `focalseg compare` reads."""
    rows: list[list[object]] = [[*record.columns, "tolerance", "unit"]]
    for case in record.cases:
        scores = ["" if (value := getattr(case, name)) is None else value for name in record.columns]
        rows.append([*scores, record.tolerance_mm, record.unit])
    return format_table(rows)


def format_summary(record: EvaluationRecord) -> str:
    """A line per label and score, with the counts beside every mean; then one per label and kind of case."""
    rows: list[list[object]] = [
        ["label", "score", "mean", "low", "high", "counted", "left_out", "both_empty", "one_empty", "empty"]
    ]
    for label, score, mean in _list_means(record):
        numbers = ["" if value is None else value for value in (mean.mean, mean.low, mean.high)]
        counts = [mean.counted, mean.left_out, mean.both_empty, mean.one_empty]
        rows.append([label, score, *numbers, *counts, mean.empty])
    whole = ALL_LABELS if len(record.labels) > 1 else record.labels[0]
    for label, strata in {whole: record.strata, **record.strata_by_label}.items():
        for name, found in strata.items():
            ends = ["" if value is None else value for value in (found.value, found.low, found.high)]
            rows.append([label, name, *ends, found.cases, "", "", "", ""])
    return format_table(rows)


def _list_means(record: EvaluationRecord) -> Iterator[tuple[str, str, LabelMean]]:
    """Label, score and mean: first over the labels, where there are several, then of each."""
    for label in (*((ALL_LABELS,) if len(record.labels) > 1 else ()), *record.labels):
        for score in record.scores:
            summary = record.summary[score]
            yield label, score, summary if label == ALL_LABELS else summary.labels[label]


def format_latex(record: EvaluationRecord) -> str:
    """The main scores as a LaTeX table, a line per label; needs no package."""
    shown = [score for score in FEW if score in record.scores]
    header = ["Label", *(f"{escape_latex(record.name_score(score))} {CI}" for score in shown), "Cases"]
    return lay_latex(header, _list_latex(record, shown))


def _list_latex(record: EvaluationRecord, shown: Sequence[str]) -> Iterator[list[str]]:
    means = {(label, score): mean for label, score, mean in _list_means(record)}
    for label in (*record.labels, *((ALL_LABELS,) if len(record.labels) > 1 else ())):
        yield [escape_latex(label), *(_show_latex(means[label, score]) for score in shown), str(means[label, "dice"].counted)]


def _show_latex(mean: LabelMean) -> str:
    return "--" if mean.mean is None else show_latex(Interval(mean=mean.mean, low=mean.low, high=mean.high))
