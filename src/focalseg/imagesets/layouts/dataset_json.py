"""`dataset.json`, as the Medical Segmentation Decathlon has it and as nnU-Net has it in its two versions."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, show_name
from focalseg.imagesets.folders.files import cut_suffix, find_name_fault
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.masks import MOST_LABELS, VOID, MaskCoding, names_void

TABLE = "dataset.json"
_LABELS_EXPECTED = '"labels": {"0": "background", "1": "a name", ...} or {"background": 0, "a name": 1, ...}, without gaps'
_CHANNELS_EXPECTED = '{"0": "a name", "1": ...}, numbered without gaps'
_MOST_CHANNELS = 100


def read_labels(content: Mapping[str, Any], path: Path) -> MaskCoding:
    """Names of the labels 1 and on, whose numbers are the masks' values. Raises DataError, also for nnU-Net's regions.

    A label `ignore`, as nnU-Net calls it, or void, unlabeled and the like, is none: nobody judged it. It may have any number.
    """
    table = content.get("labels")
    if not isinstance(table, Mapping) or not table:
        raise _fault(path, "names no labels", _LABELS_EXPECTED)
    named, void = _sort_labels(table, path)
    left_open = sorted(map(int, void))
    numbers = list(itertools.islice((number for number in itertools.count() if number not in left_open), len(named)))
    names = [named.get(str(number)) for number in numbers]
    if not all(isinstance(name, str) and name.strip() and name.isprintable() for name in names):
        raise _fault(path, f"has the labels {ascii(dict(table))[:80]}", _LABELS_EXPECTED)
    if len(set(names)) < len(names):
        raise _fault(path, "has two labels of one name", "labels of different names")
    background = 0 not in left_open
    labels = names[1:] if background else names
    if not 1 <= len(labels) <= MOST_LABELS:
        raise _fault(path, f"names {counted(len(labels), 'label')} besides the background", f"1 to {MOST_LABELS}")
    if not background and len(labels) == 1:
        found = f"says that {void['0']} is what nobody judged, which leaves {labels[0]} without a background"
        mend = "Call it background if somebody judged that nothing is there."
        raise _fault(path, found, "a number for the background of a single label", mend)
    values = {value: label for label, value in enumerate(numbers, start=0 if background else 1)}
    return MaskCoding(
        labels=tuple(map(str, labels)),
        values=values | dict.fromkeys(left_open, VOID),
        table=str(path),
        void=tuple(dict.fromkeys(void.values())),
    )


def read_regions(content: Mapping[str, Any], path: Path) -> tuple[MaskCoding, dict[str, tuple[int, ...]]] | None:
    """nnU-Net's regions, each of several values, by name, and how the masks are written; None where there are none.

    Every value of a region is a label, called by its number, and `ignore` is what nobody judged. Raises DataError.
    """
    table = content.get("labels")
    if not isinstance(table, Mapping) or not any(isinstance(value, list) for value in table.values()):
        return None
    expected = '"labels": {"background": 0, "whole": [1, 2], "core": 2, ...} with whole numbers from 1 on'
    regions: dict[str, tuple[int, ...]] = {}
    for name, value in table.items():
        numbers = tuple(value) if isinstance(value, list) else (value,)
        if not numbers or not all(type(number) is int and 0 <= number < VOID for number in numbers) or not name.isprintable():
            raise _fault(path, f"gives the label {name[:40]!r} the number {ascii(value)[:40]}", expected)
        regions[name] = tuple(dict.fromkeys(numbers))
    void = {name: regions.pop(name)[0] for name in list(regions) if names_void(name) and len(regions[name]) == 1}
    regions = {name: numbers for name, numbers in regions.items() if numbers != (0,)}
    values = sorted({number for numbers in regions.values() for number in numbers})
    if not values or 0 in values or set(values) & set(void.values()):
        raise _fault(path, f"has the labels {ascii(dict(table))[:80]}", expected)
    coding = MaskCoding(
        labels=tuple(map(str, values)),
        values={0: 0} | {value: label for label, value in enumerate(values, start=1)} | dict.fromkeys(void.values(), VOID),
        table=str(path),
        void=tuple(void),
    )
    return coding, regions


def _sort_labels(table: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Names by number, of labels and of what nobody judged. Raises DataError for what cannot be told apart."""
    numbered = all(name.isascii() and name.isdecimal() for name in table)
    named: dict[str, Any] = {}
    void: dict[str, str] = {}
    for key, value in table.items():
        name, number = (value, key) if numbered else (key, value)
        if isinstance(number, list):
            raise _fault(path, f"has a region, {name[:40]!r}, of several labels", "a number for each label, no regions")
        left_open = isinstance(name, str) and names_void(name)
        if left_open and not re.fullmatch(r"0|[1-9][0-9]{0,4}", str(number)):
            raise _fault(path, f"gives the label {name[:40]!r} the number {ascii(number)[:40]}", "a whole number from 0 on")
        among, others = (void, named) if left_open else (named, void)
        if among.setdefault(str(number), name) != name or str(number) in others:
            one = str(named.get(str(number), void.get(str(number))))
            two = name if name != one else str(void[str(number)])
            raise _fault(path, f"gives the labels {one[:40]!r} and {two[:40]!r} one number", _LABELS_EXPECTED)
    return named, void


