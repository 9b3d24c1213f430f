"""The size that images are brought to, and the network for it: whatever can be read can be trained on."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from focalseg.errors import ShapeError
from focalseg.hosts.building import NetworkConfig, build_host
from focalseg.hosts.tracing import check_forward
from focalseg.imagesets.case import Case
from focalseg.imagesets.opening import open_dataset
from focalseg.imagesets.survey.summary import summarise
from focalseg.imagesets.survey.survey import Survey, survey_dataset
from focalseg.records.splits import Split
from focalseg.study.planning.frame import Frame, plan_frame
from focalseg.study.presets import build_settings
from focalseg.study.train import train_one


def frame_of(*sizes: tuple[int, ...], **changes) -> Frame:
    """The frame of cases of these sizes, by the quick preset."""
    cases = []
    for number, size in enumerate(sizes):
        mask = np.zeros(size, np.uint8)
        mask.flat[number] = 1
        case = Case(name=f"c{number}", group=f"c{number}", image=mask[None] * np.uint8(9), mask=mask)
        cases.append(summarise(case, number=number))
    names = tuple(case.name for case in cases)
    survey = Survey(source="x", layout="", labels=("a",), cases=tuple(cases), groups={}, pairs=(), findings=())
    split = Split(fold=0, train=names, validation=names[:1], test=names[:1])
    return plan_frame(survey, split, build_settings("quick", changes))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((20, 1, 12), (20, 2, 12)),  # one slice becomes two alike
        ((1, 64, 64), (2, 64, 64)),
        ((2, 64, 64), (2, 64, 64)),
        ((3, 512, 512), (3, 128, 128)),  # the three slices stay three
        ((20, 512, 512), (5, 128, 128)),
        ((8, 1200), (8, 128)),  # the eight lines stay eight
        ((1200, 8), (128, 8)),
        ((9, 9), (9, 9)),
        ((300, 100), (128, 43)),
    ],
)
def test_images_of_any_shape_are_brought_to_a_size_that_their_network_takes(size, expected):
    frame = frame_of(size, size)
    assert frame.size == frame.window == expected
    check_forward(build_host(frame.network), (1, *frame.window), classes=1)


def test_sizes_that_differ_and_patches_larger_than_images_are_taken():
    assert frame_of((16, 300), (300, 16), (64, 64)).size == (64, 64)
    assert frame_of((8, 1200), (8, 1200), data={"patch_side": 512}).window == (8, 128)
    assert frame_of((8, 1200), (8, 1200), data={"longest_side": 16}).size == (8, 16)


def test_sides_too_short_for_the_levels_that_were_asked_for_are_enlarged():
    widths = {"arguments": {"widths": [2, 2, 2, 2, 2]}}
    assert frame_of((20, 1, 12), (20, 1, 12), network=widths).size == (16, 16, 16)


def test_a_size_that_no_enlarging_mends_is_refused_with_settings_that_there_are():
    with pytest.raises(ShapeError) as caught:
        frame_of((20, 1, 12), (20, 1, 12), network={"arguments": {"widths": [2] * 9}})
    assert str(caught.value) == (
        "unet takes no images of 12 x 1 x 20, nor of a size near that: The image has spatial shape (20, 1, 12); a U-Net of 9 "
        "levels needs at least 256 along each axis. Ask for fewer levels (network.most_levels, or network.arguments where you "
        "gave any), larger images (data.longest_side, data.patch_side), or another network (network.name)."
    )
    assert frame_of((20, 1, 12), (20, 1, 12), network={"arguments": {"widths": [2] * 5}}).network == NetworkConfig(
        name="unet", spatial_dims=3, in_channels=1, classes=1, arguments={"widths": [2] * 5}
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(12, 1, 20), (8, 240)])
def test_what_check_lets_pass_is_trained_on(tmp_path, tiny_settings, shape):
    data = tmp_path / "data"
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True)
    for number in range(10):
        mask = np.zeros(shape, np.uint8)
        mask[2:6, ..., number : number + 9] = 1
        noise = np.random.default_rng(number).integers(0, 150, shape).astype(np.uint8)
        for part, pixels in (("images", noise + 100 * mask), ("masks", mask)):
            if len(shape) == 3:
                nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), data / part / f"{number}.nii.gz")
            else:
                Image.fromarray(pixels).save(data / part / f"{number}.png")
    assert survey_dataset(open_dataset(str(data))).errors == ()
    result = train_one(str(data), tmp_path / "run", tiny_settings, attention="all", seed=0, device="cpu")
    assert len(result.scores_of("test")) >= 2
