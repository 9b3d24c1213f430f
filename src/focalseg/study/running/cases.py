"""The cases of a job as it finds them: read again and again while it runs, and the same each time."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from focalseg.errors import DataError
from focalseg.imagesets.case import Case, Dataset
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.summary import digest_case
from focalseg.records.splits import Split

CaseDigests = Mapping[str, str]
"""`digest_case` of each case by name, as it was when the job looked at all of them."""


@lru_cache(maxsize=1)
def open_source(source: str) -> Dataset:
    """The data set with its cases listed. Raises DataError and SettingError as open_dataset does."""
    return open_dataset(source)


def read_same_case(source: str, name: str, case_digests: CaseDigests) -> Case:
    """One case, decoded anew. Raises DataError where it is gone, cannot be used, or is another than the job began with; a case
    without a digest is taken as it is."""
    dataset = open_source(source)
    if name not in dataset.numbers:
        raise DataError(f"{source} has no case {name} any more; expected all that the job began with. Put it back.")
    number = dataset.numbers[name]
    case = dataset.read_case(number)
    if name in case_digests and digest_case(case) != case_digests[name]:
        files = dataset.files(number)
        file = files.images[0] if files else f"the case {name} of {source}"
        raise DataError(
            f"{file} or its mask has changed since the job began; expected the same pixels until it ends. Put the files back "
            "and run the same command again, or give another --out to judge the data as it is now."
        )
    return case


def digest_split(split: Split, groups: Mapping[str, str], case_digests: CaseDigests) -> str:
    """SHA-256 of what a run learns and is scored on: its parts with the group and the digest of each case, in their order.
    Empty where no case has a digest."""
    parts = [
        [(name, groups.get(name), case_digests[name]) for name in names if name in case_digests]
        for names in (split.train, split.validation, split.test)
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest() if any(parts) else ""
