"""What an earlier survey read of a set, so that files that are still the same are not decoded again.

A case is known by the SHA-256 of its files, by where they lie and by all that its reading depends on, and never by size and
time alone. What is remembered changes no result: it is the result. A file of it that is damaged, or was written by another
version, is not there.
"""

import hashlib
import io
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from focalseg.errors import FocalsegError
from focalseg.findings import Finding
from focalseg.imagesets.case import Dataset
from focalseg.imagesets.dataset import FileDataset
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.records.seals import hash_file, read_signed, write_signed

VARIABLE = "FOCALSEG_CACHE"
"""Names the folder in which surveys are remembered; `off` for none."""
_MOST_SETS = 30
"""The sets that were looked at last are remembered."""
_MOST_BYTES = 512 << 20
_DECODERS = ("numpy", "pillow", "tifffile")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What came of reading one case: a summary, or none where it cannot be used. agreement: with the second observer."""

    case: CaseSummary | None
    findings: tuple[Finding, ...]
    agreement: tuple[float, ...] = ()


class Memory:
    """The readings of one set. Nothing is remembered of a set without files, or where no folder can be had."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset if isinstance(dataset, FileDataset) else None
        self._path = _find_place(dataset.source) if self._dataset else None
        self._known = _load(self._path) if self._path else {}
        self._setting = _describe_setting(self._dataset) if self._dataset and self._path else ""
        self._kept: dict[str, Reading] = {}

    def read(self, number: int, read: Callable[[int], Reading]) -> Reading:
        """What the case of that number is read as: remembered while nothing that it was read from has changed, else read."""
        key = self._identify(number)
        known = self._known.get(key or "")
        if known is None:
            known = read(number)
            if key != self._identify(number):  # a file changed while it was read
                return known
        if key is not None:
            self._kept[key] = known
        return replace(known, case=replace(known.case, number=number)) if known.case else known

    def save(self) -> None:
        """Writes what is remembered. A folder that cannot be written to is let be."""
        if self._path is None or not self._kept:
            return
        with suppress(OSError, FocalsegError):
            if self._kept.keys() == self._known.keys():
                self._path.touch()
                return
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_signed(self._path, _pack(self._kept))
            _forget_oldest(self._path.parent)

    def _identify(self, number: int) -> str | None:
        """By what a case is known; None where nothing is remembered, or a file of it cannot be read."""
        if self._dataset is None or self._path is None:
            return None
        files = self._dataset.files(number)
        beside = (path for path in (files.field_of_view, files.second_observer) if path)
        try:
            digests = [_hash_regular(path) for path in (*files.images, *files.masks, *beside)]
        except OSError:
            return None
        known_by = (self._setting, replace(files, columns={}), self._dataset.groups[number], digests)
        return hashlib.sha256(repr(known_by).encode("utf-8", "surrogatepass")).hexdigest()


def _describe_setting(dataset: FileDataset) -> str:
    """Besides the files, all that a reading depends on, as a digest: how the set is written, the code that reads it, and the
    decoders."""
    written = repr((replace(dataset.listing, cases=(), findings=()), dataset.layout, _hash_code()))
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def _find_place(source: str) -> Path | None:
    """The file for a set; None where the person wants none, or has no place for it."""
    named = os.environ.get(VARIABLE, "")
    if named.lower() == "off":
        return None
    try:
        folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "focalseg"
        name = hashlib.sha256(os.fsencode(os.path.realpath(source))).hexdigest()[:32]
    except (OSError, RuntimeError, ValueError):  # no home, or a path that no system takes
        return None
    return folder / "surveys" / f"{name}.npz"


def _hash_regular(path: Path) -> str:
    # A pipe would be waited for.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError
    return hash_file(path)


@lru_cache(maxsize=1)
def _hash_code() -> str:
    """SHA-256 of the code of this house and the versions of its decoders."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    for name in _DECODERS:
        with suppress(PackageNotFoundError):
            digest.update(version(name).encode())
    return digest.hexdigest()


def _pack(readings: dict[str, Reading]) -> bytes:
    """Readings as bytes: plain data as JSON, and the signatures of the images as they are."""
    rows: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for key, reading in readings.items():
        rows[key] = {
            "findings": [asdict(finding) for finding in reading.findings],
            "agreement": reading.agreement,
            "case": None,
        }
        if reading.case:
            rows[key]["case"] = {name: value for name, value in vars(reading.case).items() if name != "signature"}
            arrays[key] = reading.case.signature
    buffer = io.BytesIO()
    np.savez(buffer, text=np.frombuffer(json.dumps(rows).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def _load(path: Path) -> dict[str, Reading]:
    """The readings in a file; nothing where there is none, or it is not as it was written."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        with np.load(io.BytesIO(read_signed(path)), allow_pickle=False) as arrays:
            rows = json.loads(arrays["text"].tobytes())
            return {key: _unpack(row, arrays[key] if row["case"] else None) for key, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _unpack(row: dict[str, Any], signature: np.ndarray | None) -> Reading:
    case = None
    if row["case"]:
        plain: dict[str, Any] = {"signature": signature}
        plain |= {name: tuple(value) if isinstance(value, list) else value for name, value in row["case"].items()}
        case = CaseSummary(**plain)
    findings = tuple(Finding(**{**finding, "others": tuple(finding["others"])}) for finding in row["findings"])
    return Reading(case=case, findings=findings, agreement=tuple(row["agreement"]))


def _forget_oldest(folder: Path) -> None:
    """Removes what has not been looked at for longest, beyond the number of sets that are remembered."""
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[_MOST_SETS:]:
        path.unlink(missing_ok=True)
