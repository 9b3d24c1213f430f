"""Whose weights a training begins with, as a setting."""

from dataclasses import dataclass

from focalseg.configuration import CheckedConfig


@dataclass(frozen=True, kw_only=True)
class StartConfig(CheckedConfig):
    """The network of a finished training. path: of its weights, which may be moved later. sha256: by which they are known
    wherever they lie."""

    path: str
    sha256: str
