"""Seals and digests, by which a file of ours shows that it is as it was written.

JSON carries its own seal, a binary file ends in its own digest, and what is neither is named with its digest in a sealed record
beside it. A flipped bit, a cut or a file of another job is then seen by whoever reads it, and is never taken for a result.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from focalseg.errors import SettingError
from focalseg.files import write_whole

SEAL, WRITER = "seal", "focalseg"
"""The last two names at the top of a sealed file: the SHA-256 of all that is before, and the version that wrote it."""
_TRAILER = b"\nsha256:"
_TRAILER_BYTES = len(_TRAILER) + 64
_SIGNATURE = "# SHA-256 of all lines above: "
_TICK_NS = 2_000_000_000
_ALTERED = "is not as it was written"


def seal(content: Mapping[str, Any], *, writer: str) -> dict[str, Any]:
    """The content with its writer and, after it, the SHA-256 of both in canonical form."""
    signed = {**content, WRITER: writer}
    return {**signed, SEAL: _hash_content(signed)}


def open_seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content without seal and writer. Raises ValueError, in words that continue the name of a file, where it was altered.

    A file with neither was written by hand, or by a version that sealed nothing, and is let be. One of the two alone is damage.
    """
    bare = {name: value for name, value in content.items() if name not in (SEAL, WRITER)}
    if len(bare) == len(content):
        return bare
    signed = {name: value for name, value in content.items() if name != SEAL}
    if WRITER not in content or content.get(SEAL) != _hash_content(signed):
        edited = f"of a file that you edited yourself, take the lines `{WRITER}` and `{SEAL}` out"
        raise ValueError(f"{_ALTERED}: its seal does not hold ({edited})")
    return bare


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Whether there is a seal or what goes with it."""
    return SEAL in content or WRITER in content


def _hash_content(content: Mapping[str, Any]) -> str:
    # The values and not their layout: a file that was only indented anew is the same.
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii", "surrogatepass")).hexdigest()


def write_signed(path: Path, content: bytes | memoryview) -> None:
    """Writes a binary file that ends in its own digest, whole or not at all."""
    digest = hashlib.sha256(content).hexdigest().encode()
    write_whole(path, lambda file: file.writelines((content, _TRAILER, digest)))


def read_signed(path: Path) -> bytes:
    """What `write_signed` was given. Raises ValueError, in words that continue the name of the file, where it was altered, and
    OSError."""
    whole = path.read_bytes()
    content, trailer = whole[:-_TRAILER_BYTES], whole[-_TRAILER_BYTES:]
    if trailer != _TRAILER + hashlib.sha256(content).hexdigest().encode():
        raise ValueError(f"{_ALTERED}: it does not end in its own SHA-256")
    return content


def sign_text(text: str) -> str:
    """The text, and below it a line of comment (# as in YAML) with its SHA-256."""
    return f"{text}{_SIGNATURE}{hashlib.sha256(text.encode()).hexdigest()}\n"


def read_signed_text(text: str) -> str | None:
    """The text above that line; None where there is no such line, or it does not hold."""
    body, mark, _ = text.rpartition(_SIGNATURE)
    return body if mark and text == sign_text(body) else None


def hash_file(path: Path) -> str:
    """SHA-256 of a file. One that has not been touched since is not read again."""
    state = path.stat()
    # Within the tick of a file system's clock a file may change twice and keep its times: such a young file is always read.
    settled = time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _TICK_NS
    read = _hash_file if settled else _hash_file.__wrapped__
    return read(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=4096)
def _hash_file(path: Path, *_state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(path: Path, sha256: str, again: str) -> Path:
    """The path of a file with that digest. again: how the file is made again. Raises SettingError for one that is missing or
    was altered."""
    try:
        altered = hash_file(path) != sha256
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror or error}); {again}.") from error
    if altered:
        raise SettingError(f"{path} {_ALTERED}: its SHA-256 is another than the one kept of it; {again}.")
    return path
