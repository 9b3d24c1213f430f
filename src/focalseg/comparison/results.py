"""Systems compared from what lies on disk, as the command line compares them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from focalseg.comparison.comparing import compare_systems, take_names
from focalseg.comparison.reading.grouping import group_by_pattern
from focalseg.comparison.reading.opening import open_paths
from focalseg.comparison.systems import list_cases
from focalseg.errors import SettingError
from focalseg.findings import show_value
from focalseg.records.outcome.claims import Claim
from focalseg.records.scores.comparison import Better, ComparisonRecord

OnePath = str | os.PathLike[str]


def compare_results(  # noqa: PLR0913 - the options of `focalseg compare`
    systems: Mapping[str, OnePath | Sequence[OnePath]],
    *,
    groups: Mapping[str, str] | None = None,
    group_pattern: str | None = None,
    metric: str | None = None,
    better: Better | None = None,
    margin: float | None = None,
    difference: float | None = None,
    empty: str | None = None,
    labels: Sequence[str] = (),
    claim: Claim | None = None,
) -> ComparisonRecord:
    """Compares systems with the first of them, from their files: what `focalseg compare` does, and the same record.

    systems: by name, the path of the results of each, or several, one per training: whatever docs/comparing.md lists, such as
    result folders of nnU-Net, jobs and runs of ours, or CSV files. A CSV file that names several systems names them itself.
    groups, better, margin, difference: as in `focalseg.compare`. group_pattern: a regular expression that finds the group in
    the name of a case. metric: by default Dice, or the one that the files have; of trainings of ours that over the cases with
    the object. empty: one (default), zero or leave-out. labels: those to compare, all by default. claim: as in
    `focalseg.compare`; by default a job's own.

    Raises SettingError and DataError as the command does, with every fault of every path.

    >>> import tempfile, pathlib, focalseg
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name, dice in {"plain": (0.81, 0.74, 0.66), "gated": (0.85, 0.79, 0.70)}.items():
    ...     lines = [f"{case},{score}" for case, score in zip("abc", dice)]
    ...     _ = (folder / f"{name}.csv").write_text("case,dice\\n" + "\\n".join(lines))
    >>> found = focalseg.compare_results({"plain": folder / "plain.csv", "gated": folder / "gated.csv"})
    >>> found.metric, found.comparisons[0].verdict, round(found.comparisons[0].difference.mean, 3)
    ('Dice', 'better', 0.043)
    """
    if not isinstance(systems, Mapping):
        raise SettingError(f"systems was {show_value(systems)}; expected a mapping from the name of a system to its paths.")
    if groups is not None and group_pattern is not None:
        raise SettingError("groups and group_pattern both say what belongs together; expected one of the two. Leave one out.")
    opened = open_paths(
        [(str(name), _take_paths(str(name), paths)) for name, paths in systems.items()],
        metric=metric,
        better=better,
        margin=margin,
        difference=difference,
        empty=empty,
        labels=labels,
        claim=claim,
    )
    known = take_names("groups", groups) if groups is not None else None
    if group_pattern is not None:
        known = group_by_pattern(list_cases(opened.systems), group_pattern)
    return compare_systems(opened.systems, opened.settings, groups=known, notes=opened.notes).record


def _take_paths(name: str, paths: Any) -> list[Path]:
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(given, Sequence) or not given or not all(isinstance(path, str | os.PathLike) for path in given):
        raise SettingError(
            f"The system {show_value(name)} was {show_value(paths)}; expected a path or several, one per training. For scores "
            "at hand call focalseg.compare."
        )
    return [Path(path) for path in given]
