"""Order and augmentation are functions of (seed, step) and nothing else."""

import torch

from focalseg.data.batches import augment, select_batch


def test_an_epoch_shows_every_case_once_and_the_next_in_another_order():
    epochs = torch.cat([select_batch(10, 4, seed=1, step=step) for step in range(5)]).reshape(2, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_batch_depends_on_seed_and_step_alone():
    assert torch.equal(select_batch(50, 12, seed=3, step=7), select_batch(50, 12, seed=3, step=7))
    assert not torch.equal(select_batch(50, 12, seed=3, step=7), select_batch(50, 12, seed=4, step=7))


def test_a_batch_larger_than_the_data_goes_round():
    assert sorted(select_batch(3, 6, seed=0, step=0).tolist()) == [0, 0, 1, 1, 2, 2]


def test_augmentation_moves_image_and_mask_together_and_leaves_its_arguments():
    masks = torch.rand(16, 12, 12, generator=torch.Generator().manual_seed(0)) > 0.5
    images = masks[:, None].float().repeat(1, 3, 1, 1)
    kept_images, kept_masks = images.clone(), masks.clone()
    moved_images, moved_masks = augment(images, masks, seed=5, step=2)
    assert torch.equal(images, kept_images)
    assert torch.equal(masks, kept_masks)
    assert not torch.equal(moved_masks, masks)
    for image, mask in zip(moved_images, moved_masks, strict=True):
        assert image[:, mask].min() > image[:, ~mask].max()
    again, _ = augment(images, masks, seed=5, step=2)
    assert torch.equal(again, moved_images)


def test_images_that_are_not_square_keep_their_shape():
    images, masks = augment(torch.rand(8, 1, 6, 10), torch.zeros(8, 6, 10), seed=0, step=0)
    assert images.shape == (8, 1, 6, 10)
    assert masks.shape == (8, 6, 10)
