"""One case: an image, its mask, its name and the group it must never be separated from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focalseg.labels import FOREGROUND


@dataclass(frozen=True, kw_only=True)
class Case:
    """image (C, *spatial) uint8 or uint16 or float32; mask (*spatial) uint8. name is unique in its data set.

    mask: 0 is background, 1 and up the data set's labels in their order. group names what belongs together: a video sequence,
    a subject. A case that stands alone is its own group. spacing_mm: size of a pixel along each spatial axis, where known.
    """

    name: str
    group: str
    image: np.ndarray
    mask: np.ndarray
    spacing_mm: tuple[float, ...] | None = None


class Dataset(ABC):
    """Cases by number, read when asked for. `names` and `groups` are known without decoding an image.

    labels: names of the foreground labels, whose numbers in a mask start at 1.
    """

    source: str
    names: Sequence[str]
    groups: Sequence[str]
    labels: Sequence[str] = (FOREGROUND,)

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def read_case(self, number: int) -> Case:
        """The case of that number. Raises DataError naming the file for anything that cannot be used."""

    @property
    def grouped(self) -> bool:
        """Whether any two cases belong together."""
        return len(set(self.groups)) < len(self.groups)
