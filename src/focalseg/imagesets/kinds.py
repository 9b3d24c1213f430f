"""Every kind of finding: whether it keeps the data from being used, what was expected, the mend, and what `--repair` does."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from focalseg.catalogue import Catalogue
from focalseg.findings import Finding, Level, show_name

_LEFT_OUT = ("no_mask", "no_image", "transparent")
"""Kinds of finding that a corrected copy does not mend by itself: at files that make no case, which it does not contain, and
those that it mends where an option of its own asks for it."""
IMAGE_FORMATS = "PNG, JPEG, TIFF, BMP, GIF or NIfTI"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of finding. expected and mend: the words of every finding of the kind, unless it brings its own.

    repair: what a corrected copy does about it; empty where only a person can know.
    """

    name: str
    level: Level
    title: str
    expected: str
    mend: str
    repair: str = ""

    def at(
        self,
        file: str | Path,
        found: str,
        *,
        expected: str = "",
        mend: str = "",
        others: Iterable[str | Path] = (),
        repairable: bool = True,
    ) -> Finding:
        """The finding of this kind for a file. repairable False: a copy cannot mend this one, though it mends others."""
        return Finding(
            kind=self.name,
            level=self.level,
            file=str(file),
            found=found,
            expected=expected or self.expected,
            mend=mend or self.mend,
            others=tuple(map(str, others)),
            repairable=repairable and bool(self.repair) and self.name not in _LEFT_OUT,
        )


def _kind(level: Level, name: str, title: str, expected: str, mend: str, *, repair: str = "") -> tuple[str, Kind]:
    return name, Kind(name=name, level=level, title=title, expected=expected, mend=mend, repair=repair)


_error, _note = partial(_kind, "error"), partial(_kind, "note")


