"""Prepared cases as a training takes them: once decoded, normalised by the batch, whole or in patches, from memory or disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from focalseg.feeding.feed import Feed, open_feed
from focalseg.feeding.preparation import Preparation
from focalseg.imagesets.case import Case

PREPARATION = Preparation(size=(20, 28), mean=(90.0, 110.0), standard_deviation=(40.0, 50.0))


def make_cases(count=9, *, size=(20, 28), dtype=np.uint8):
    random = np.random.default_rng(0)
    for number in range(count):
        mask = np.zeros(size, np.uint8)
        if number % 3:
            mask[2 + number : 7 + number, 3:9] = 1 + number % 2
        image = random.integers(0, 200, (2, *size)).astype(dtype)
        yield Case(name=str(number), group=str(number), image=image, mask=mask)


@pytest.fixture(params=["memory", "disk"])
def feed_of(request, tmp_path):
    """Opens a feed whose cases are in memory, or in a file since no memory is granted."""
    most_bytes = 2**30 if request.param == "memory" else 0

    def open_it(cases, preparation=PREPARATION):
        return open_feed(iter(cases), len(cases), preparation, most_bytes=most_bytes, folder=tmp_path)

    open_it.folder = tmp_path
    return open_it


@pytest.mark.parametrize("normalisation", ["data_set", "case"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_batch_is_what_each_case_prepared_by_itself_is(feed_of, normalisation, dtype):
    preparation, cases = replace(PREPARATION, normalisation=normalisation), list(make_cases(dtype=dtype, size=(25, 31)))
    with feed_of(cases, preparation) as feed:
        chosen = torch.tensor([7, 0, 3])
        images, masks = feed.gather(chosen)
        assert len(feed) == 9
        assert images.dtype == torch.float32
        for number, image, mask in zip(chosen, images, masks, strict=True):
            torch.testing.assert_close(image, preparation.prepare_image(cases[number].image), rtol=1e-6, atol=1e-6)
            assert torch.equal(mask, preparation.prepare_mask(cases[number].mask))
        assert torch.equal(feed.read_masks()[chosen], masks)


def test_nothing_is_left_on_disk_once_it_is_closed(feed_of):
    with feed_of(list(make_cases())) as feed:
        feed.gather(torch.tensor([0]))
    assert not list(feed_of.folder.iterdir())


def test_patches_are_cut_from_image_and_mask_alike_and_come_again_for_the_same_step(feed_of):
    preparation, cases = replace(PREPARATION, patch=(8, 12)), list(make_cases())
    with feed_of(cases, preparation) as feed:
        chosen = torch.tensor([1, 2, 4, 5])
        settings = {"foreground_share": 1.0, "seed": 3, "step": 11}
        images, masks = feed.draw_patches(chosen, **settings)
        assert images.shape == (4, 2, 8, 12)
        assert masks.shape == (4, 8, 12)
        assert masks.flatten(1).any(dim=1).all()
        for number, image, mask in zip(chosen, images, masks, strict=True):
            whole = preparation.prepare_image(cases[number].image)
            labels = torch.from_numpy(cases[number].mask)
            corners = [(row, column) for row in range(13) for column in range(17)]
            found = [
                corner
                for corner in corners
                if torch.allclose(whole[:, corner[0] : corner[0] + 8, corner[1] : corner[1] + 12], image, atol=1e-6)
            ]
            assert len(found) == 1
            ((row, column),) = found
            assert torch.equal(labels[row : row + 8, column : column + 12], mask)
        again = feed.draw_patches(chosen, **settings)
        other = feed.draw_patches(chosen, **settings | {"step": 12})
        assert torch.equal(again[0], images)
        assert not torch.equal(other[0], images)


def test_all_cases_come_in_batches_of_the_size_asked_for(feed_of):
    with feed_of(list(make_cases())) as feed:
        parts = list(feed.batches(4))
        assert [len(images) for images, _ in parts] == [4, 4, 1]
        assert torch.equal(torch.cat([masks for _, masks in parts]), feed.read_masks())
        twice = feed.batches(4, arrange=lambda images: 2 * images)
        assert len(twice) == 3
        assert torch.equal(twice[1][0], 2 * parts[1][0])
        assert [len(images) for images, _ in twice[1:]] == [4, 1]


def test_where_patches_are_cut_cases_are_still_validated_whole(feed_of):
    with feed_of(list(make_cases()), replace(PREPARATION, patch=(8, 12))) as feed:
        assert [images.shape[2:] for images, _ in feed.batches(5)] == [(20, 28)] * 2


def test_patches_are_not_drawn_where_none_were_asked_for(feed_of):
    with feed_of(list(make_cases())) as feed, pytest.raises(ValueError, match="no patch was set"):
        feed.draw_patches(torch.tensor([0]), foreground_share=0.5, seed=0, step=0)


def test_tensors_that_are_prepared_already_are_taken_as_they_are():
    images, masks = torch.randn(5, 1, 6, 7), torch.rand(5, 6, 7) > 0.5
    feed = Feed.from_tensors(images, masks)
    batch = feed.gather(torch.tensor([4, 1]))
    assert torch.equal(batch[0], images[[4, 1]])
    assert torch.equal(batch[1], masks[[4, 1]].to(torch.uint8))


def test_a_side_without_cases_is_an_empty_feed(tmp_path):
    preparation = Preparation(size=(8, 8), mean=(0.0,), standard_deviation=(1.0,))
    with open_feed(iter(()), 0, preparation, most_bytes=2**20, folder=tmp_path) as feed:
        assert len(feed) == 0
        assert feed.bytes_in_memory == 0
