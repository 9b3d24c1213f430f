"""Holding a folder to the data and the split that it was begun with."""

import hashlib
from dataclasses import replace
from pathlib import Path

from focalseg.errors import SettingError
from focalseg.records.record import read_record, write_record
from focalseg.records.splits import SPLITS, Splits
from focalseg.study.planning.groundwork import Groundwork
from focalseg.study.running.listeners import Tell, ignore


def claim_split(folder: Path, ground: Groundwork, tell: Tell = ignore) -> None:
    """Writes splits.json: names of cases by fold and part, the group of each, and a digest of every pixel; then remarks.

    Raises SettingError where the folder has one that differs: its trainings saw other data.
    """
    path, splits = folder / SPLITS, record_splits(ground)
    if not path.exists():
        write_record(path, splits)
    elif (begun := read_record(Splits, path)) != (splits if begun.cases else replace(splits, cases={})):
        raise SettingError(
            f"{path}: the data of {ground.survey.source} or its split has changed since; give another --out, "
            f"or remove {folder} to start anew."
        )
    for remark in ground.remarks:
        tell(remark)


def record_splits(ground: Groundwork) -> Splits:
    """What splits.json says."""
    digest = hashlib.sha256()
    for case in ground.survey.cases:
        digest.update(f"{case.name}\0{ground.groups[case.name]}\0{case.digest}{case.mask_digest}".encode())
    return Splits(
        data=ground.survey.source,
        sha256=digest.hexdigest(),
        folds=ground.splits,
        groups=dict(ground.groups),
        cases=ground.case_digests,
    )
