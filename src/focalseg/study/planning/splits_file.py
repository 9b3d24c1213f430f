"""splits.json: which case was trained, validated and tested on, held to the data by a digest."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from focalseg.errors import SettingError
from focalseg.files import write_text
from focalseg.study.planning.groundwork import Groundwork
from focalseg.study.running.listeners import Tell, ignore

SPLITS = "splits.json"
SCHEMA = 1


def claim_split(folder: Path, ground: Groundwork, tell: Tell = ignore) -> None:
    """Writes splits.json: names of cases by fold and part, the group of each, and a digest of every pixel; then remarks.

    Raises SettingError where the folder has one that differs: its trainings saw other data.
    """
    path, content = folder / SPLITS, json.dumps(describe_split(ground), indent=1) + "\n"
    if not path.exists():
        write_text(path, content)
    elif path.read_text(encoding="utf-8") != content:
        raise SettingError(
            f"{path}: the data of {ground.survey.source} or its split has changed since; give another --out, "
            f"or remove {folder} to start anew."
        )
    for remark in ground.remarks:
        tell(remark)


def describe_split(ground: Groundwork) -> dict[str, Any]:
    """The content of splits.json."""
    digest = hashlib.sha256()
    for case in ground.survey.cases:
        digest.update(f"{case.name}\0{ground.groups[case.name]}\0{case.digest}{case.mask_digest}".encode())
    return {
        "schema": SCHEMA,
        "data": ground.survey.source,
        "sha256": digest.hexdigest(),
        "folds": [asdict(split) for split in ground.splits],
        "groups": dict(ground.groups),
    }
