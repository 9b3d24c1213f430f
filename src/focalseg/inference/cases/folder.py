"""The folder that masks go to: claimed for a model and its settings, and a line kept of each mask.

Nothing is overwritten that is not known as ours. A mask is announced before it is written, so that one that a kill left without
its line is known all the same. No torch.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from focalseg.errors import DataError, MachineError, SettingError
from focalseg.files import hold_lock, open_to_append, refuse_linked_folders, write_whole
from focalseg.findings import counted, show_path
from focalseg.imagesets.dataset import read_image
from focalseg.inference.cases.inputs import InputCase
from focalseg.records.prediction import MASKS, PREDICTION, MaskEntry, PredictionRecord, read_entries
from focalseg.records.record import read_record, write_record
from focalseg.records.seals import hash_file

PROBABILITIES, OVERLAYS = "probabilities", "overlays"
_DECIDING = ("model_digest", "overlap", "flips", "threshold")
"""Fields of the record that decide a mask."""
EDITED = "was changed since it was predicted, and is left as it is; remove it to have it made again."


def refuse_out(out: Path, model: Path, given: Sequence[Path]) -> None:
    """Raises SettingError for an --out that is a file, the model's folder, or within a folder of images."""
    if (out.exists() or out.is_symlink()) and not out.is_dir():
        raise SettingError(
            f"{show_path(out)} is a file; expected a folder, or a path where one can be made. Give another --out."
        )
    place = out.resolve()
    if place == model.resolve():
        raise SettingError(f"{show_path(out)} is the folder of the model; expected another for the masks. Give another --out.")
    for path in given:
        inside = place == path.resolve() or path.resolve() in place.parents
        if path.is_dir() and inside:
            found = f"lies in {show_path(path)}" if place != path.resolve() else "is the folder of the images"
            raise SettingError(f"{show_path(out)} {found}, which is never written to; give a folder outside of it as --out.")
        if not path.is_dir() and place == path.resolve().parent:
            raise SettingError(
                f"{show_path(out)} is the folder of {show_path(path.name)}; expected one for masks alone, or they would be "
                "taken for images the next time. Give another --out."
            )
    if out.is_dir():
        refuse_linked_folders(out)