# A table, one entry per kind, so it is set by hand:
# fmt: off
KINDS = Catalogue(
    "kind of finding",
    dict(
        (
            # Files and names
            _error("layout", "a folder of no known layout", "images/ and masks/ with files of the same names",
                   "Make the folders, list the files in a manifest.csv (columns image, mask), or give another path."),
            _note("passed_over", "images that are not read, such as those of a folder inside", "all images in one folder",
                  "Move them up, or list them in a manifest."),
            _error("no_mask", "an image without a mask", "a mask of the same name", "Add the mask or take the image out.",
                   repair="leaves the image out"),
            _error("no_image", "a mask without an image", "an image of the same name", "Add the image or take the mask out.",
                   repair="leaves the mask out"),
            _note("unlabelled", "a part of a release that comes without masks", "masks, as in the full release",
                  "Nothing need be done: the other images are used."),
            _error("not_released", "a name that the release of the set does not have", "the release's names",
                   "Rename it as in the release."),
            _error("two_files", "two files for one case", "one file a case", "Rename or remove one."),
            _error("names_clash", "names that differ in case or accents only", "names that differ in every file system",
                   "Rename one."),
            _error("name_unreadable", "a name that is no text", "printable characters in UTF-8", "Rename the file."),
            _error("not_a_file", "a folder or a device where a file was expected", "a file", "Replace or remove it."),
            _error("dead_link", "a link to nothing, or in a circle", "a link to a file", "Mend or remove the link."),
            _note("link_leaves", "a link out of the folder", "files inside of the folder",
                  "Copy the file in, so that the folder is whole when it moves.", repair="copies what the link leads to"),
            _error("no_permission", "a file that may not be read", "a file that you may read",
                   "Give read permission (chmod u+r)."),
            _error("not_supported", "a format that is not read", IMAGE_FORMATS, "Convert the file."),
            _note("folders_read", "folders inside, and what they are taken for", "folders whose meaning is clear",
                  "Nothing need be done if that is so; else list the files in a manifest.csv with image,mask,group."),
            _error("folders_unclear", "folders inside that may mean several things",
                   "folders that images/ has as well, for patients and the like, or labels with masks of the same names",
                   "If they are labels, write labels.csv with label,folder into the folder of the set; if they are patients, "
                   "list the files in a manifest.csv with image,mask,group."),
            _error("empty_folder", "a folder without images", "image files, such as case_1.png", "Put them there."),
            # Damage
            _error("empty_file", "a file of no bytes", "an image", "Replace the file."),
            _error("not_an_image", "a file that is no image, whatever its name says", IMAGE_FORMATS, "Replace the file."),
            _error("damaged", "a file that is cut short or altered", "an undamaged file", "Replace the file."),
            _note("wrong_suffix", "a name that tells another format", "a suffix that fits the content", "Rename the file.",
                  repair="names the copy by its content"),
            _error("too_large", "more pixels than are decoded", "an image within the limit",
                   "Make it smaller, or cut it into parts."),
            _error("too_small", "hardly any pixels", "at least 8 pixels a side", "Take the case out."),
            # Pixels of images
            _error("turned", "stored turned, with a note to turn it back (EXIF)", "an image stored upright",
                   "Save it upright, so that it fits its mask.", repair="turns it upright where it then fits its mask"),
            _error("several_pages", "an animation, or pages that are neither channels nor slices", "one image a file",
                   "Save each page as a file of its own."),
            _note("unmarked_pages", "pages that do not say what they are", "pages that say so, as ImageJ and OME write them",
                  "Look whether they are slices of a volume; if they are channels or points in time, say so in the file."),
            _error("print_colours", "colours for print (CMYK)", "RGB or grey", "Convert it to RGB.",
                   repair="converts it to RGB"),
            _error("transparent", "pixels that are transparent", "opaque pixels",
                   "Save it without transparency, an image on its background and a mask on black, or let check --repair COPY "
                   "--background black (or white) do so.",
                   repair="with --background, lays an image on that colour and a mask on black"),
            _note("alpha_dropped", "an alpha channel that is opaque everywhere", "RGB or grey",
                  "Nothing need be done: it is left out.", repair="leaves it out"),
            _error("not_finite", "pixels that are no finite numbers", "finite intensities", "Mend or remove the case."),
            _error("not_real", "complex or structured pixels", "plain numbers", "Convert it."),
            _note("constant", "an image of one intensity", "an image of something",
                  "Look at it, and take it out if it is broken."),
            _error("unlike", "other channels, number type or axes than most cases", "images alike",
                   "Convert it or take it out.",
                   repair="converts grey to colour where most are, and 16 bits to 8 or the other way"),
            _error("undeclared_channels", "other channels than the table of the set declares",
                   "as many channels as are declared", "Convert the image, or declare its channels."),
            # Masks
            _error("sizes_differ", "image and mask of different sizes", "the same size",
                   "Export the mask again at the image's size."),
            _error("in_between", "values between those of one label, as of JPEG or resizing", "label values alone",
                   "Export the mask without resizing or JPEG.", repair="sets what is above half to the label, the rest to 0"),
            _error("blended", "values or colours between those of labels, as of JPEG or resizing",
                   "those of the labels alone",
                   "Export the mask again at its own size and as PNG, or resize it by the nearest pixel."),
            _error("photograph", "an image in the place of a mask", "a mask",
                   "Were image and mask swapped? Else export the mask again."),
            _error("not_declared", "a label that is not declared", "the declared labels",
                   "Mend the mask or declare the label."),
            _error("not_whole", "labels that are no whole numbers from 0", "whole numbers from 0 on",
                   "Export the labels again.", repair="rounds what is within 0.01 of a whole number"),
            _error("colours_unknown", "colours without a table", "a table of colours, labels.csv with label,colour",
                   "Write it into the folder of the set, beside the folders of images and masks, or export label numbers."),
            _note("colour_mask", "a black and white mask saved in colour", "a grey mask",
                  "Nothing need be done: it is read as grey.", repair="saves it as grey"),
            _note("thresholded", "stray values that the release of this set is known for", "0 and 255",
                  "Nothing need be done: what is above 127 counts."),
            _note("empty_mask", "an empty mask", "foreground, unless the case has none", "Look whether that is so."),
            _note("full_mask", "a mask that covers everything", "some background",
                  "Look whether it is inverted or a placeholder."),
            _note("inverted", "much more foreground than in other cases, with the borders in it", "masks alike",
                  "Look whether the mask is inverted."),
            _note("absent_label", "a label that is declared and that no case has", "the labels that there are",
                  "Take it out of the table if it is none of this set's: a training needs cases of it."),
            _note("void", "pixels that nobody judged", "a judgement of every pixel",
                  "Nothing need be done: they count neither in the loss nor in scores. If somebody did judge them, rename the "
                  "label."),
            _error("nothing_judged", "a mask without a judged pixel", "some judged pixels in every case", "Take the case out."),
            _error("empty_view", "a field of view without a pixel", "where the image shows anything", "Export it again."),
            _note("outside_view", "a mask that lies largely outside of the field of view", "what is to be found within it",
                  "Look whether the field of view is inverted or another case's."),
            _error("no_part", "a case in no part of an official split", "train, validation or test for every case, or for none",
                   "Write its part into the table, or leave the whole column empty."),
            _note("rare_label", "a label that no other case has", "labels that recur", "Look whether it is a slip."),
            _note("several_masks", "several masks of one image", "one mask", "Nothing need be done: they are joined."),
            _note("label_without_file", "a label that has no file for some images", "a mask of every label for every image",
                  "Look whether that is so; an empty mask would say it for certain."),
            _note("labels_overlap", "pixels that are of two labels", "one label a pixel",
                  "Look which should win: what lies inside the other does, else the later line of labels.csv."),
            # Geometry
            _error("elsewhere", "image and labels at different places in space", "the same affine",
                   "Resample the labels onto the image's grid, or copy its qform and sform where only they are wrong."),
            _error("two_places", "qform and sform that disagree", "one place in space", "Write the right one into both.",
                   repair="keeps the sform, as most readers do"),
            _error("bad_spacing", "voxels without a size, or sheared", "positive sizes along right-angled axes",
                   "Mend the header."),
            _error("wrong_axes", "more or fewer axes than a volume has", "three axes, or four with the channels last",
                   "Save one volume a file."),
            _note("converted_unit", "sizes in another unit than mm", "mm", "Nothing need be done: they are converted."),
            _note("fourth_axis", "a fourth axis of length 1", "three axes", "Nothing need be done: it is dropped.",
                  repair="drops it"),
            # Tables
            _error("bad_table", "a table that cannot be read as it should", "a table as the documentation shows",
                   "Mend or remove the file."),
            _error("outside", "a path that leads out of the folder", "paths inside of the folder",
                   "Move the file in and mend the line."),
            _error("wrong_count", "another number of cases than the table says", "the number in the table",
                   "Add what is missing or mend the table."),
            # Between cases
            _note("off_scale", "intensities on another scale than those of most cases", "one scale for all cases",
                  "Save it on the scale of the others or take it out; data.normalisation=case scales each by itself."),
            _note("negative", "an image that looks like a negative of the others", "bright and dark as in the other cases",
                  "Look at it, and invert it if it is one."),
            _note("channels_swapped", "channels that look swapped, such as blue for red", "channels in one order",
                  "Look at it, and save its channels in the order of the others (RGB, not BGR)."),
            _note("identical", "the same image twice", "different images",
                  "Take one out if it adds nothing; a split keeps them on one side."),
            _note("near_duplicate", "nearly the same image twice", "different images",
                  "Nothing need be done: a split keeps them on one side."),
            _error("leak", "cases that belong together on two sides of a split", "what belongs together on one side",
                   "Move one to the other's side or take it out."),
        )
    ),
)
# fmt: on


def list_names(files: Iterable[str | Path], most: int = 3) -> str:
    """The names of the first few files, and the number of the others."""
    shown = [show_name(str(file)) for file in files]
    rest = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest
