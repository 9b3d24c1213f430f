"""A case without its pixels: what the planning of a run and the comparison with other cases need to know of it."""

import hashlib
from dataclasses import dataclass

import numpy as np

from focalseg.imagesets.case import Case, CaseFiles, Part
from focalseg.imagesets.masks import VOID, find_foreground
from focalseg.imagesets.survey.duplicates import make_signature


@dataclass(frozen=True, kw_only=True)
class CaseSummary:
    """One case without its pixels. number: its place in the data set.

    file, mask_file: as shown to a person. size: elements along each spatial axis. minimum to standard_deviation: by channel.
    label_pixels: by label number, the background first; void_pixels: those that nobody judged, which are in no other count.
    border_foreground: share of the judged pixels at the borders with any label.
    digest, mask_digest: SHA-256 of pixels with type and shape. case_digest: `digest_case` of the case. signature:
    `duplicates.make_signature` of the image. marks: as `Case` has them. masks: how many files its mask was joined from.
    """

    number: int
    name: str
    group: str
    part: Part
    file: str
    mask_file: str
    size: tuple[int, ...]
    channels: int
    dtype: str
    spacing_mm: tuple[float, ...] | None
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]
    label_pixels: tuple[int, ...]
    border_foreground: float
    digest: str
    mask_digest: str
    case_digest: str
    signature: np.ndarray
    marks: tuple[str, ...] = ()
    masks: int = 1
    void_pixels: int = 0

    @property
    def judged_pixels(self) -> int:
        """The pixels that somebody judged."""
        return sum(self.label_pixels)

    @property
    def foreground(self) -> float:
        """The share of the judged pixels that have any label; 0 where nobody judged one."""
        return sum(self.label_pixels[1:]) / max(self.judged_pixels, 1)

    @property
    def is_volume(self) -> bool:
        """Whether the file says what it measures: its intensities mean the same in any number type."""
        return self.spacing_mm is not None


def summarise(case: Case, *, number: int = 0, part: Part = "", files: CaseFiles | None = None) -> CaseSummary:
    """The summary that is kept of a case that was read. files: where it is from; without them it is called by its name."""
    channels = case.image.reshape(len(case.image), -1)
    digest, mask_digest = _hash_array(case.image), _hash_array(case.mask)
    pixels = np.bincount(case.mask.ravel(), minlength=2).tolist()
    void_pixels = pixels[VOID] if len(pixels) > VOID else 0
    return CaseSummary(
        number=number,
        name=case.name,
        group=case.group,
        part=part,
        file=str(files.images[0]) if files else case.name,
        mask_file=str(files.masks[0]) if files else case.name,
        size=case.mask.shape,
        channels=len(case.image),
        dtype=str(case.image.dtype),
        spacing_mm=case.spacing_mm,
        minimum=tuple(channels.min(axis=1).astype(float).tolist()),
        maximum=tuple(channels.max(axis=1).astype(float).tolist()),
        mean=tuple(channels.mean(axis=1, dtype=np.float64).tolist()),
        standard_deviation=tuple(channels.std(axis=1, dtype=np.float64).tolist()),
        label_pixels=tuple(_cut_zeros(pixels[:VOID])),
        border_foreground=_measure_border(case.mask),
        digest=digest,
        mask_digest=mask_digest,
        case_digest=_combine(case, digest, mask_digest),
        signature=make_signature(case.image),
        marks=case.marks,
        masks=len(files.masks) if files else 1,
        void_pixels=void_pixels,
    )


def digest_case(case: Case) -> str:
    """SHA-256 of all that a training or a score takes from a case: pixels of image and mask, field of view, spacing."""
    return _combine(case, _hash_array(case.image), _hash_array(case.mask))


def _combine(case: Case, *digests: str) -> str:
    view = "" if case.field_of_view is None else _hash_array(case.field_of_view)
    return hashlib.sha256(" ".join((*digests, view, str(case.spacing_mm))).encode()).hexdigest()


def _hash_array(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and elements."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _measure_border(mask: np.ndarray) -> float:
    """Share of a mask's outermost judged pixels, first and last along every axis, that are foreground; 0 without any."""
    ends = [mask.take(end, axis=axis).ravel() for axis in range(mask.ndim) for end in (0, -1)]
    border = np.concatenate(ends)
    return int(np.count_nonzero(find_foreground(border))) / max(int(np.count_nonzero(border != VOID)), 1)


def _cut_zeros(counts: list[int]) -> list[int]:
    """Counts by label up to the last that there is, and those of the background and the first label in any case."""
    last = max((label for label, pixels in enumerate(counts) if pixels), default=0)
    return counts[: max(last + 1, 2)]
