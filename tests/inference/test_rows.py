"""Logits brought to an image's size a few rows at a time are those of the whole."""

import pytest
import torch
import torch.nn.functional as F

from focalseg.inference.rows import resize_in_rows
from focalseg.layers import LINEAR_INTERPOLATIONS


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((7,), (30,)),
        ((30,), (7,)),
        ((40, 30), (97, 33)),
        ((97, 33), (40, 30)),
        ((25, 25), (600, 30)),
        ((300, 4), (3, 9)),
        ((50, 60), (50, 61)),
        ((50, 60), (50, 60)),
        ((1, 5), (9, 1)),
        ((10, 12, 14), (21, 9, 14)),
        ((10, 12, 14), (3, 30, 1)),
    ],
)
def test_any_slabs_and_any_rows_give_what_torch_gives_for_the_whole(size, wanted):
    logits = 10 * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(logits, size=wanted, mode=LINEAR_INTERPOLATIONS[len(size)], align_corners=False)
    for slab in {1, 3, size[0]}:
        for rows in (1, 7, 1000):
            parts = [part.clone() for part in resize_in_rows(iter(logits.split(slab, dim=2)), size, wanted, rows=rows)]
            assert all(0 < part.shape[2] <= rows for part in parts)
            # A weighted mean of up to eight numbers of up to 40, each step rounded to 6e-8.
            torch.testing.assert_close(torch.cat(parts, dim=2), whole, rtol=0, atol=1e-5)


def test_slabs_are_asked_for_when_their_rows_are_due_and_not_before():
    asked = []

    def give():
        for number in range(100):
            asked.append(number)
            yield torch.full((1, 1, 1, 4), float(number))

    done = 0
    for part in resize_in_rows(give(), (100, 4), (200, 4), rows=20):
        done += part.shape[2]
        assert len(asked) <= done // 2 + 1  # two rows for each
    assert done == 200
