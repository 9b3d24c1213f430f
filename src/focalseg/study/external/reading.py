"""Another set of images as it is scored: read whole, held beside the networks, what they saw of it known, and grouped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from focalseg.comparison.reading.csv_files import read_groups
from focalseg.errors import DataError, SettingError
from focalseg.findings import counted, show_path
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.kinds import list_names
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.duplicates import join_groups
from focalseg.imagesets.survey.survey import Survey, cap_faults, survey_dataset
from focalseg.records.splits import Splits
from focalseg.study.external.fitting import find_fit
from focalseg.study.external.overlap import Overlap, find_overlap, leave_out_seen
from focalseg.study.external.scoring import ScoredSet
from focalseg.study.planning.folds import find_groups
from focalseg.study.running.cases import open_source
from focalseg.study.running.listeners import Listeners
from focalseg.training.run import RunConfig

_OF_SPLITS = frozenset({"leak", "no_part"})
"""Kinds of findings on the parts of an official split, which nobody asks for here: all cases are scored."""
_UNKNOWN = "the split that the networks were trained on is not beside them, so that nobody looked for images that they know."


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person wants. rivals: the job's other arms besides none, all and placed. leave_out_seen: score the cases that the
    networks never saw, where some are known to them.

    groups, group_column, group_pattern: what belongs together, by a CSV file with case and group, a column of the set's table,
    or a pattern on the names. own_network: the name of a network of their own that they trust.
    """

    rivals: bool = False
    leave_out_seen: bool = False
    groups: str = ""
    group_column: str = ""
    group_pattern: str = ""
    own_network: str = ""


WHOLE = Wanted()
"""All cases, in the groups that the set says."""


@dataclass(frozen=True, kw_only=True)
class ReadSet:
    """A set that was read. scored: what of it is scored. notes: what a person should know; left_out: by case, why it is."""

    scored: ScoredSet
    notes: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def grouped(self) -> bool:
        """Whether any cases belong together."""
        return len(set(self.scored.groups.values())) < len(self.scored.names)


def read_set(
    source: str,
    configs: Sequence[RunConfig],
    wanted: Wanted,
    listeners: Listeners,
    *,
    splits: Splits | None,
    folds: Sequence[int],
) -> ReadSet:
    """Reads every case of a set for networks of these configs. splits: of the job that they are of, where it is known; folds:
    those of it that they were trained on. Raises DataError for a set at fault, that does not fit, or that they know."""
    open_source.cache_clear()  # the folder may have been mended since this process last listed it
    dataset = open_dataset(source)
    survey = survey_dataset(dataset, listeners.count)
    if errors := [error for error in survey.errors if error.kind not in _OF_SPLITS]:
        raise DataError(cap_faults(errors, source))
    fit = find_fit(survey, configs)
    groups = _find_groups(dataset, survey, wanted)
    overlap = Overlap() if splits is None else find_overlap(survey, splits, folds, listeners.count)
    left_out = leave_out_seen(survey, groups, overlap, asked=wanted.leave_out_seen)
    names = tuple(case.name for case in survey.cases if case.name not in left_out)
    on = ScoredSet(
        source=source,
        names=names,
        groups={name: groups[name] for name in names},
        digests={case.name: case.case_digest for case in survey.cases if case.name not in left_out},
        fit=fit,
    )
    left = (f"{counted(len(left_out), 'case')} left out: {_explain(left_out)}.",) if left_out else ()
    unknown = (_UNKNOWN,) if splits is None else ()
    notes = (_describe_set(on, survey), *fit.notes, *overlap.notes, *unknown, *left)
    return ReadSet(scored=on, notes=notes, left_out=left_out)


def _find_groups(dataset: Dataset, survey: Survey, wanted: Wanted) -> Mapping[str, str]:
    """What belongs together, near duplicates joined. Raises SettingError where it is said in two ways, or not of every case."""
    said = [name for name in ("groups", "group_column", "group_pattern") if getattr(wanted, name)]
    if len(said) > 1:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in said)
        raise SettingError(f"{options} all say what belongs together; expected one of them. Leave the others out.")
    if not wanted.groups:
        return find_groups(dataset, survey, column=wanted.group_column, pattern=wanted.group_pattern)
    names, given = [case.name for case in survey.cases], read_groups(Path(wanted.groups))
    if lacking := [name for name in names if name not in given]:
        raise SettingError(
            f"--groups {show_path(wanted.groups)} has no line for {len(lacking)} of the {len(names)} cases: "
            f"{list_names(lacking)}; expected a group for every case. Add them."
        )
    return join_groups(names, [given[name] for name in names], survey.pairs)


def _explain(left_out: Mapping[str, str]) -> str:
    """Why, of the first of them."""
    name, why = next(iter(left_out.items()))
    return f"{name} {why}"


def _describe_set(on: ScoredSet, survey: Survey) -> str:
    """How many cases are scored, in how many groups."""
    among = len(set(on.groups.values()))
    whole = "" if len(on.names) == len(survey.cases) else f" of {len(survey.cases)}"
    return f"{counted(len(on.names), 'case')}{whole} in {counted(among, 'group')}, all of them scored."
