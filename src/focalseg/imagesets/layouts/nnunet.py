"""Raw data of nnU-Net (Isensee et al. 2021, Nature Methods 18:203-211), as its versions 1 and 2 have it.

Official: a file per channel, `imagesTr/CASE_0000.nii.gz` on, labels in `labelsTr/CASE.nii.gz`, `dataset.json`. Version 2 has
`channel_names`, `labels` (number by name), `file_ending`; version 1 `modality` and `labels` (name by number), always .nii.gz. A
colour picture may be one file of three channels. `imagesTs/` is not looked at. Its splits are no part of the raw data. The
folder above, `nnUNet_raw/` with a `Dataset001_NAME/` for each set, is recognised, so that one of them is asked for.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from focalseg.errors import DataError
from focalseg.findings import Finding, show_path
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import (
    PICTURES,
    SUFFIXES,
    FolderFiles,
    cut_suffix,
    find_file,
    find_folders,
    list_files,
    list_folders,
    list_names_in,
)
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import Nearest
from focalseg.imagesets.folders.tables import attempt, read_json
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.layouts.dataset_json import TABLE, check_count, read_channels, read_labels
from focalseg.imagesets.masks import VOID, MaskCoding

TITLE = "nnU-Net raw data"
EXPECTED = "dataset.json, imagesTr/ with a file a channel (case_1_0000.png) and labelsTr/ (case_1.png)"
IMAGES, LABELS = "imagesTr", "labelsTr"
_CHANNEL_NAME = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})", re.ASCII)
_SET_NAME = re.compile(r"(Dataset\d{3}|Task\d{2,3})_.+", re.ASCII | re.IGNORECASE)
_FIRST_VERSION_ENDING = ".nii.gz"
_UNKNOWN = MaskCoding(labels=None, values={number: number for number in range(VOID + 1)})
"""The coding where the table is at fault: every value is accepted, so that no mask is blamed for it."""
_COLOURS = 3
"""Channels of a colour picture, which may be in one file."""


def recognise(folder: Path) -> bool:
    """The layout is marked by `imagesTr/CASE_0000...` whose labels are `labelsTr/CASE...`, without the channel's number."""
    images, labels = find_folders(folder, IMAGES), find_folders(folder, LABELS)
    if not images or not labels:
        return bool(_find_sets(folder))
    names = {cut_suffix(name)[0] for name in list_names_in(labels[0])}
    matches = (_CHANNEL_NAME.fullmatch(cut_suffix(name)[0]) for name in list_names_in(images[0]))
    return any(match["case"] in names and match[0] not in names for match in matches if match)


def read(folder: Path) -> Listing:
    """Cases with a file for each channel."""
    if sets := _find_sets(folder):
        return Listing(cases=(), findings=(_one_of(folder, sets),))
    images, labels = (list_files(find_folders(folder, name)[0], SUFFIXES, root=folder) for name in (IMAGES, LABELS))
    findings: list[Finding] = [*images.findings, *labels.findings]
    if blank := [files.empty_finding() for files in (images, labels) if files.blank]:
        return Listing(cases=(), findings=(*findings, *blank))
    path = find_file(folder, TABLE) or folder / TABLE
    content = attempt(findings, read_json, path)
    coding, channels, ending = _read_table(content, path, findings) if content is not None else (_UNKNOWN, None, None)
    by_case = _sort_channels(images, ending, findings)
    masks = {stem: file for stem, file in labels.files.items() if _has_ending(file, ending, findings)}
    cases = _match(by_case, masks, images, labels, channels, findings)
    if content is not None and images.listed and labels.listed:
        at_fault = {_case_of(stem) for stem in images.left_out} | labels.left_out
        every = by_case.keys() | labels.files.keys() | at_fault
        findings += check_count(content, path, whole=len(cases), every=len(every))
    return Listing(cases=tuple(cases), coding=coding, findings=tuple(findings), channels=len(channels) if channels else None)


def _find_sets(folder: Path) -> list[Path]:
    """The data sets in the folder above them."""
    if find_folders(folder, IMAGES):
        return []
    return [place for place in list_folders(folder) if _SET_NAME.fullmatch(place.name) and find_folders(place, IMAGES)]


def _one_of(folder: Path, sets: list[Path]) -> Finding:
    count = f"{len(sets)} data sets" if len(sets) > 1 else "a data set"
    found = f"is the folder above {count} of nnU-Net or the Decathlon: {list_names(place.name for place in sets)}"
    mend = f"Give one of them as the data, such as {show_path(sets[0])}." if len(sets) > 1 else f"Give {show_path(sets[0])}."
    return KINDS["empty_folder"].at(folder, found, expected=f"the folder that holds {IMAGES}/", mend=mend)


def _read_table(
    content: Mapping[str, Any], path: Path, findings: list[Finding]
) -> tuple[MaskCoding, tuple[str, ...] | None, str | None]:
    """Labels, channels and ending; None for what the table does not say as it should."""
    key = "modality" if "modality" in content and "channel_names" not in content else "channel_names"
    coding = attempt(findings, read_labels, content, path) or _UNKNOWN
    channels = attempt(findings, read_channels, content, path, key)
    ending = attempt(findings, _read_ending, content, path, _FIRST_VERSION_ENDING if key == "modality" else "")
    return coding, channels, ending


