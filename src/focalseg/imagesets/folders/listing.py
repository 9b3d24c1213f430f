"""What is known of a set on disk before a file of it is decoded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.masks import MaskCoding


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The cases of a folder, in natural order. Files with a finding of level error are not among them.

    coding: how a mask is written. labels: of the files' mask_labels, in their order; empty where the coding says all of it.
    table: what declares them. findings: everything that the names, tables and folders already tell. channels: how many each
    image has, where a table says so; the names of the cases are unique.
    """

    cases: tuple[CaseFiles, ...]
    coding: MaskCoding = field(default_factory=MaskCoding)
    labels: tuple[str, ...] = ()
    table: str = ""
    findings: tuple[Finding, ...] = ()
    channels: int | None = None


class FolderLayout(Protocol):
    """A way to lay out a set in a folder, each a module. EXPECTED: what such a folder looks like, for whoever has another."""

    __name__: str
    TITLE: str
    EXPECTED: str

    def recognise(self, folder: Path, /) -> bool:
        """Whether the folder is laid out so. Looks at names alone and never raises."""

    def read(self, folder: Path, /) -> Listing:
        """Lists the cases, and collects every fault instead of raising."""