class MaskFolder:
    """A folder of masks and what is known of its files. wanted: the folders in it of what is written besides masks."""

    def __init__(self, out: Path, record: PredictionRecord, wanted: Sequence[str] = ()) -> None:
        """Raises SettingError for a folder that was made by another model or with other settings."""
        self.out, self.record, self.wanted = out, record, tuple(wanted)
        known = (out / PREDICTION).exists()
        if known:
            _refuse_other(out, read_record(PredictionRecord, out / PREDICTION), record)
        self.entries = read_entries(out / MASKS)[0] if known else {}

    def list_outputs(self, case: InputCase) -> tuple[str, ...]:
        """The paths within the folder of all that is written of a case, the mask first."""
        suffix = ".nii.gz" if case.mask.endswith(".nii.gz") else ".tif"
        names = {PROBABILITIES: f"{PROBABILITIES}/{case.stem}{suffix}", OVERLAYS: f"{OVERLAYS}/{case.stem}.png"}
        return (case.mask, *(names[what] for what in self.wanted))

    def refuse_foreign(self, cases: Iterable[InputCase]) -> None:
        """Raises SettingError where a file that is not ours has the name of one that would be written."""
        foreign = [
            name
            for case in cases
            for name in self.list_outputs(case)
            if os.path.lexists(self.out / name) and not self._owns(case, name)
        ]
        if foreign:
            others = f" (and so would {counted(len(foreign) - 1, 'other file')})" if len(foreign) > 1 else ""
            raise SettingError(
                f"{show_path(self.out / foreign[0])} would be overwritten{others} and was not made here by `focalseg predict`; "
                "expected a folder without files of those names. Move it away, or give another --out."
            )

    def _owns(self, case: InputCase, name: str) -> bool:
        entry = self.entries.get(case.mask)
        return entry is not None and (not entry.outputs or name == case.mask or name in entry.outputs)

    def settle_others(self, case: InputCase, inputs: Mapping[str, str]) -> dict[str, str]:
        """What was written of a case earlier and is not wanted now: its digests for the same image, else removed."""
        entry = self.entries.get(case.mask)
        if entry is None:
            return {}
        others = {name: digest for name, digest in entry.outputs.items() if name not in self.list_outputs(case)}
        if entry.inputs == inputs:
            return others
        for name, digest in others.items():
            path = self.out / name
            if path.is_file() and hash_file(path) == digest:
                path.unlink()
        return {}

    def find_finished(self, case: InputCase) -> MaskEntry | None:
        """The entry of a case whose mask need not be made again; None for one that has to be.

        That is one whose files are all as they were written, for an image that is still the same; and a mask that somebody has
        changed since, which is never overwritten.
        """
        entry = self.entries.get(case.mask)
        mask = self.out / case.mask
        if entry is None or not entry.outputs or not mask.is_file():
            return None
        if hash_file(mask) != entry.outputs.get(case.mask):
            return _mark_edited(entry) if _is_sound(mask) else None
        same = hash_inputs(case) == entry.inputs and all(
            (self.out / name).is_file() and hash_file(self.out / name) == entry.outputs.get(name)
            for name in self.list_outputs(case)
        )
        return entry if same else None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Makes the folder where there is none, and keeps every other process out of it until the block ends, or this one does.

        Raises SettingError where another process holds it. Holding needs a POSIX system.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            mend = "check the path and who may write there, then run the same command again"
            raise MachineError(f"{show_path(self.out)} cannot be made ({error.strerror or error}); {mend}.") from error
        with hold_lock(self.out):
            self._claim()
            yield

    def _claim(self) -> None:
        """Looks once more at whose the folder is, now that no other process writes to it, and writes down that it is ours."""
        record, masks = self.out / PREDICTION, self.out / MASKS
        if record.exists():
            _refuse_other(self.out, read_record(PredictionRecord, record), self.record)
        else:
            write_record(record, self.record)
        self.entries, taken = read_entries(masks)
        if not masks.exists() or masks.stat().st_size != taken:  # a line that a kill cut off is taken away
            whole = masks.read_bytes()[:taken] if masks.exists() else b""
            write_whole(masks, lambda file: file.write(whole))

    def keep(self, entry: MaskEntry) -> None:
        """Writes the line of a mask, and forces it to disk."""
        self.entries[entry.mask] = entry
        with open_to_append(self.out / MASKS) as file:
            file.write(entry.to_line())
            file.flush()
            os.fsync(file.fileno())


def hash_inputs(case: InputCase) -> dict[str, str]:
    """SHA-256 of the files of a case, by name. Raises DataError for one that cannot be read."""
    try:
        return {path.name: hash_file(path) for path in case.images}
    except OSError as error:
        name = show_path(error.filename or case.images[0])
        raise DataError(f"{name}: cannot be read ({error.strerror or error}); expected an image. Replace it.") from error


def _refuse_other(out: Path, begun: PredictionRecord, asked: PredictionRecord) -> None:
    if all(getattr(begun, name) == getattr(asked, name) for name in _DECIDING):
        return
    place = f"{show_path(out)} (see {PREDICTION} there)"
    if begun.model_digest != asked.model_digest:
        by = f"{show_path(begun.model)} ({counted(begun.networks, 'network')})"
        own = counted(asked.networks, "network")
        raise SettingError(
            f"{place} holds masks by another model, {by}; expected one model per folder, and this one has {own}. Give another "
            "--out, or remove that folder to start anew."
        )
    given = f"--overlap {begun.overlap:g}{' --flips' if begun.flips else ''}"
    given += f" --threshold {begun.threshold:g}" if begun.threshold != asked.threshold else ""
    less = "" if begun.flips else " and no --flips"
    raise SettingError(
        f"{place} holds masks made with other settings; expected the same for all. Give {given}{less} to go on, or another "
        "--out."
    )


def _mark_edited(entry: MaskEntry) -> MaskEntry:
    return MaskEntry(mask=entry.mask, inputs=entry.inputs, outputs=entry.outputs, doubts=(*entry.doubts, f"The mask {EDITED}"))


def _is_sound(path: Path) -> bool:
    """Whether a file is whole, so that somebody has changed it, and not a disk."""
    try:
        read_image(path)
    except DataError:
        return False
    return True
