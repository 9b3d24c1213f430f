"""Plain folders: `images/` and `masks/`, matched by stem."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from focalseg.data.case import Case, Dataset
from focalseg.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
MOST_PIXELS = 100_000_000
FULL = 255
WIDE_MODES = {"I;16": np.uint16, "I;16B": np.uint16, "I": np.float32, "F": np.float32}
ORIENTATION_TAG = 0x0112


class FolderDataset(Dataset):
    """Pairs of image and mask files."""

    def __init__(self, source: str, pairs: Mapping[str, tuple[Path, Path]], groups: Mapping[str, str]) -> None:
        self.source = source
        self.names = tuple(pairs)
        self.groups = tuple(groups[name] for name in self.names)
        self._pairs = dict(pairs)

    def read_case(self, number: int) -> Case:
        name = self.names[number]
        image_path, mask_path = self._pairs[name]
        image, mask = read_image(image_path), read_mask(mask_path)
        if image.shape[1:] != mask.shape:
            raise DataError(size_fault(mask_path, mask.shape[::-1], image.shape[:0:-1]))
        return Case(name=name, group=self.groups[number], image=image, mask=mask)

    def check_headers(self) -> None:
        """Opens every file without decoding it. Raises DataError with a line for each that is no image or of another size."""
        faults: list[str] = []
        for image_path, mask_path in self._pairs.values():
            try:
                image_size, mask_size = read_size(image_path), read_size(mask_path)
            except DataError as error:
                faults += error.faults
                continue
            if image_size != mask_size:
                faults.append(size_fault(mask_path, mask_size, image_size))
        if faults:
            raise DataError(faults)


def find_pairs(images: Path, masks: Path) -> dict[str, tuple[Path, Path]]:
    """Image and mask files by their common stem, in natural order. Raises DataError naming every file without a partner."""
    image_files, mask_files = list_images(images), list_images(masks)
    faults = [
        f"{path}: no mask of that name in {masks}/; expected {path.stem}.png or the like. Add the mask or take the image out."
        for stem, path in image_files.items()
        if stem not in mask_files
    ]
    faults += [
        f"{path}: no image of that name in {images}/; expected {path.stem}.png or the like. Add the image or take the mask out."
        for stem, path in mask_files.items()
        if stem not in image_files
    ]
    if not image_files:
        faults.append(f"{images} holds no images; expected files such as case_1.png ({', '.join(SUFFIXES)}). Put them there.")
    if faults:
        raise DataError(faults)
    return {stem: (path, mask_files[stem]) for stem, path in image_files.items()}


def list_images(folder: Path) -> dict[str, Path]:
    """Image files of a folder by stem. Raises DataError where two files share a stem."""
    files: dict[str, Path] = {}
    faults = []
    for path in sorted(folder.iterdir(), key=lambda path: (natural_key(path.stem), path.suffix)):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        try:
            path.name.encode()
        except UnicodeEncodeError:
            faults.append(f"{str(path)!r}: its name is not valid UTF-8; rename the file.")
            continue
        if path.stem in files:
            faults.append(
                f"{path}: has the same name as {files[path.stem].name}; expected one file a case. Rename or remove one."
            )
        files[path.stem] = path
    if faults:
        raise DataError(faults)
    return files


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts `case_2` before `case_10`."""
    digits = ""
    parts: list[tuple[int, int | str]] = []
    for character in text + "\0":
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits)))
            digits = ""
        parts.append((1, character))
    return tuple(parts)


def read_image(path: Path) -> np.ndarray:
    """(C, H, W) uint8, uint16 or float32 as the file has it, C 1 for grey and 3 for colour. Raises DataError, file named."""
    with open_image(path) as file:
        if file.mode in WIDE_MODES:
            pixels = np.asarray(file).astype(WIDE_MODES[file.mode])
        else:
            grey = file.mode in ("1", "L", "LA")
            pixels = np.asarray(file.convert("L" if grey else "RGB"))
    if not np.isfinite(pixels).all():
        raise DataError(f"{path}: has pixels that are no finite numbers; expected finite intensities. Mend or remove the case.")
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def read_mask(path: Path) -> np.ndarray:
    """(H, W) uint8, 1 above 127 where the mask goes up to 255, else where it is not 0.

    Colours count by their strongest channel, transparent pixels as 0. Raises DataError for a mask of several labels.
    """
    with open_image(path) as file:
        if file.mode in (*WIDE_MODES, "1", "L"):
            pixels = np.asarray(file)
        else:
            colours = np.asarray(file.convert("RGBA"))
            pixels = colours[..., :3].max(axis=2) * (colours[..., 3] > 0)
    if pixels.max(initial=0) == FULL:
        return np.asarray(pixels > FULL // 2).view(np.uint8)
    values = np.unique(pixels)
    if len(values) > 2 or (len(values) == 2 and values[0] != 0):
        shown = ", ".join(str(value) for value in values[:6]) + (" and more" if len(values) > 6 else "")
        raise DataError(f"{path}: holds the values {shown}; expected 0 and 255, or 0 and one other. Keep one label.")
    return np.asarray(pixels != 0).view(np.uint8)


def read_size(path: Path) -> tuple[int, int]:
    """(width, height) from the header alone."""
    with _open_header(path) as file:
        return file.size


def open_image(path: Path) -> Image.Image:
    """The decoded image. Raises DataError for files that are no image, damaged, or larger than we decode."""
    file = _open_header(path)
    try:
        file.load()
    except (OSError, ValueError, SyntaxError) as error:
        file.close()
        raise DataError(f"{path}: cannot be decoded ({error}); expected an undamaged image. Replace the file.") from error
    fault = ""
    if getattr(file, "n_frames", 1) > 1:
        fault = f"has {file.n_frames} pages; expected one image a file. Save each page as a file of its own."  # type: ignore[attr-defined]
    elif file.getexif().get(ORIENTATION_TAG, 1) != 1:
        fault = "is stored turned, with a note to turn it back (EXIF); save it upright, so that it fits its mask."
    if fault:
        file.close()
        raise DataError(f"{path}: {fault}")
    return file


def _open_header(path: Path) -> Image.Image:
    try:
        file = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is not a PNG, JPEG, TIFF or BMP image, whatever its name says. Replace the file.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be opened ({error}); expected a readable image. Replace the file.") from error
    if file.width * file.height > MOST_PIXELS:
        file.close()
        raise DataError(
            f"{path}: has {file.width} x {file.height} pixels; at most {MOST_PIXELS:,} are decoded. Make it smaller."
        )
    return file


def size_fault(mask: Path, mask_size: Sequence[int], image_size: Sequence[int]) -> str:
    """The sentence for a mask whose width and height are not its image's."""
    return (
        f"{mask}: is {mask_size[0]} x {mask_size[1]} pixels but its image is {image_size[0]} x {image_size[1]}; "
        "expected the same size. Export the mask again at the image's size."
    )
