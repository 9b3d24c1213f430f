"""Folds: how cases are dealt out, which folds are tested, and what a person should know of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from focalseg.errors import SettingError
from focalseg.evaluation.statistics import FEW_GROUPS
from focalseg.findings import counted
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.splits import check_leaks, read_splits, regroup, split_by_group, split_officially
from focalseg.imagesets.survey.duplicates import join_groups
from focalseg.imagesets.survey.survey import Survey
from focalseg.records.splits import Split
from focalseg.study.presets import SplitSettings


def plan_splits(dataset: Dataset, survey: Survey, settings: SplitSettings) -> tuple[tuple[Split, ...], Mapping[str, str]]:
    """The folds: those of a given file, the official ones of the set, or new ones by group; and the group of each case.

    Raises DataError where they leak.
    """
    names = [case.name for case in survey.cases]
    groups = find_groups(dataset, survey, column=settings.group_column, pattern=settings.group_pattern)
    parts, foreground = [case.part for case in survey.cases], [case.foreground for case in survey.cases]
    ordered = [groups[name] for name in names]
    if settings.file:
        splits = read_splits(Path(settings.file), names)
    elif any(parts):
        splits = split_officially(names, ordered, parts, folds=settings.folds, seed=settings.seed, foreground=foreground)
    else:
        splits = split_by_group(names, ordered, folds=settings.folds, seed=settings.seed, foreground=foreground)
    identical = {names for names, pair in zip(survey.duplicates, survey.pairs, strict=True) if pair.identical}
    for split in splits:
        check_leaks(split, groups, survey.duplicates, identical)
    return splits, groups


def find_groups(dataset: Dataset, survey: Survey, *, column: str | None, pattern: str | None) -> Mapping[str, str]:
    """What belongs together, by case: as the set says, or a column of its table, or a pattern on the names; near duplicates are
    joined. Raises SettingError and DataError as `regroup` does."""
    if not column and not pattern:
        return survey.groups
    names = [case.name for case in survey.cases]
    columns = [files.columns if (files := dataset.files(case.number)) else {} for case in survey.cases]
    chosen = regroup(names, columns, column=column or "", pattern=pattern or "")
    return join_groups(names, [chosen[name] for name in names], survey.pairs)


def take_all(survey: Survey) -> Split:
    """Every case to train on, those of an official test part among them, and none to validate or test on."""
    return Split(fold=0, train=tuple(case.name for case in survey.cases), validation=(), test=())


def choose_folds(splits: Sequence[Split], settings: SplitSettings) -> tuple[Split, ...]:
    """The folds that are tested. Raises SettingError where there are fewer.

    Where an official test part is the same in every fold, its cases are scored once a fold; they stay what they are, since a
    case counts with its group, to which all of its scores belong: the estimate is then the mean over the folds.
    """
    if settings.test_folds > len(splits):
        raise SettingError(
            f"split.test_folds was {settings.test_folds}; the split has {counted(len(splits), 'fold')}. "
            "Test fewer, or raise split.folds, which counts for data without an official validation part."
        )
    return tuple(splits[: settings.test_folds])


def describe_sides(splits: Sequence[Split], groups: Mapping[str, str]) -> str:
    """How many cases are on each side, in one sentence; of several folds the sides of the first, and how many are tested."""
    split = splits[0]
    if not split.test:
        return f"all {counted(len(split.train), 'case')} are trained on; none is left to validate or to test on."
    sides = {"to train on": split.train, "to validate on": split.validation, "to test on": split.test}
    counts = ", ".join(f"{len(names)} {purpose}" for purpose, names in sides.items())
    among, tested = (len({groups[name] for name in names}) for names in (sum(sides.values(), ()), split.test))
    of_groups = f" ({counted(tested, 'group')})" if tested < len(split.test) else ""
    every = f"; {len(splits)} folds like this one are tested in turn" if len(splits) > 1 else ""
    total = sum(map(len, sides.values()))
    return f"{total} cases in {counted(among, 'group')} that stay together: {counts}{of_groups}{every}."


def remark_few_groups(tested: Sequence[Split], splits: Sequence[Split], groups: Mapping[str, str]) -> list[str]:
    """What to expect where an interval rests on few groups, and the mend where other folds would test others."""
    few, every = (len({groups[name] for split in some for name in split.test}) for some in (tested, splits))
    if few >= FEW_GROUPS:
        return []
    shows = "which shows no difference however large" if few == 1 else "which makes wide intervals"
    more = f"; --set split.test_folds={len(splits)} tests all {every}" if every > few else ""
    return [f"the test cases are of {counted(few, 'group')}, {shows}{more}."]