def _read_ending(content: Mapping[str, Any], path: Path, default: str) -> str:
    ending = content.get("file_ending", default)
    if isinstance(ending, str) and ending.lower() in SUFFIXES:
        return ending
    found = f"has the file_ending {ascii(ending)[:40]}" if ending else "has no file_ending"
    expected, mend = f'"file_ending": one of {", ".join(SUFFIXES)}', "Mend the file, and convert the images where need be."
    raise DataError(KINDS["bad_table"].at(path, found, expected=expected, mend=mend))


def _has_ending(file: Path, ending: str | None, findings: list[Finding]) -> bool:
    """Whether a file has the table's ending; else a finding is added."""
    if ending is None or cut_suffix(file.name)[1].lower() == ending.lower():
        return True
    found, mend = f"does not end on {ending}, as {TABLE} says", "Convert it, or take it out."
    findings.append(KINDS["not_supported"].at(file, found, expected=f"{ending} for every file", mend=mend))
    return False


def _sort_channels(images: FolderFiles, ending: str | None, findings: list[Finding]) -> dict[str, dict[int, Path]]:
    """Files by case and channel; a case whose every file has another ending is there without files."""
    by_case: dict[str, dict[int, Path]] = defaultdict(dict)
    for stem, file in images.files.items():
        match = _CHANNEL_NAME.fullmatch(stem)
        if not match:
            found = "has no number of a channel at the end of its name"
            expected, mend = f"{show_path(stem)}_0000, for the first channel", "Rename the file."
            findings.append(KINDS["bad_table"].at(file, found, expected=expected, mend=mend))
            by_case.setdefault(stem, {})
        elif _has_ending(file, ending, findings):
            by_case[match["case"]][int(match["channel"])] = file
        else:
            by_case.setdefault(match["case"], {})
    return by_case


def _match(
    by_case: Mapping[str, Mapping[int, Path]],
    masks: Mapping[str, Path],
    images: FolderFiles,
    labels: FolderFiles,
    channels: tuple[str, ...] | None,
    findings: list[Finding],
) -> list[CaseFiles]:
    """Complete cases; for each of the others a finding, unless it has one."""
    images_at_fault = {_case_of(stem) for stem in images.left_out}
    masks_at_fault = labels.left_out | (labels.files.keys() - masks.keys())
    wanted = _count_files(by_case, channels)
    spare = Nearest(masks.keys() - by_case.keys())
    cases = []
    for case, files in by_case.items():
        if files and case not in masks and case not in masks_at_fault and labels.listed:
            findings.append(_no_labels(case, files[min(files)], labels, spare.find(case)))
        elif files and case not in images_at_fault and wanted and (absent := sorted(set(range(wanted)) - files.keys())):
            findings.append(_missing_channels(case, files, absent, channels))
        elif files and case in masks and case not in images_at_fault:
            numbers = range(wanted) if wanted else sorted(files)
            cases.append(CaseFiles(name=case, images=tuple(files[number] for number in numbers), masks=(masks[case],)))
    findings += _undeclared_channels(by_case, channels)
    for case in masks.keys() - by_case.keys() - images_at_fault if images.listed else ():
        suffix = cut_suffix(masks[case].name)[1]
        found = f"has no image in {show_path(images.folder)}"
        findings.append(KINDS["no_image"].at(masks[case], found, expected=f"{show_path(case)}_0000{suffix} there"))
    return cases


def _count_files(by_case: Mapping[str, Mapping[int, Path]], channels: tuple[str, ...] | None) -> int | None:
    """The number of files that a case should have; None where nothing says it. A colour picture is one file."""
    if channels is None:
        return None
    files = [(number, file) for numbered in by_case.values() for number, file in numbered.items()]
    pictures = all(number == 0 and file.name.lower().endswith(PICTURES) for number, file in files)
    return 1 if pictures and len(channels) == _COLOURS else len(channels)


def _missing_channels(case: str, files: Mapping[int, Path], absent: list[int], channels: tuple[str, ...] | None) -> Finding:
    first = files[min(files)]
    suffix = cut_suffix(first.name)[1]
    named = [f"{number:04d} ({channels[number]})" if channels else f"{number:04d}" for number in absent]
    expected = " and ".join(f"{show_path(case)}_{number:04d}{suffix}" for number in absent) + " beside it"
    found = f"is without its channel {' and '.join(named)}"
    return KINDS["no_image"].at(first, found, expected=expected, mend="Add the channel or take the case out.")


def _undeclared_channels(by_case: Mapping[str, Mapping[int, Path]], channels: tuple[str, ...] | None) -> list[Finding]:
    """A finding for each channel that the table does not name, however many cases have it."""
    if not channels:
        return []
    findings = []
    for number in sorted({number for files in by_case.values() for number in files if number >= len(channels)}):
        same = [files[number] for files in by_case.values() if number in files]
        found = f"is channel {number:04d}, and {TABLE} names {len(channels)} ({list_names(channels)})"
        expected, mend = "a name for every channel", f"Name the channel in {TABLE} or take its files out."
        findings.append(KINDS["bad_table"].at(same[0], found, expected=expected, mend=mend, others=same[1:]))
    return findings


def _no_labels(case: str, image: Path, labels: FolderFiles, near: str | None) -> Finding:
    mend = f"Rename the labels of {show_path(near)} if they are its own; if not, add them or take the image out." * bool(near)
    expected = f"{show_path(case)}{cut_suffix(image.name)[1]} there"
    return KINDS["no_mask"].at(
        image, f"has no labels in {show_path(labels.folder)}", expected=expected, mend=mend if near else ""
    )


def _case_of(stem: str) -> str:
    match = _CHANNEL_NAME.fullmatch(stem)
    return match["case"] if match else stem
