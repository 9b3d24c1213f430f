"""The threads of a training follow from its work, and are part of what a checkpoint keeps."""

from dataclasses import replace

import pytest
import torch

from focalseg.hosts.costs import count_flops
from focalseg.training import threads
from focalseg.training.loop import StopRequested, train
from focalseg.training.run import build_network
from focalseg.training.threads import choose_threads, kept_threads
from training.small import assert_same_bits, make_data, state_of
from training.test_loop import CONFIG, StopAfter


@pytest.fixture
def nobody_said(monkeypatch):
    """Six threads, of which nobody said anything."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with kept_threads():
        torch.set_num_threads(6)
        yield


@pytest.mark.parametrize(("worth", "chosen"), [(0.5, 1), (1.0, 1), (2.9, 2), (6.0, 6), (60.0, 6)])
def test_threads_follow_from_the_work_of_a_step(nobody_said, monkeypatch, worth, chosen):
    network = build_network(CONFIG)
    forward = count_flops(network, torch.zeros(1, *CONFIG.image_shape))
    work = 3 * CONFIG.training.batch_size * forward
    monkeypatch.setattr(threads, "OPERATIONS_PER_THREAD", work / worth)
    assert choose_threads(CONFIG, network) == chosen
    assert all(module.training for module in network.modules())


def test_a_small_training_takes_one_thread_unless_a_person_says_otherwise(nobody_said, monkeypatch):
    assert choose_threads(CONFIG, build_network(CONFIG)) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert choose_threads(CONFIG, build_network(CONFIG)) == 6


def test_a_training_goes_on_with_the_threads_it_began_with(nobody_said, monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "OPERATIONS_PER_THREAD", 1.0)
    config = replace(CONFIG, training=replace(CONFIG.training, steps=12))
    with kept_threads():
        whole = train(config, make_data(), tmp_path / "whole", device="cpu")
        assert (whole.threads, torch.get_num_threads()) == (6, 6)
    with kept_threads(), pytest.raises(StopRequested):
        train(config, make_data(), tmp_path / "parts", device="cpu", should_stop=StopAfter(7))
    torch.set_num_threads(1)
    with kept_threads():
        resumed = train(config, make_data(), tmp_path / "parts", device="cpu")
        assert (resumed.threads, torch.get_num_threads()) == (6, 6)
    assert torch.get_num_threads() == 1
    assert_same_bits(state_of(whole), state_of(resumed))
