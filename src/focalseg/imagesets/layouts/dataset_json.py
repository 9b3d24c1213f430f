"""`dataset.json`, as the Medical Segmentation Decathlon has it and as nnU-Net has it in its two versions."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from focalseg.errors import DataError
from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.folders.files import cut_suffix, find_name_fault
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.masks import MOST_LABELS, MaskCoding

TABLE = "dataset.json"
_LABELS_EXPECTED = '"labels": {"0": "background", "1": "a name", ...} or {"background": 0, "a name": 1, ...}, without gaps'
_CHANNELS_EXPECTED = '{"0": "a name", "1": ...}, numbered without gaps'
_MOST_CHANNELS = 100


def read_labels(content: Mapping[str, Any], path: Path) -> MaskCoding:
    """Names of the labels 1 and on, whose numbers are the masks' values. Raises DataError, also for nnU-Net's regions."""
    table = content.get("labels")
    if not isinstance(table, Mapping) or not table:
        raise _fault(path, "names no labels", _LABELS_EXPECTED)
    numbered = all(name.isascii() and name.isdecimal() for name in table)
    named = dict(table) if numbered else {}
    if not numbered:
        for name, number in table.items():
            if isinstance(number, list):
                raise _fault(path, f"has a region, {name[:40]!r}, of several labels", "a number for each label, no regions")
            if name.lower() == "ignore":
                found = "has a label 'ignore', for pixels that nobody judged"
                raise _fault(path, found, "a label for every pixel", "Take the cases out that use it, and the label.")
            if named.setdefault(str(number), name) != name:
                raise _fault(
                    path, f"gives the labels {named[str(number)][:40]!r} and {name[:40]!r} one number", _LABELS_EXPECTED
                )
    names = [named.get(str(number)) for number in range(len(named))]
    if not all(isinstance(name, str) and name.strip() and name.isprintable() for name in names):
        raise _fault(path, f"has the labels {ascii(dict(table))[:80]}", _LABELS_EXPECTED)
    if len(set(names)) < len(names):
        raise _fault(path, "has two labels of one name", "labels of different names")
    if not 2 <= len(names) <= MOST_LABELS + 1:
        raise _fault(path, f"names {counted(len(names) - 1, 'label')} besides the background", f"1 to {MOST_LABELS}")
    values = {number: number for number in range(len(names))}
    return MaskCoding(labels=tuple(map(str, names[1:])), values=values, table=str(path))


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
        raise DataError(KINDS["outside"].at(path, f"lists {show_path(name)} for training"))
    if name.parts[:-1] != ("imagesTr",) or find_name_fault(name.name):
        expected = '"training": [{"image": "./imagesTr/case_1.nii.gz", "label": "./labelsTr/case_1.nii.gz"}, ...]'
        raise _fault(path, f"lists {ascii(entry)[:80]} for training", expected)
    return cut_suffix(name.name)[0]


def _count_cases(stems: Sequence[str]) -> str:
    return f"{len(stems):,} cases that are" if len(stems) > 1 else "1 case that is"


def _fault(path: Path, found: str, expected: str, mend: str = "Mend the file.") -> DataError:
    return DataError(KINDS["bad_table"].at(path, found, expected=expected, mend=mend))
