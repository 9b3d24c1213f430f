"""Damages bytes by chance, the way disks, transfers and editors do: for tests that readers refuse or read, and nothing else."""

import struct

import numpy as np

NUMBERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
FIELDS = ("<H", ">H", "<I", ">I", "<Q", ">Q")


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """One to four changes: flipped bits, a cut, an insertion, a run of zeros, two parts swapped, a number replaced."""
    changes = (flip, cut, insert, zero, swap, renumber)
    damaged = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        if damaged:
            changes[random.integers(len(changes))](damaged, random)
    return bytes(damaged)


def flip(content: bytearray, random: np.random.Generator) -> None:
    """One to eight bits."""
    for _ in range(int(random.integers(1, 9))):
        content[place(content, random)] ^= 1 << int(random.integers(8))


def cut(content: bytearray, random: np.random.Generator) -> None:
    """The end, or a part within."""
    start = place(content, random)
    length = len(content) if random.random() < 0.5 else int(random.integers(1, 65))
    del content[start : start + length]


def insert(content: bytearray, random: np.random.Generator) -> None:
    """Up to 64 bytes, by chance or repeated from elsewhere."""
    start, source, length = place(content, random), place(content, random), int(random.integers(1, 65))
    content[start:start] = random.bytes(length) if random.random() < 0.5 else content[source : source + length]


def zero(content: bytearray, random: np.random.Generator) -> None:
    """Up to 512 bytes, as a disk block that was never written."""
    start = place(content, random)
    end = min(len(content), start + int(random.integers(1, 513)))
    content[start:end] = bytes(end - start)


def swap(content: bytearray, random: np.random.Generator) -> None:
    """Two parts of one length."""
    first, second = sorted((place(content, random), place(content, random)))
    length = min(int(random.integers(1, 65)), second - first, len(content) - second)
    content[first : first + length], content[second : second + length] = (
        content[second : second + length],
        content[first : first + length],
    )


def renumber(content: bytearray, random: np.random.Generator) -> None:
    """A number of 2, 4 or 8 bytes, mostly in the header, becomes one at which programs slip."""
    field = FIELDS[random.integers(len(FIELDS))]
    size = struct.calcsize(field)
    bound = min(len(content), 256) if random.random() < 0.7 else len(content)
    if bound > size:
        struct.pack_into(field, content, int(random.integers(bound - size)), NUMBERS[random.integers(len(NUMBERS))] % 256**size)


def place(content: bytearray, random: np.random.Generator) -> int:
    """Any position."""
    return int(random.integers(len(content)))
