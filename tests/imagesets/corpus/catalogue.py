"""The whole corpus in one list."""

from imagesets.corpus.csv_faults import CSV_FAULTS
from imagesets.corpus.fault import Fault
from imagesets.corpus.folder_faults import FOLDER_FAULTS
from imagesets.corpus.good_pictures import GoodSet, picture_sets
from imagesets.corpus.good_tables import table_sets
from imagesets.corpus.good_tiffs import tiff_sets
from imagesets.corpus.good_volumes import volume_sets
from imagesets.corpus.image_faults import IMAGE_FAULTS
from imagesets.corpus.intensity_faults import INTENSITY_FAULTS
from imagesets.corpus.manifest_faults import MANIFEST_FAULTS
from imagesets.corpus.mask_faults import MASK_FAULTS
from imagesets.corpus.release_faults import RELEASE_FAULTS
from imagesets.corpus.special_faults import SPECIAL_FAULTS
from imagesets.corpus.table_faults import TABLE_FAULTS
from imagesets.corpus.tiff_faults import TIFF_FAULTS
from imagesets.corpus.volume_faults import VOLUME_FAULTS

FAULTS: list[Fault] = [
    *IMAGE_FAULTS,
    *INTENSITY_FAULTS,
    *MASK_FAULTS,
    *TIFF_FAULTS,
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
    return [*picture_sets(), *tiff_sets(), *table_sets(), *volume_sets()]
