"""Which cases a step sees is a function of (seed, step) and nothing else."""

import torch

from focalseg.feeding.batches import DROPOUT_STREAM, ORDER_STREAM, PATCH_STREAM, select_batch, stream_seed


def test_an_epoch_shows_every_case_once_and_the_next_in_another_order():
    epochs = torch.cat([select_batch(10, 4, seed=1, step=step) for step in range(5)]).reshape(2, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_batch_depends_on_seed_and_step_alone():
    assert torch.equal(select_batch(50, 12, seed=3, step=7), select_batch(50, 12, seed=3, step=7))
    assert not torch.equal(select_batch(50, 12, seed=3, step=7), select_batch(50, 12, seed=4, step=7))


def test_a_batch_larger_than_the_data_goes_round():
    assert sorted(select_batch(3, 6, seed=0, step=0).tolist()) == [0, 0, 1, 1, 2, 2]


def test_streams_of_all_steps_and_seeds_are_apart():
    seeds = {
        stream_seed(seed, step, stream)
        for seed in range(4)
        for step in range(50)
        for stream in (ORDER_STREAM, DROPOUT_STREAM, PATCH_STREAM)
    }
    assert len(seeds) == 4 * 50 * 3
