"""Tables for a spreadsheet and for LaTeX: of the systems of a comparison, and of every score that it rests on."""

import re
from collections.abc import Iterable, Iterator, Sequence

from focalseg.comparison.known_metrics import is_known
from focalseg.comparison.pairing import Paired
from focalseg.records.escapes import format_table
from focalseg.records.estimate import Interval
from focalseg.records.scores.comparison import ComparisonRecord

_SYSTEM_COLUMNS = (
    "system", "mean", "low", "high", "cases", "trainings", "difference", "difference_low", "difference_high", "p_value",
    "holm_p", "smallest_difference", "verdict",
)  # fmt: skip
CI = r"[95\,\% CI]"
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def format_systems(record: ComparisonRecord) -> str:
    """One line per system as CSV: its mean with its interval, and how it compares with the reference. Empty: not known."""
    pairs = {pair.other: pair for pair in record.comparisons}
    rows: list[list[object]] = [list(_SYSTEM_COLUMNS)]
    for name, system in record.systems.items():
        row: list[object] = [name, system.mean, system.low, system.high, system.cases, system.trainings]
        if pair := pairs.get(name):
            row += [pair.difference.mean, pair.difference.low, pair.difference.high, pair.p_value, pair.holm_p]
            row += [pair.smallest_difference, pair.verdict]
        row += [None] * (len(_SYSTEM_COLUMNS) - len(row))
        rows.append(["" if cell is None else cell for cell in row])
    return format_table(rows)


def format_cases(paired: Paired, metric: str) -> str:
    """Every score that was compared as CSV, a line per system, training and case, which `focalseg compare` reads again."""
    rows: list[list[object]] = [["system", "case", "group", "fold", "seed", metric if is_known(metric) else "score"]]
    for name, table in paired.tables.items():
        for number, scores in enumerate(table.tolist()):
            for case, group, fold, score in zip(paired.cases, paired.groups, paired.folds, scores, strict=True):
                rows.append([name, case, group, paired.fold_names[fold], number, score])
    return format_table(rows)


def format_latex(record: ComparisonRecord) -> str:
    """The same as `format_systems` as a LaTeX table, three digits; needs no package."""
    several = record.family > 1
    metric = escape_latex(record.metric)
    header = ["System", rf"{metric} {CI}", f"Difference {CI}", f"{'Adjusted ' if several else ''}$p$"]
    return lay_latex(header, _list_latex(record))


def _list_latex(record: ComparisonRecord) -> Iterator[list[str]]:
    pairs = {pair.other: pair for pair in record.comparisons}
    for name, system in record.systems.items():
        pair = pairs.get(name)
        difference = show_latex(pair.difference, signs=True) if pair else "reference"
        yield [escape_latex(name), show_latex(system), difference, "" if pair is None else _show_latex_p(pair.holm_p)]


def lay_latex(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A LaTeX table that needs no package, the first column to the left; what is in a cell is LaTeX already."""
    lines = [r"\begin{tabular}{l" + "c" * (len(header) - 1) + "}", r"\hline", " & ".join(header) + r" \\", r"\hline"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def show_latex(interval: Interval, *, signs: bool = False) -> str:
    """A mean with its interval, three digits; signs: whether it is a difference."""
    mean, low, high = (
        "unknown" if value is None else f"${value:{'+' if signs else ''}z.3f}$"
        for value in (interval.mean, interval.low, interval.high)
    )
    return f"{mean} [{low}, {high}]"


def _show_latex_p(value: float) -> str:
    """A p-value, three digits; what is smaller says so."""
    return "$<0.001$" if value < 0.001 else f"${value:.3f}$"


def escape_latex(text: str) -> str:
    """A name as it stands in LaTeX, which then shows it and runs nothing of it."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    return re.sub(r"[\\{}$&#%_~^<>]", lambda found: _LATEX[found[0]], visible)