def read_channels(content: Mapping[str, Any], path: Path, key: str) -> tuple[str, ...]:
    """Names of the channels, from `channel_names` or `modality`. Raises DataError."""
    table = content.get(key)
    names = [table.get(str(number)) for number in range(len(table))] if isinstance(table, Mapping) else []
    if not 1 <= len(names) <= _MOST_CHANNELS or not all(isinstance(name, str) and name.isprintable() for name in names):
        shown = ascii(table)[:80]
        raise _fault(path, f"has {shown} as {key}" if key in content else f"has no {key}", f'"{key}": {_CHANNELS_EXPECTED}')
    return tuple(map(str, names))


def check_count(content: Mapping[str, Any], path: Path, *, whole: int, every: int) -> list[Finding]:
    """Whether `numTraining` is the number of cases. whole, every: cases with image and labels, and with either of them."""
    count = content.get("numTraining")
    if count is None:
        return []
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return list(_fault(path, f"has {ascii(count)[:40]} as numTraining", "a whole number").findings)
    if whole <= count <= every:
        return []
    mend = f"Add what is missing, or write {every}."
    found = f"says that there are {count:,} training cases, but {every:,} are there"
    return [KINDS["wrong_count"].at(path, found, expected="the number of cases", mend=mend)]


def check_list(content: Mapping[str, Any], path: Path, found: Collection[str]) -> list[Finding]:
    """Whether `training` lists the cases that are there, each once. found: their stems."""
    entries = content.get("training")
    if entries is None:
        return []
    try:
        listed = Counter(_read_stem(entry, path) for entry in (entries if isinstance(entries, list) else [entries]))
    except DataError as error:
        return list(error.findings)
    if twice := [stem for stem, count in listed.items() if count > 1]:
        fault = _fault(path, f"lists {list_names(twice)} more than once for training", "each case once", "Take a line out.")
        return list(fault.findings)
    findings = []
    if absent := sorted(listed.keys() - set(found)):
        found_text = f"lists {_count_cases(absent)} not there: {list_names(absent)}"
        findings.append(KINDS["wrong_count"].at(path, found_text, expected="the cases that are there"))
    if unlisted := sorted(set(found) - listed.keys()):
        found_text = f"does not list {_count_cases(unlisted)} there: {list_names(unlisted)}"
        mend = "Add to the list or take out."
        findings.append(KINDS["wrong_count"].at(path, found_text, expected="every case", mend=mend))
    return findings


def _read_stem(entry: Any, path: Path) -> str:
    """The stem of the image that an entry of `training` names; its labels have the same name."""
    image = entry.get("image") if isinstance(entry, Mapping) else None
    name = PurePosixPath(image) if isinstance(image, str) else PurePosixPath()
    if name.is_absolute() or ".." in name.parts:
        raise DataError(KINDS["outside"].at(path, f"lists {show_name(str(name))} for training"))
    if name.parts[:-1] != ("imagesTr",) or find_name_fault(name.name):
        expected = '"training": [{"image": "./imagesTr/case_1.nii.gz", "label": "./labelsTr/case_1.nii.gz"}, ...]'
        raise _fault(path, f"lists {ascii(entry)[:80]} for training", expected)
    return cut_suffix(name.name)[0]


def _count_cases(stems: Sequence[str]) -> str:
    return f"{len(stems):,} cases that are" if len(stems) > 1 else "1 case that is"


def _fault(path: Path, found: str, expected: str, mend: str = "Mend the file.") -> DataError:
    return DataError(KINDS["bad_table"].at(path, found, expected=expected, mend=mend))
