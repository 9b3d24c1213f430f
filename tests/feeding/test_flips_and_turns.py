"""What augmentation always does: flips, quarter turns, contrast and brightness, drawn as trainings have always seen them."""

import numpy as np
import pytest
import torch

from focalseg.feeding.augmentation import augment
from focalseg.feeding.augmentation_config import AUGMENTATIONS
from focalseg.feeding.batches import AUGMENTATION_STREAM, step_generator

LIGHT = AUGMENTATIONS["light"]


def test_augmentation_moves_image_and_mask_together_and_leaves_its_arguments():
    masks = torch.rand(16, 12, 12, generator=torch.Generator().manual_seed(0)) > 0.5
    images = masks[:, None].float().repeat(1, 3, 1, 1)
    kept_images, kept_masks = images.clone(), masks.clone()
    moved_images, moved_masks = augment(images, masks, config=LIGHT, seed=5, step=2)
    assert torch.equal(images, kept_images)
    assert torch.equal(masks, kept_masks)
    assert not torch.equal(moved_masks, masks)
    for image, mask in zip(moved_images, moved_masks, strict=True):
        assert image[:, mask].min() > image[:, ~mask].max()
    again, _ = augment(images, masks, config=LIGHT, seed=5, step=2)
    assert torch.equal(again, moved_images)


def test_images_that_are_not_square_keep_their_shape():
    images, masks = augment(torch.rand(8, 1, 6, 10), torch.zeros(8, 6, 10), config=LIGHT, seed=0, step=0)
    assert images.shape == (8, 1, 6, 10)
    assert masks.shape == (8, 6, 10)


@pytest.mark.parametrize("shape", [(12,), (6, 6), (5, 6, 6), (4, 5, 6)])
def test_maps_of_any_axes_and_channels_move_with_the_image(shape):
    """Every pixel of the image says where it came from, so that image, labels and maps must still agree afterwards."""
    pixels = int(np.prod(shape))
    values = torch.arange(pixels).reshape(shape).expand(16, *shape)
    maps = torch.stack([values * 2, values * 3], dim=1)
    images, moved, moved_maps = augment(values[:, None].double(), values, maps, config=LIGHT, seed=1, step=4)
    assert torch.equal(moved_maps, torch.stack([moved * 2, moved * 3], dim=1))
    assert len({tuple(case.flatten().tolist()) for case in moved}) > 1
    for image, case in zip(images, moved, strict=True):
        assert sorted(case.flatten().tolist()) == list(range(pixels))
        slope, offset = np.polyfit(case.flatten().numpy(), image.flatten().numpy(), 1)  # contrast and brightness
        np.testing.assert_allclose(image[0], slope * case + offset, atol=1e-4 * pixels)


def test_a_volume_is_flipped_along_every_axis_and_turned_in_its_last_two_alone():
    corner = torch.zeros(400, 3, 4, 4)
    corner[:, 0, 0, 1] = 1
    _, moved = augment(torch.zeros(400, 1, 3, 4, 4), corner, config=LIGHT, seed=0, step=0)
    places = {tuple(place[1:]) for place in moved.nonzero().tolist()}
    in_plane = {(0, 1), (0, 2), (1, 0), (2, 0), (3, 1), (3, 2), (1, 3), (2, 3)}
    assert places == {(depth, *place) for depth in (0, 2) for place in in_plane}


def test_planes_are_drawn_for_as_they_always_were():
    """The order of the random numbers is what a resumed or repeated run rests on: flips, turns, contrast, brightness."""
    images = torch.rand(5, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    generator = step_generator(8, 3, AUGMENTATION_STREAM)
    flips = torch.rand((5, 2), generator=generator) < 0.5
    turns = torch.randint(0, 4, (5,), generator=generator)
    contrast, brightness = (0.2 * (2 * torch.rand((5, 1, 1, 1), generator=generator) - 1) for _ in range(2))
    moved = [
        image.flip([axis for axis, flip in ((-2, vertical), (-1, horizontal)) if flip]).rot90(int(turn), (-2, -1))
        for image, (vertical, horizontal), turn in zip(images, flips, turns, strict=True)
    ]
    assert torch.equal(augment(images, config=LIGHT, seed=8, step=3)[0], torch.stack(moved) * (1 + contrast) + brightness)
