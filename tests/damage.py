"""Damage as disks and power cuts do it: one flipped bit, and a file that ends too early; and files without their seal."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def flip_bits(content: bytes, count: int, *, seed: int = 0) -> Iterator[bytes]:
    """The content with one bit flipped, so many times, each at another random place."""
    numbers = random.Random(seed).sample(range(8 * len(content)), min(count, 8 * len(content)))
    for number in numbers:
        flipped = bytearray(content)
        flipped[number // 8] ^= 1 << number % 8
        yield bytes(flipped)


def cut(content: bytes, parts: int = 10) -> Iterator[bytes]:
    """The first tenths of the content, from nothing at all to nine of ten; and all but the last two bytes."""
    yield from (content[: len(content) * part // parts] for part in range(parts))
    yield content[:-2]


def read_unsealed(path: Path) -> dict[str, Any]:
    """What a record says, without its seal and the digest of the file beside it, as an earlier version wrote it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in content.items() if name not in ("focalseg", "seal", "sha256")}
