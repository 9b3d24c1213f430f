"""The whole corpus in one list."""

from data.corpus.csv_faults import CSV_FAULTS
from data.corpus.fault import Fault
from data.corpus.folder_faults import FOLDER_FAULTS
from data.corpus.good_pictures import GoodSet, picture_sets
from data.corpus.good_tables import table_sets
from data.corpus.good_volumes import volume_sets
from data.corpus.image_faults import IMAGE_FAULTS
from data.corpus.manifest_faults import MANIFEST_FAULTS
from data.corpus.mask_faults import MASK_FAULTS
from data.corpus.release_faults import RELEASE_FAULTS
from data.corpus.special_faults import SPECIAL_FAULTS
from data.corpus.table_faults import TABLE_FAULTS
from data.corpus.volume_faults import VOLUME_FAULTS

FAULTS: list[Fault] = [
    *IMAGE_FAULTS,
    *MASK_FAULTS,
    *FOLDER_FAULTS,
    *VOLUME_FAULTS,
    *TABLE_FAULTS,
    *CSV_FAULTS,
    *MANIFEST_FAULTS,
    *SPECIAL_FAULTS,
    *RELEASE_FAULTS,
]
"""One planted fault each, by names that are unique."""


def good_sets() -> list[GoodSet]:
    """Sets without a fault."""
    return [*picture_sets(), *table_sets(), *volume_sets()]
