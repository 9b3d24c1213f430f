"""Splits that keep together what belongs together: made, as published, as a person gives them, and looked over for leaks."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from focalseg.catalogue import unknown_name_message
from focalseg.errors import DataError, SettingError
from focalseg.findings import Finding, counted, show_path, show_value
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.name_patterns import find_in_names
from focalseg.json_files import DepthError, parse_json
from focalseg.records.splits import Split
from focalseg.text_files import NoSmallFileError, TooLargeError, read_bounded

SIDES = ("train", "validation", "test")
MOST_BYTES = 32 << 20
_MOST_LEAKS = 20
_MOST_FAULTS = 20
_DEALS = 20
_LEAST_FOLDS = 3
_FEWER_FOLDS = "Add cases of other groups or ask for fewer folds (split.folds, at least 3)."
_MORE_GROUPS = (
    "Add cases of other groups; where the groups are not what belongs together, say what does "
    "(split.group_pattern, split.group_column, or a column group in cases.csv)."
)


def split_by_group(
    names: Sequence[str], groups: Sequence[str], *, folds: int = 5, seed: int = 0, foreground: Sequence[float] | None = None
) -> tuple[Split, ...]:
    """`folds` splits in which every case is tested once, and validated once, in another fold.

    Groups are shuffled by the seed, then dealt largest first to the part that holds the fewest cases. foreground: each case's
    share of foreground pixels; of the parts with the fewest cases a group then goes to the one it brings nearest to the mean.
    An empty group is a case that stands alone. Raises DataError when there are fewer groups than folds.
    """
    if folds < 3:
        raise SettingError(f"{folds} folds were asked for; training, validation and test need at least 3 (split.folds).")
    members = _members(names, groups)
    if len(members) < folds:
        raise DataError(
            f"The data has {describe_groups(len(names), len(members))}; {folds} folds need {folds} groups. "
            + (_FEWER_FOLDS if len(members) >= _LEAST_FOLDS else _MORE_GROUPS)
        )
    parts = _divide(members, folds, seed, names, foreground)
    return tuple(_split(fold, parts[(fold + 1) % folds], parts[fold], names) for fold in range(folds))


def describe_groups(cases: int, groups: int) -> str:
    """Cases and groups in words."""
    together = "that stays together" if groups == 1 else "that stay together"
    return f"{counted(cases, 'case')} in {counted(groups, 'group')} {together}"


def split_officially(
    names: Sequence[str],
    groups: Sequence[str],
    parts: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
    foreground: Sequence[float] | None = None,
) -> tuple[Split, ...]:
    """The official split: one, where it has validation cases; else `folds` splits of its training cases, and the same test.

    parts: "train", "validation" or "test" of each case. Training cases are dealt as by `split_by_group`, each part being
    validated once. Leaks of the official split itself are `check_leaks`' matter. Raises DataError for cases without a part, for
    no training or no test cases, and for fewer training groups than folds.
    """
    if folds < 2:
        raise SettingError(f"{folds} folds were asked for; training and validation need at least 2 (split.folds).")
    sides = {side: [name for name, part in zip(names, parts, strict=True) if part == side] for side in ("", *SIDES)}
    lacking = [side for side in ("train", "test") if not sides[side]]
    if lacking:
        raise DataError(
            f"The official split of the {len(names)} cases has no {' and no '.join(lacking)} cases; expected both. "
            "Name them in its table, or have the cases divided by group instead."
        )
    if sides[""]:
        raise DataError(
            KINDS["bad_table"].at(
                sides[""][0],
                f"is without a part in the official split, as {len(sides[''])} of the {len(names)} cases are",
                expected="train, validation or test for every case",
                mend=f"Give each its part or take it out: {list_names(sides[''])}.",
                others=sides[""][1:],
            )
        )
    if sides["validation"]:
        return (_split(0, sides["validation"], sides["test"], names),)
    group_of = dict(zip(names, groups, strict=True))
    members = _members(sides["train"], [group_of[name] for name in sides["train"]])
    if len(members) < folds:
        raise DataError(
            f"The official training part has {describe_groups(len(sides['train']), len(members))}; "
            f"{folds} folds need {folds} groups. Ask for fewer folds (split.folds) or name validation cases."
        )
    dealt = _divide(members, folds, seed, names, foreground)
    return tuple(_split(fold, dealt[fold], sides["test"], names) for fold in range(folds))


def find_leaks(
    split: Split,
    groups: Mapping[str, str],
    duplicates: Iterable[tuple[str, str]] = (),
    identical: Collection[tuple[str, str]] = (),
) -> list[Finding]:
    """Every case that belongs to one on another side: by its image, or by its group. None are left out.

    groups: by case name; empty for a case that stands alone. duplicates: pairs of cases, by name, of nearly the same image;
    identical: those whose images are the same. Of a group on two sides each case off its largest side is named once a side.
    """
    side_of = {name: side for side in SIDES for name in getattr(split, side)}
    leaks: dict[frozenset[str], Finding] = {}

    def add(one: str, other: str, reason: str) -> None:
        if one in side_of and other in side_of and side_of[one] != side_of[other]:
            found = f"is in {side_of[one]} of fold {split.fold}, and {show_path(other)} with {reason} in {side_of[other]}"
            leaks.setdefault(frozenset((one, other)), KINDS["leak"].at(one, found, others=(other,)))

    for one, other in identical:
        add(one, other, "the same image")
    for one, other in duplicates:
        add(one, other, "nearly the same image")
    for (group, _), together in _members(list(side_of), [groups.get(name, "") for name in side_of]).items():
        count = Counter(side_of[name] for name in together)
        most = max(SIDES, key=lambda side: count[side])
        kept = next(name for name in together if side_of[name] == most)
        for name in together:
            add(name, kept, f"the same group `{show_path(group)}`")
    return list(leaks.values())


def check_leaks(
    split: Split,
    groups: Mapping[str, str],
    duplicates: Iterable[tuple[str, str]] = (),
    identical: Collection[tuple[str, str]] = (),
) -> None:
    """Raises DataError with the first leaks, and the number of the others."""
    leaks = find_leaks(split, groups, duplicates, identical)
    if leaks:
        more = [f"and {counted(len(leaks) - _MOST_LEAKS, 'more pair')}."] if len(leaks) > _MOST_LEAKS else []
        raise DataError([*leaks[:_MOST_LEAKS], *more])


def regroup(
    names: Sequence[str], columns: Sequence[Mapping[str, str]], *, column: str = "", pattern: str = ""
) -> dict[str, str]:
    """Groups by case name, as a person says: what a column of the set's table has, or a regular expression finds in the name.

    columns: each case's line of the table. pattern: its first group where it has one, else all that it matches. Raises
    SettingError for a column that is not there, for both or neither, and for a pattern that is none or does not match every
    name; DataError where cases lack a value.
    """
    if bool(column) == bool(pattern):
        raise SettingError("Groups come from a column or from a pattern on the names; give one of the two.")
    if column:
        known = list(dict.fromkeys(name for line in columns for name in line))
        if column not in known:
            if not known:
                raise SettingError(
                    f"No column named {show_value(column)}: the data has no table. Give a pattern on the names of the cases."
                )
            raise SettingError(unknown_name_message("column", column, known))
        found = {name: line.get(column, "").strip() for name, line in zip(names, columns, strict=True)}
        lacking = [name for name in names if not found[name]]
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(names)} cases have no value in the column {show_value(column)}: "
                f"{list_names(lacking)}. Fill it in, or take them out."
            )
        return found
    found = dict(zip(names, find_in_names(pattern, names), strict=True))
    lacking = [name for name in names if not found[name]]
    if lacking:
        raise SettingError(
            f"The pattern {show_value(pattern)} finds nothing in {len(lacking)} of {len(names)} names: {list_names(lacking)}. "
            "Change it so that it finds the group in every name."
        )
    return found


def read_splits(path: Path, names: Sequence[str]) -> tuple[Split, ...]:
    """The splits of a person's file: splits.json as a run writes it, or nnU-Net's splits_final.json with "test" beside "val".

    nnU-Net's own files have no test cases, and are refused with the mend: what chooses a network cannot judge it as well.
    Every fold must have all cases, each on one side. Raises DataError with every fault, each naming the file.
    """
    content = _read_json(path)
    folds = content.get("folds") if isinstance(content, dict) else content
    if not isinstance(folds, list) or not folds or not all(isinstance(fold, dict) for fold in folds):
        raise DataError(_fault(path, "has no folds"))
    if isinstance(content, dict) and content.get("schema", 1) != 1:
        raise DataError(_fault(path, f"has the schema {content['schema']!r:.40}", expected="schema 1"))
    if isinstance(content, list) and not any("test" in fold for fold in folds):
        raise DataError(
            _fault(
                path,
                'has "train" and "val" alone in every fold, as nnU-Net has it',
                expected='"test" beside them',
                mend='Move some cases of each fold to "test", which training never sees.',
            )
        )
    faults: list[Finding] = []
    splits = [_read_fold(path, number, fold, names, faults) for number, fold in enumerate(folds)]
    twice = [number for number, count in Counter(split.fold for split in splits).items() if count > 1]
    if twice:
        faults.append(_fault(path, f"has fold {twice[0]} twice", mend="Number the folds from 0."))
    if faults:
        more = [f"{show_path(path)}: and {len(faults) - _MOST_FAULTS} more faults."] if len(faults) > _MOST_FAULTS else []
        raise DataError([*faults[:_MOST_FAULTS], *more])
    return tuple(splits)


def _members(names: Sequence[str], groups: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    members: dict[tuple[str, str], list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        members.setdefault((group, "" if group else name), []).append(name)
    return members


def _split(fold: int, validation: Collection[str], test: Collection[str], names: Sequence[str]) -> Split:
    """The split in which all other cases are for training; those of each side stand in the order of names."""
    side_of = dict.fromkeys(names, "train") | dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")
    return Split(fold=fold, **{side: tuple(name for name in names if side_of[name] == side) for side in SIDES})


def _divide(
    members: Mapping[tuple[str, str], list[str]], folds: int, seed: int, names: Sequence[str], shares: Sequence[float] | None
) -> list[list[str]]:
    """Divides whole groups into `folds` parts; with shares of foreground, one per name, the most balanced of several deals."""
    random = np.random.default_rng(seed)
    lots = [list(members.values())[number] for number in random.permutation(len(members))]
    lots.sort(key=lambda lot: -len(lot))
    plain = _deal(lots, folds, dict.fromkeys((name for lot in lots for name in lot), 0.0))
    if shares is None:
        return plain
    foreground = dict(zip(names, shares, strict=True))
    # Strata of groups alike in size and foreground: each stratum gives one group to every part.
    alike = sorted(lots, key=lambda lot: (-len(lot), -sum(foreground[name] for name in lot)))
    strata = [alike[start : start + folds] for start in range(0, len(alike), folds)]
    tries = [plain]
    for _ in range(_DEALS):
        mixed = [stratum[number] for stratum in strata for number in random.permutation(len(stratum))]
        tries.append(_deal(sorted(mixed, key=lambda lot: -len(lot)), folds, foreground))
    return min(tries, key=lambda parts: np.ptp([np.mean([foreground[name] for name in part]) for part in parts]))


def _deal(lots: Sequence[list[str]], folds: int, foreground: Mapping[str, float]) -> list[list[str]]:
    """Deals each lot to a part with the fewest cases, among these to where mean foreground comes nearest to that of all."""
    mean = sum(foreground[name] for lot in lots for name in lot) / sum(map(len, lots))
    parts: list[list[str]] = [[] for _ in range(folds)]
    excess = [0.0] * folds
    for lot in lots:
        more = sum(foreground[name] - mean for name in lot)
        part = min(range(folds), key=lambda part: (len(parts[part]), abs(excess[part] + more)))
        parts[part].extend(lot)
        excess[part] += more
    return parts


def _fault(path: Path, found: str, *, expected: str = "", mend: str = "") -> Finding:
    return KINDS["bad_table"].at(
        path,
        found,
        expected=expected or 'splits such as {"folds": [{"fold": 0, "train": ["a"], "validation": ["b"], "test": ["c"]}]}',
        mend=mend or "Mend the file.",
    )


def _read_json(path: Path) -> Any:
    """The content of a JSON file. Raises DataError for what cannot be read, is too large, or is no strict JSON."""
    try:
        content = read_bounded(path, most_bytes=MOST_BYTES)
    except TooLargeError as error:
        raise DataError(_fault(path, str(error), expected=f"at most {MOST_BYTES // 2**20} MiB")) from error
    except (FileNotFoundError, NoSmallFileError) as error:
        found = str(error) if isinstance(error, NoSmallFileError) else "is no file"
        raise DataError(_fault(path, found, mend="Check the path.")) from error
    except (OSError, ValueError) as error:
        found = f"cannot be read ({error.strerror if isinstance(error, OSError) else error})"
        raise DataError(_fault(path, found, mend="Check the path and who may read it.")) from error
    try:
        return parse_json(content, constants_are="no JSON")
    except DepthError as error:
        raise DataError(_fault(path, "is nested too deeply")) from error
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(_fault(path, f"cannot be read as JSON ({reason})")) from error


def _read_fold(path: Path, number: int, fold: Mapping[str, Any], names: Sequence[str], faults: list[Finding]) -> Split:
    """One fold; what is wrong with it is added to the faults."""
    keys = {"val": "validation"} if "val" in fold and "validation" not in fold else {}
    fold = {keys.get(key, key): value for key, value in fold.items()}
    label = fold.get("fold", number)
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < 1000:
        faults.append(_fault(path, f"has a fold called {label!r:.40}", expected="a number from 0 to 999"))
        label = number
    unknown = [key for key in fold if key not in ("fold", *SIDES)]
    if unknown:
        faults.append(_fault(path, f"has {unknown[0]!r:.60} in fold {label}", expected=f"fold, {', '.join(SIDES)}"))
    known = set(names)
    sides: dict[str, tuple[str, ...]] = {}
    for side in SIDES:
        listed = fold.get(side)
        if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
            faults.append(_fault(path, f"has no cases in {side} of fold {label}", expected="a list of at least one case name"))
            listed = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        sides[side] = tuple(listed)
    count = Counter(name for side in sides.values() for name in side)
    complaints = (
        ("names cases that the data has not", set(count) - known, "Take them out or mend the names."),
        ("names cases more than once", {name for name in count if count[name] > 1}, "Leave each on one side."),
        ("leaves cases out", known - set(count), "Put each on one side, or take it out of the data."),
    )
    for found, cases, mend in complaints:
        if cases:
            shown = list_names([name[:200] for name in sorted(cases)])
            where = f"{found} in fold {label} ({len(cases)}: {shown})"
            faults.append(_fault(path, where, expected="every case on one side", mend=mend))
    return Split(fold=label, **sides)
