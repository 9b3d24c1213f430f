"""A corrected copy of a set: good files byte for byte, faulty ones mended, cases that cannot be mended left out, and a log.

The copy keeps the layout, the names and the tables of the set, so that it reads back as what it was.
"""

import shutil
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from focalseg.counting import Advance, Count, count_for_nobody
from focalseg.errors import DataError, MachineError, SettingError
from focalseg.findings import Finding, counted, show_path
from focalseg.imagesets.case import CaseFiles, Dataset
from focalseg.imagesets.dataset import FileDataset, is_volume
from focalseg.imagesets.folders.files import VOLUMES
from focalseg.imagesets.kinds import KINDS
from focalseg.imagesets.layouts.label_table import LABEL_TABLE, write_folder_labels
from focalseg.imagesets.opening import open_dataset, refuse_inside
from focalseg.imagesets.phantoms.dataset import PREFIX
from focalseg.imagesets.repair.mending import Background, CannotMendError, Mended, Usual, mend_picture, mend_volume
from focalseg.imagesets.repair.tables import Changes, copy_tables
from focalseg.imagesets.survey.repairs import leave_labels_open
from focalseg.imagesets.survey.survey import Survey, survey_dataset
from focalseg.records.escapes import format_table

_LOG = "repair.csv"
_ROUNDS = 5
"""A mended case is read again, and what then shows is mended too, this many times."""
_DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, SyntaxError, MemoryError, zlib.error)
"""What Pillow, nibabel and gzip may raise for a file that is broken in a way of its own."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The outcome of a repair. mended, copied: files. left_out: names of cases. survey: of the copy, read again."""

    folder: Path
    log: Path
    mended: int
    copied: int
    left_out: tuple[str, ...]
    survey: Survey


def repair_dataset(
    dataset: Dataset, survey: Survey, folder: Path, count: Count = count_for_nobody, *, background: Background | None = None
) -> Repair:
    """Writes a corrected copy of the surveyed set and repair.csv into the folder, then checks the copy.

    The folder appears whole or not at all. Raises SettingError for a folder that is not empty or overlaps with the set, and
    for a set without files; MachineError where it cannot be written. count: told while files are copied and checked.
    background: what images with transparent pixels are laid on, masks then on black; None: such cases are left out.
    """
    refuse_copy(folder, dataset.source)
    if not isinstance(dataset, FileDataset):
        raise SettingError(f"{dataset.source} is not read from files; there is nothing to repair.")
    source = Path(dataset.source)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
        try:
            copying = _Copying(dataset, survey, partial, background)
            with count("copying the cases") as advance:
                copying.run(advance)
            partial.chmod(0o755)  # mkdtemp makes a folder for its owner alone
            if folder.exists():
                folder.rmdir()
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        what = f"{folder} cannot be written ({error.strerror or error})"
        raise MachineError(f"{what}; free space or check who may write there, then run the same command again.") from error
    return Repair(
        folder=folder,
        log=folder / _LOG,
        mended=copying.mended,
        copied=copying.copied,
        left_out=tuple(files.name for files in copying.dropped),
        survey=survey_dataset(open_dataset(str(folder if source.is_dir() else folder / source.name)), count),
    )


def refuse_copy(folder: Path, source: str) -> None:
    """Raises SettingError for a source without files, and a folder that is a file, holds something or lies in the source."""
    if source.startswith(PREFIX):
        raise SettingError(f"{source} is drawn, not read from files; there is nothing to repair. Leave --repair out.")
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file; expected a new or an empty folder as --repair. Give another path.")
    refuse_inside(folder, source, "--repair")
    if folder.is_dir() and any(folder.iterdir()):
        raise SettingError(f"{folder} is not empty; expected a new or an empty folder as --repair. Give another path.")


def _find_usual(survey: Survey) -> Usual | None:
    """What most pictures of the set are; None for a set without pictures."""
    kinds = Counter(Usual(channels=case.channels, dtype=case.dtype) for case in survey.cases if not case.is_volume)
    return kinds.most_common(1)[0][0] if kinds else None


class _LeftOutError(DataError):
    """Raised to leave a case out of the copy, with the findings that are the reasons."""


@dataclass
class _Case:
    """A case being copied. place: by original file, that file or its mended copy. done: kinds mended, by file."""

    files: CaseFiles
    place: dict[Path, Path]
    done: dict[Path, dict[str, str]] = field(default_factory=dict)


