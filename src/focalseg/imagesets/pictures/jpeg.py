"""The segments of a JPEG (ITU T.81, annex B), to know that it is whole: a decoder turns grey what is missing."""

import re
from dataclasses import dataclass

from focalseg.imagesets.pictures.damage import DamageError

_START = b"\xff\xd8"
END, SCAN, INTERVAL = 0xD9, 0xDA, 0xDD
_MOST_SCANS = 100
"""The most scans of a progressive JPEG: a dozen are usual, and each takes the time of a decoding."""
_ALONE = range(0xD0, 0xD9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_MARKER_OR_RESTART = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")


@dataclass(frozen=True)
class _Frame:
    """What a frame header says. samplings: blocks along x and y per component, by its number."""

    width: int
    height: int
    samplings: dict[int, tuple[int, int]]

    def count_units(self, components: list[int]) -> int:
        """Coded units of a scan over those components (A.2): one block for one component, else the smallest whole group."""
        most_x = max(x for x, _ in self.samplings.values())
        most_y = max(y for _, y in self.samplings.values())
        x, y = self.samplings[components[0]] if len(components) == 1 else (1, 1)
        return -(-self.width * x // (8 * most_x)) * -(-self.height * y // (8 * most_y))


def find_jpeg_end(content: bytes) -> int:
    """Where the marker stands that ends a JPEG. Raises DamageError where there is none, or where parts do not fit.

    What follows the end is no damage: cameras and phones put further pictures there.
    """
    if content[:2] != _START:
        raise DamageError("is altered: it does not begin as a JPEG does")
    position, interval, scan, scans = 2, 0, b"", 0
    frame: _Frame | None = None
    while True:
        found = (_MARKER if interval else _MARKER_OR_RESTART).search(content, position)
        if not found:
            raise DamageError(f"is cut short: it ends after {len(content):,} bytes, without the end of a JPEG")
        if scan and frame:
            if interval:
                _check_restarts(_RESTART.findall(content, position, found.start()), frame, interval, scan)
        elif content[position : found.start()].strip(b"\xff"):
            raise DamageError(f"is altered: no segment begins at byte {position:,}")
        marker = content[found.start() + 1]
        if marker == END:
            break
        segment = _read_segment(content, marker, found.end())
        position = found.end() + 2 + len(segment)
        scan = segment if marker == SCAN else b""
        scans += marker == SCAN
        if scans > _MOST_SCANS:
            raise DamageError(f"has more than {_MOST_SCANS} passes over its pixels")
        if marker in _FRAMES:
            frame = _read_frame(segment, frame)
        elif marker == INTERVAL:
            interval = int.from_bytes(segment[:2], "big")
    if not scan or not frame:
        raise DamageError("is altered: its pixels do not lie between its header and its end")
    return found.start()


def _read_segment(content: bytes, marker: int, start: int) -> bytes:
    """The content of a segment, which follows its length."""
    if marker in _ALONE:
        raise DamageError(f"is altered: a mark that does not belong there stands at byte {start:,}")
    length = int.from_bytes(content[start : start + 2], "big")
    if length < 2 or start + length > len(content):
        raise DamageError(f"is cut short: a segment of {length:,} bytes begins at byte {start:,} of {len(content):,}")
    return content[start + 2 : start + length]


def _read_frame(segment: bytes, before: _Frame | None) -> _Frame:
    if before:
        raise DamageError("is altered: it has two headers")
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    samplings = {segment[at]: (segment[at + 1] >> 4, segment[at + 1] & 15) for at in range(6, 6 + 3 * segment[5], 3)}
    if not samplings or not all(0 < x < 5 and 0 < y < 5 for x, y in samplings.values()):
        raise DamageError("is altered: its header holds impossible samplings")
    return _Frame(width, height, samplings)


def _check_restarts(marks: list[bytes], frame: _Frame, interval: int, scan: bytes) -> None:
    """Restart marks count from 0 to 7 over and over, one after each interval: so a part that is missing shows."""
    if [mark[0] & 7 for mark in marks] != [number % 8 for number in range(len(marks))]:
        raise DamageError("is altered: a part of its pixels is missing")
    components = [scan[1 + 2 * number] for number in range(scan[0])]
    if not components or not set(components) <= set(frame.samplings):
        raise DamageError("is altered: its pixels belong to no component")
    wanted = -(-frame.count_units(components) // interval) - 1
    # Some write a last mark after the last interval.
    if len(marks) not in (wanted, wanted + 1):
        raise DamageError(f"is altered: its pixels have {len(marks):,} restart marks of {wanted:,}")
