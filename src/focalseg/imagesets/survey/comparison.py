"""What shows only when the cases of a set are laid beside one another: outliers, labels, duplicates, leaks."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.kinds import KINDS, list_names
from focalseg.imagesets.survey.duplicates import Pair, join_groups
from focalseg.imagesets.survey.summary import CaseSummary

_FEW_FOREGROUND = 0.25
"""Median share of foreground in a set below which a mask of mostly foreground is an oddity."""
YES, YES_VALUES = "255", {"1", "255", "257", "65535"}
"""Values that stand for foreground in everybody's masks, of 1, 8 and 16 bits, and the one that is said of them all."""
_FEWEST_FOR_RARE = 4
"""Cases that a set must have before a label of one of them alone is worth a note."""


def find_oddities(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Notes on single cases: nothing in the mask or nothing else, an image of one intensity, a mask unlike the others."""
    findings = []
    typical = float(np.median([case.foreground for case in cases])) if cases else 0.0
    for case in cases:
        if case.minimum == case.maximum:
            shown = ", ".join(f"{value:g}" for value in case.minimum)
            findings.append(KINDS["constant"].at(case.file, f"has the intensity {shown} in every pixel"))
        if not any(case.label_pixels[1:]):
            findings.append(KINDS["empty_mask"].at(case.mask_file, "is empty"))
        elif not case.label_pixels[0]:
            findings.append(KINDS["full_mask"].at(case.mask_file, "covers the whole image"))
        elif case.foreground > 0.5 and case.border_foreground > 0.9 and typical < _FEW_FOREGROUND:
            found = f"covers {case.foreground:.0%} of the image and {case.border_foreground:.0%} of its border"
            findings.append(KINDS["inverted"].at(case.mask_file, found, expected=f"about {typical:.0%}, as in other cases"))
    return findings


def find_unlike(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Errors at the cases whose images have other axes, channels or (for pictures) number types than most."""

    def kind(case: CaseSummary) -> tuple[int, int, str]:
        return len(case.size), case.channels, "" if case.is_volume else case.dtype

    most = Counter(map(kind, cases)).most_common(1)[0][0] if cases else (0, 0, "")
    findings = []
    for case in cases:
        axes, channels, dtype = kind(case)
        if (axes, channels, dtype) == most:
            continue
        found, usual, mend = _describe(channels, dtype), _describe(*most[1:])[4:], "Convert it."
        if axes != most[0]:
            found, usual, mend = f"has {axes} spatial axes", f"{most[0]}", "Take it out."
        findings.append(KINDS["unlike"].at(case.file, found, expected=f"{usual}, as most cases have", mend=mend))
    return findings


def find_marks(cases: Sequence[CaseSummary]) -> list[Finding]:
    """Errors at masks whose foreground is written otherwise than in most, since two labels would then become one.

    1 and the largest value of 8 or 16 bits all say "yes", and are the same.
    """
    written = [[_split_mark(mark) for mark in case.marks] for case in cases]
    findings = []
    for label in dict.fromkeys(label for marks in written for label, _ in marks):
        findings += _find_marks_of(cases, [{mark for own, mark in marks if own == label} for marks in written])
    return findings


def _split_mark(mark: str) -> tuple[str, str]:
    """The label, empty where a mask is of no single one, and what stands for it; whatever says "yes" is the same."""
    label, _, value = mark.rpartition(": ")
    return label, YES if value in YES_VALUES else value


def _find_marks_of(cases: Sequence[CaseSummary], written: Sequence[set[str]]) -> list[Finding]:
    """The errors of `find_marks` at the masks of one label. written: what stands for it in each case."""
    counts = Counter(mark for marks in written for mark in marks)
    if len(counts) < 2:
        return []
    most = counts.most_common(1)[0][0]
    findings = []
    for case, marks in zip(cases, written, strict=True):
        for mark in sorted(marks - {most}):
            others = f"{counted(counts[most], 'mask')} {'has' if counts[most] == 1 else 'have'} {most}"
            found = f"has {mark} for foreground where {others}"
            if "#" in mark + most:
                findings.append(KINDS["colours_unknown"].at(case.mask_file, found))
            else:
                expected = "one value for one label, or a table labels.csv with label,value"
                mend = "Declare both values in labels.csv, or export the mask again."
                findings.append(KINDS["not_declared"].at(case.mask_file, found, expected=expected, mend=mend))
    return findings


def find_labels(cases: Sequence[CaseSummary], names: Sequence[str] | None, table: str) -> tuple[tuple[str, ...], list[Finding]]:
    """Names of the foreground labels and what is wrong with them. table: what declares them.

    names None: nothing declares them, and the masks must hold 1, 2, ... without a gap; they become label_1, label_2, ...
    """
    holders: dict[int, list[CaseSummary]] = {}
    for case in cases:
        for label, pixels in enumerate(case.label_pixels):
            if label and pixels:
                holders.setdefault(label, []).append(case)
    if names is not None:
        absent = [name for number, name in enumerate(names, start=1) if number not in holders]
        found = f"declares {list_names(absent)}, which none of {counted(len(cases), 'mask')} holds"
        several = len(names) > 1 and absent and cases
        return tuple(names), [KINDS["absent_label"].at(table, found)] if several else []
    last = next(label for label in itertools.count() if label + 1 not in holders)
    findings = [
        KINDS["not_declared"].at(
            case.mask_file,
            f"holds the label {label}, but no mask holds {last + 1}",
            expected="labels counted from 1 without a gap, or a table that declares them",
        )
        for label, among in sorted(holders.items())
        if label > last
        for case in among
    ]
    for label, among in sorted(holders.items()):
        if 1 < label <= last and len(among) == 1 and len(cases) >= _FEWEST_FOR_RARE:
            found = f"holds the label {label} as the only one of {len(cases)} masks"
            findings.append(KINDS["rare_label"].at(among[0].mask_file, found))
    return tuple(f"label_{number}" for number in range(1, max(last, 1) + 1)), findings


def describe_duplicates(cases: Sequence[CaseSummary], pairs: Sequence[Pair], groups: Mapping[str, str]) -> list[Finding]:
    """One note per cluster of images that are the same or nearly so, and errors where an official split puts them on two sides.

    groups: by case name, before duplicates are joined in. Near duplicates within a group are its nature and no news.
    """
    findings = []
    for identical in (True, False):
        kind = KINDS["identical" if identical else "near_duplicate"]
        chosen = [
            pair
            for pair in pairs
            if pair.identical == identical and (identical or groups[cases[pair.first].name] != groups[cases[pair.second].name])
        ]
        for first, *others in _cluster(cases, chosen):
            same = "is the same image as" if identical else "is nearly the same image as"
            masks = {case.mask_digest for case in (first, *others)}
            differ = ", with another mask" if identical and len(masks) > 1 else ""
            files = [case.file for case in others]
            findings.append(kind.at(first.file, f"{same} {list_names(files)}{differ}", others=files))
    findings += _find_official_leaks(cases, pairs)
    return findings


def _find_official_leaks(cases: Sequence[CaseSummary], pairs: Sequence[Pair]) -> list[Finding]:
    findings = []
    parts = {case.part for case in cases}
    if parts - {""}:
        findings += [
            KINDS["no_part"].at(cases[0].file, f"is in a set whose split has no {part} cases", expected="train and test cases")
            for part in ("train", "test")
            if part not in parts
        ]
        findings += [
            KINDS["no_part"].at(case.file, "is in no part of the split, where others are") for case in cases if not case.part
        ]
    for pair in pairs:
        one, other = cases[pair.first], cases[pair.second]
        if one.part and other.part and one.part != other.part:
            same = "the same" if pair.identical else "nearly the same"
            found = f"in {one.part} is {same} image as {show_path(other.file)} in {other.part}"
            findings.append(KINDS["leak"].at(one.file, found, others=[other.file]))
    members: dict[str, list[CaseSummary]] = {}
    for case in cases:
        members.setdefault(case.group, []).append(case)
    for group, among in members.items():
        first = among[0]
        for case in among:
            if case.part and first.part and case.part != first.part:
                found = f"in {case.part} belongs to {group}, as {show_path(first.file)} in {first.part} does"
                findings.append(KINDS["leak"].at(case.file, found, others=[first.file]))
                break
    return findings


def _cluster(cases: Sequence[CaseSummary], pairs: Sequence[Pair]) -> list[list[CaseSummary]]:
    """Cases that are joined by pairs, directly or not, each cluster in order."""
    names = [case.name for case in cases]
    home = join_groups(names, names, pairs)
    clusters: dict[str, list[CaseSummary]] = {}
    for case in cases:
        clusters.setdefault(home[case.name], []).append(case)
    return [members for members in clusters.values() if len(members) > 1]


def _describe(channels: int, dtype: str) -> str:
    kind = {1: "a grey image (1 channel)", 3: "a colour image (3 channels)"}.get(channels, f"an image of {channels} channels")
    return f"has {kind}{f' of {dtype}' if dtype else ''}"