class _Copying:
    """A corrected copy while it is written, in a folder beside its final place."""

    def __init__(self, dataset: FileDataset, survey: Survey, target: Path, background: Background | None) -> None:
        source, self.background = Path(dataset.source), background
        self.dataset, self.survey, self.target = dataset, survey, target
        self.root = source if source.is_dir() else source.parent
        self.usual = _find_usual(survey)
        # Where the table of the labels is at fault, or masks hold labels that none declares, nothing tells what a value means.
        self.coding = None if leave_labels_open(survey.errors) else dataset.listing.coding
        self.lines: list[tuple[str, str, str]] = []  # of repair.csv: file, as the check names it, kind, and what was done
        self.dropped: list[CaseFiles] = []
        self.moved: dict[str, str] = {}
        self.mended = self.copied = 0
        self.by_file: dict[str, list[Finding]] = defaultdict(list)
        for finding in survey.findings:
            self.by_file[finding.file].append(finding)

    def run(self, advance: Advance) -> None:
        """Copies or mends every case, then the tables, then writes the log."""
        known = {str(path) for number in range(len(self.dataset)) for path in _list_files(self.dataset.files(number))}
        for number in range(len(self.dataset)):
            self._copy_case(self.dataset.files(number))
            advance(number + 1, len(self.dataset))
        if len(self.dropped) == len(self.dataset):
            raise DataError(
                f"{show_path(self.dataset.source)}: has no case that can be copied or mended; expected one at least. "
                "Mend its tables and files by hand first."
            )
        copy_tables(self.target, self._list_changes(), known)
        self._declare_folders()
        for finding in self.survey.errors:
            if finding.file not in known:
                rest = f"{self._describe_rest(Path(finding.file))}: {finding.found}"
                self.lines.append((finding.file, finding.kind, rest))
        done = [(show_path(path), kind, what) for path, kind, what in self.lines]
        (self.target / _LOG).write_text(format_table([("file", "kind", "done"), *done]), encoding="utf-8", newline="")

    def _declare_folders(self) -> None:
        """A table of the labels that folders stand for: of fewer cases nothing else might tell."""
        labels = self.dataset.listing.labels
        if labels and not (self.target / LABEL_TABLE).exists() and Path(self.dataset.label_table).name.lower() != LABEL_TABLE:
            text = write_folder_labels({label: label for label in labels})
            (self.target / LABEL_TABLE).write_text(text, encoding="utf-8", newline="")
            self.lines.append((str(self.root / LABEL_TABLE), "folders_read", "written anew: the labels that folders stand for"))

    def _describe_rest(self, path: Path) -> str:
        """What became of a file at fault that belongs to no case: a table, or a file without a partner."""
        twin = self.target / path.name
        if path.parent != self.root or not path.is_file() or not twin.is_file():
            return "left out"
        return "not repaired" if twin.read_bytes() == path.read_bytes() else "written anew for the cases of the copy"

    def _list_changes(self) -> Changes:
        """What the tables of the set say of files that the copy has not, or not in that place."""
        out = {case.name for case in self.dropped}
        kept = [case for case in self.dataset.listing.cases if case.name not in out]
        lost = {path for case in self.dropped for path in (*case.images, *case.masks)}
        for finding in self.survey.errors:
            if finding.kind in ("no_mask", "no_image"):
                lost |= {Path(finding.file), *map(Path, finding.others)}
        return Changes(
            root=self.root,
            cases=frozenset(case.name for case in kept),
            files=self._places(path for case in kept for path in (*case.images, *case.masks)),
            left_out=frozenset(out),
            lost=self._places(lost),
            moved=self.moved,
        )

    def _places(self, paths: Iterable[Path]) -> frozenset[str]:
        return frozenset(path.relative_to(self.root).as_posix() for path in paths if path.is_relative_to(self.root))

    def _copy_case(self, files: CaseFiles) -> None:
        case = _Case(files=files, place={path: path for path in _list_files(files)})
        findings = {path: self.by_file.get(str(path), []) for path in case.place}
        try:
            for _ in range(_ROUNDS):
                if not self._mend_round(case, findings):
                    break
                findings = self._read_again(case)
            else:
                raise _LeftOutError([finding for among in findings.values() for finding in among])
            for path in case.place:
                _relative(path, self.root)
        except _LeftOutError as reason:
            self.dropped.append(files)
            for path, place in case.place.items():
                if place != path:
                    place.unlink(missing_ok=True)
            for finding in reason.findings:
                done = f"left out, with its case {show_path(files.name)}: {finding.found}"
                self.lines.append((finding.file, finding.kind, done))
            return
        for path, place in case.place.items():
            self._keep(path, place, case.done.get(path, {}))

    def _mend_round(self, case: _Case, findings: Mapping[Path, Sequence[Finding]]) -> bool:
        """Mends what can be in every file of a case; whether anything was. Raises _LeftOutError for what cannot."""
        blocking = [finding for among in findings.values() for finding in among if finding.level == "error"]
        blocking = [finding for finding in blocking if not KINDS[finding.kind].repair]
        if blocking:
            raise _LeftOutError(blocking)
        changed = False
        for path, among in findings.items():
            repairable = {finding.kind: finding for finding in among if KINDS[finding.kind].repair}
            if repairable.pop("link_leaves", None):
                case.done.setdefault(path, {})["link_leaves"] = "copied what the link leads to"
            if not repairable:
                continue
            try:
                mended = self._mend_file(case, path, set(repairable))
            except CannotMendError as error:
                if errors := [finding for finding in repairable.values() if finding.level == "error"]:
                    raise _LeftOutError([replace(finding, found=f"{error}") for finding in errors]) from error
                continue
            except _DAMAGE as error:
                found = f"cannot be mended ({error})"
                raise _LeftOutError([replace(finding, found=found) for finding in repairable.values()]) from error
            place = self.target / self._choose_name(path, mended.suffix)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(mended.content)
            if case.place[path] not in (path, place):
                case.place[path].unlink(missing_ok=True)
            case.place[path] = place
            case.done.setdefault(path, {}).update(mended.done)
            changed = True
        return changed

    def _mend_file(self, case: _Case, path: Path, kinds: set[str]) -> Mended:
        if is_volume(case.place[path]):
            return mend_volume(case.place[path], kinds)
        coding = self.coding if path in (*case.files.masks, case.files.second_observer) else None
        usual = self.usual if len(case.files.images) == 1 else None
        # Nothing is drawn where a mask is transparent, whatever an image is laid on.
        ground = self.background if path in case.files.images or not self.background else "black"
        return mend_picture(case.place[path], kinds, coding, usual, ground)

    def _read_again(self, case: _Case) -> dict[Path, list[Finding]]:
        """The findings of a case whose files were mended, each given at the original file."""
        files = case.files
        moved = replace(
            files,
            images=tuple(case.place[path] for path in files.images),
            masks=tuple(case.place[path] for path in files.masks),
            field_of_view=case.place[files.field_of_view] if files.field_of_view else None,
        )
        listing = replace(self.dataset.listing, cases=(moved,), findings=())
        try:
            read = FileDataset(self.dataset.source, self.dataset.layout, listing).read_case(0)
            found = list(read.notes)
            alike = Usual(channels=len(read.image), dtype=str(read.image.dtype)) == self.usual
            if self.usual and read.spacing_mm is None and not alike:
                found.append(
                    KINDS["unlike"].at(moved.images[0], f"has {counted(len(read.image), 'channel')} of {read.image.dtype}")
                )
        except DataError as error:
            found = list(error.findings)
        by_place = {str(place): path for path, place in case.place.items()}
        findings: dict[Path, list[Finding]] = {path: [] for path in case.place}
        for finding in found:
            path = by_place.get(finding.file, files.images[0])
            findings[path].append(replace(finding, file=str(path)))
        return findings

    def _choose_name(self, path: Path, suffix: str) -> str:
        """The place of a mended file in the copy: that of the file, with the suffix of its content."""
        name = _relative(path, self.root)
        ending = next((ending for ending in VOLUMES if name.lower().endswith(ending)), path.suffix)
        return name if ending.lower() == suffix.lower() else name.removesuffix(name[len(name) - len(ending) :]) + suffix

    def _keep(self, path: Path, place: Path, done: Mapping[str, str]) -> None:
        """A file of a case that stays, in its place in the copy, with its lines in the log."""
        name = _relative(path, self.root)
        if place == path:
            (self.target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.target / name)
            self.copied += 1
        else:
            self.mended += 1
            new = place.relative_to(self.target).as_posix()
            if new != name:
                self.moved[name] = new
        for kind, what in done.items():
            saved = f"; now {self.moved[name]}" if name in self.moved else ""
            self.lines.append((str(path), kind, what + saved))


def _list_files(files: CaseFiles) -> tuple[Path, ...]:
    """Lists every file of a case once."""
    beside = (path for path in (files.field_of_view, files.second_observer) if path)
    return tuple(dict.fromkeys((*files.images, *files.masks, *beside)))


def _relative(path: Path, root: Path) -> str:
    """A file's place in its set. Raises _LeftOutError for one outside of it."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError as error:
        raise _LeftOutError([KINDS["outside"].at(path, f"is not in {show_path(root)}")]) from error
