"""Medical Segmentation Decathlon (Antonelli et al. 2022, Nature Communications 13:4128; Simpson et al. 2019, arXiv 1902.09063).

Official: ten tasks, `imagesTr/<id>.nii.gz` with labels of the same name in `labelsTr/`, channels on a fourth axis, and
`dataset.json` with the names of labels and channels; the hidden `._` files of its archives are no data. The labels of
`imagesTs/` are not published. There is no official split of the training cases.
"""

from pathlib import Path

from focalseg.findings import Finding
from focalseg.imagesets.case import CaseFiles
from focalseg.imagesets.folders.files import VOLUMES, find_file, find_folders, list_files
from focalseg.imagesets.folders.listing import Listing
from focalseg.imagesets.folders.pairing import SAME_NAME, match_pairs
from focalseg.imagesets.folders.tables import attempt, read_json
from focalseg.imagesets.layouts.dataset_json import TABLE, check_count, check_list, read_channels, read_labels
from focalseg.imagesets.masks import MaskCoding

TITLE = "Medical Segmentation Decathlon"
EXPECTED = "imagesTr/ and labelsTr/ with volumes of the same names (case_1.nii.gz in both)"
IMAGES, LABELS = "imagesTr", "labelsTr"


def recognise(folder: Path) -> bool:
    """The layout is marked by `imagesTr/` and `labelsTr/`. nnU-Net's folders have them as well, so nnU-Net is tried first."""
    return bool(find_folders(folder, IMAGES) and find_folders(folder, LABELS))


def read(folder: Path) -> Listing:
    """Volumes by id. Without dataset.json only the masks can tell the labels."""
    images, labels = (list_files(find_folders(folder, name)[0], VOLUMES, root=folder) for name in (IMAGES, LABELS))
    paired = match_pairs(images, labels, SAME_NAME)
    findings: list[Finding] = [*images.findings, *labels.findings, *paired.findings]
    cases = [CaseFiles(name=name, images=(image,), masks=(mask,)) for name, (image, mask) in paired.pairs.items()]
    coding, channels = MaskCoding(labels=None), None
    path = find_file(folder, TABLE)
    if path and (content := attempt(findings, read_json, path)) is not None:
        coding = attempt(findings, read_labels, content, path) or coding
        if key := next((key for key in ("modality", "channel_names") if key in content), None):
            channels = attempt(findings, read_channels, content, path, key)
        every = images.files.keys() | labels.files.keys() | images.left_out | labels.left_out
        if images.listed and labels.listed and every:
            differences = check_list(content, path, sorted(every))
            findings += differences or check_count(content, path, whole=len(cases), every=len(every))
    return Listing(cases=tuple(cases), coding=coding, findings=tuple(findings), channels=len(channels) if channels else None)
