"""The files of one folder: which are read, which are passed over, and which are at fault by their name or kind alone."""

import errno
import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focalseg.findings import Finding, show_path
from focalseg.imagesets.kinds import IMAGE_FORMATS, KINDS, list_names

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
VOLUMES = (".nii.gz", ".nii")
SUFFIXES = (*VOLUMES, *PICTURES)
_PASSED_NAMES = frozenset((
    "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "readme", "license", "licence", "copying", "notice", "changelog",
    "authors", "citation", "version", "makefile", "checksums", "md5sums", "md5sum", "sha256sums", "sha256sum",
))  # fmt: skip
"""Names, in lower case, of files that lie beside images and are passed over."""
_PASSED_SUFFIXES = frozenset((
    ".txt", ".md", ".rst", ".rtf", ".pdf", ".doc", ".docx", ".odt", ".csv", ".tsv", ".xls", ".xlsx", ".ods", ".json", ".jsonl",
    ".yaml", ".yml", ".toml", ".ini", ".cfg", ".html", ".htm", ".xml", ".log", ".bib", ".cff", ".py", ".ipynb", ".sh", ".bat",
    ".m", ".r", ".url", ".lnk", ".md5", ".sha1", ".sha256", ".sha512",
))  # fmt: skip
"""Texts, tables and programs that lie beside images."""
_MISLEADING = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Breaks of lines, and marks that turn the order of what is shown."""
KEEP_FOLDERS = "List the files in a manifest.csv (columns image, mask, and group for what the folders say)."
"""The mend for folders whose meaning nothing tells: moving the files together would lose what the folders say."""


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """A folder's files, by stem in Unicode's composed form, in natural order. left_out: stems of files with an error.

    folders: names of its sub-folders, which are not looked into. listed: whether the folder could be listed.
    """

    folder: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    folders: tuple[str, ...] = ()
    listed: bool = True

    @property
    def blank(self) -> bool:
        """Whether there is nothing to read and nothing at fault."""
        return self.listed and not self.files and not self.left_out

    def choose(self, stems: Collection[str], left_out: Iterable[str]) -> "FolderFiles":
        """The files of these stems alone, with the stems that were left out of them."""
        files = {stem: file for stem, file in self.files.items() if stem in stems}
        return FolderFiles(folder=self.folder, files=files, left_out=frozenset(left_out), listed=self.listed)

    def empty_finding(self) -> Finding:
        """The finding for a folder without images."""
        if not self.folders:
            return KINDS["empty_folder"].at(self.folder, "holds no images")
        found = f"holds no images, only the folders {list_names(self.folders)}"
        return KINDS["empty_folder"].at(self.folder, found, mend=KEEP_FOLDERS)


def list_files(folder: Path, suffixes: Sequence[str] = SUFFIXES, *, root: Path | None = None) -> FolderFiles:
    """The files of a folder with one of the suffixes, in any case. root: the data folder, that links should not leave.

    Hidden files and texts are passed over in silence, sub-folders with a note where they hold such files. Never raises.
    """
    home = root or folder
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        return _unlisted(folder, error)
    findings = [] if _inside(folder, home) else [_link_note(folder)]
    files: list[Path] = []
    folders: list[str] = []
    left_out: set[str] = set()
    for entry in entries:
        file = folder / entry.name
        if _is_passed_over(entry.name):
            continue
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            if isinstance(error, PermissionError) and not entry.is_symlink():
                return _unlisted(folder, error)
            fault: Finding | None = _broken_link(file, error)
        else:
            if not stat.S_ISREG(mode) and not cut_suffix(entry.name, suffixes)[1]:
                folders += [entry.name] if stat.S_ISDIR(mode) else []
                continue
            fault = find_file_fault(file, mode, suffixes)
        if fault:
            findings.append(fault)
            left_out |= _stems(entry.name)
            continue
        if entry.is_symlink() and not (_inside(file, home) or _inside(file, folder)):
            findings.append(_link_note(file))
        files.append(file)
    kept, clashes = _take_out_clashes(files)
    if kept:
        findings += [note for name in folders if (note := note_inner(folder / name, suffixes))]
    return FolderFiles(
        folder=folder,
        files=kept,
        left_out=frozenset(left_out.union(cut_suffix(file.name)[0] for group in clashes for file in group)),
        findings=(*findings, *map(_clash, clashes)),
        folders=tuple(folders),
    )


def _is_passed_over(name: str) -> bool:
    """Whether a file of that name is none of the data's: hidden, made by a file manager, or a text."""
    return name.startswith(".") or name.lower() in _PASSED_NAMES or Path(name).suffix.lower() in _PASSED_SUFFIXES


def find_file_fault(file: Path, mode: int, suffixes: Sequence[str] = SUFFIXES) -> Finding | None:
    """What keeps a file from being read, told by its name and its mode (as stat has it); None for nothing."""
    suffix = cut_suffix(file.name, suffixes)[1]
    if not stat.S_ISREG(mode):
        found = "is a folder" if stat.S_ISDIR(mode) else "is no regular file (a pipe, socket or device)"
        return KINDS["not_a_file"].at(file, found)
    if fault := find_name_fault(file.name):
        return KINDS["name_unreadable"].at(file, f"has {fault} in its name")
    if suffix:
        return None
    given = file.suffix.lower()
    known = IMAGE_FORMATS if suffixes == SUFFIXES else f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
    return KINDS["not_supported"].at(file, f"is a {show_path(given)} file" if given else "has no suffix", expected=known)


def find_name_fault(name: str) -> str:
    """What in a name is no printable text; empty for nothing."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "bytes that are no UTF-8"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "a control character"
    return "a character that turns or breaks the line" if _MISLEADING & set(name) else ""


def cut_suffix(name: str, suffixes: Sequence[str] = SUFFIXES) -> tuple[str, str]:
    """Stem in Unicode's composed form, and suffix as the name has it; the suffix is empty where it is not one of these."""
    lower = name.lower()
    length = next((len(suffix) for suffix in suffixes if lower.endswith(suffix)), 0)
    stem = unicodedata.normalize("NFC", name[: len(name) - length])
    return stem, name[len(name) - length :]


def natural_key(text: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """A sorting key that puts `case_2` before `case_10`, and `case_01` always on the same side of `case_1`."""
    tokens = re.findall(r"[0-9]+|.", text + "\0", re.DOTALL)
    return tuple((0, int(token)) if token[0] in "0123456789" else (1, token) for token in tokens), text


def find_folders(root: Path, *names: str) -> list[Path]:
    """Sub-folders of these names, whatever their case, in the order of the names; links to nothing too. Never raises."""
    entries = _scan(root)
    return [
        root / entry.name for name in names for entry in entries if entry.name.lower() == name.lower() and _is_folder(entry)
    ]


def list_folders(root: Path) -> list[Path]:
    """Sub-folders in natural order, hidden ones left out; links to nothing too. Never raises."""
    names = (entry.name for entry in _scan(root) if not entry.name.startswith(".") and _is_folder(entry))
    return [root / name for name in sorted(names, key=natural_key)]


def list_names_in(folder: Path) -> list[str]:
    """Names of what a folder holds, hidden ones left out; none where it may not be listed. Never raises."""
    return [entry.name for entry in _scan(folder) if not entry.name.startswith(".")]


def list_images_in(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[str]:
    """Names in a folder that have one of the suffixes and are not passed over. Never raises."""
    return [name for name in list_names_in(folder) if not _is_passed_over(name) and cut_suffix(name, suffixes)[1]]


def find_file(root: Path, name: str) -> Path | None:
    """What has that name, whatever its case, be it a file or not; None where nothing has. Never raises."""
    found = [other for other in list_names_in(root) if other.lower() == name]
    return root / (name if name in found else found[0]) if found else None


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, in the order of names; nothing where it may not be listed. Never raises."""
    try:
        with os.scandir(folder) as scanned:
            return sorted(scanned, key=lambda entry: entry.name)
    except (OSError, ValueError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() or (entry.is_symlink() and not entry.is_file())
    except OSError:
        return entry.is_symlink()


def _stems(name: str) -> set[str]:
    """What the stem of a file at fault may be: without its last suffix, and without an image's suffix before that."""
    stem = cut_suffix(name)[0] if cut_suffix(name)[1] else unicodedata.normalize("NFC", Path(name).stem)
    return {stem, cut_suffix(stem)[0]}


def _unlisted(folder: Path, error: OSError) -> FolderFiles:
    if folder.is_symlink() and error.errno in (errno.ELOOP, errno.ENOENT):
        return FolderFiles(folder=folder, findings=(_broken_link(folder, error),), listed=False)
    finding = KINDS["no_permission"].at(
        folder,
        "may not be listed" if isinstance(error, PermissionError) else f"cannot be listed ({error.strerror})",
        expected="a folder that you may read",
        mend="Give read permission (chmod u+rx).",
    )
    return FolderFiles(folder=folder, findings=(finding,), listed=False)


def _broken_link(file: Path, error: OSError) -> Finding:
    if isinstance(error, PermissionError):
        return KINDS["no_permission"].at(file, "is a link to a place that may not be read")
    if error.errno == errno.ELOOP:
        return KINDS["dead_link"].at(file, "is a link in a circle")
    return KINDS["dead_link"].at(file, f"is a link to {_read_target(file)}, which is not there")


def _read_target(file: Path) -> str:
    try:
        return show_path(file.readlink())
    except OSError:
        return "a file"


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def note_inner(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> Finding | None:
    """The note on a sub-folder that holds files which would have been read one level up."""
    inner = list_images_in(folder, suffixes)
    return KINDS["passed_over"].at(folder, f"is a folder inside and holds {list_names(inner)}") if inner else None


def _link_note(path: Path) -> Finding:
    target = show_path(path.resolve())
    return KINDS["link_leaves"].at(path, f"is a link to {target}" if path.is_symlink() else f"lies behind a link, in {target}")


def _take_out_clashes(files: Sequence[Path]) -> tuple[dict[str, Path], list[list[Path]]]:
    """Files by stem, and together those whose stem is not theirs alone."""
    alike: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        alike[cut_suffix(file.name)[0].lower()].append(file)
    kept = {cut_suffix(group[0].name)[0]: group[0] for group in alike.values() if len(group) == 1}
    return kept, [group for group in alike.values() if len(group) > 1]


def _clash(group: Sequence[Path]) -> Finding:
    first, second, *rest = group
    raw = [file.name[: len(file.name) - len(cut_suffix(file.name)[1])] for file in (first, second)]
    if raw[0] == raw[1]:
        return KINDS["two_files"].at(second, f"has the same name as {show_path(first.name)}", others=(first, *rest))
    composed = [unicodedata.normalize("NFC", stem) for stem in raw]
    how = "in how its accents are written" if composed[0] == composed[1] else "in upper and lower case"
    found = f"differs from {show_path(first.name) if composed[0] != composed[1] else ascii(first.name)} only {how}"
    return KINDS["names_clash"].at(second, found, others=(first, *rest))
