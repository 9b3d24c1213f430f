"""One run: learns, logs, and goes on to the same bits after any interruption."""

import io
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from focalseg.errors import SettingError
from focalseg.feeding.augmentation import augment
from focalseg.feeding.augmentation_config import AUGMENTATIONS, AugmentationConfig
from focalseg.feeding.feed import Feed, open_feed
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.gammas import read_gammas
from focalseg.imagesets.case import Case
from focalseg.losses.unified_focal import UnifiedFocalLoss
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.records.result import CHECKPOINT
from focalseg.records.seals import write_signed
from focalseg.study.running.local import _choose_context
from focalseg.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from focalseg.training.loop import METRICS, StopRequested, TrainingData, train
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig, build_network
from focalseg.training.training_config import TrainingConfig
from training.small import assert_same_bits, make_data, state_of, train_small

pytestmark = pytest.mark.slow

CONFIG = RunConfig(
    data="none",
    seed=5,
    preparation=Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,)),
    network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8], "dropout": 0.2}),
    attention={"encoder.0": "se", "skip.0": "ag"},
    training=TrainingConfig(steps=20, batch_size=4, validate_every=7, log_every=2),
)


class StopAfter:
    """Says stop once, before the given step."""

    def __init__(self, step):
        self.calls, self.step = 0, step

    def __call__(self):
        self.calls += 1
        return self.calls == self.step + 1


def test_the_same_run_twice_gives_the_same_bits_and_the_same_log(tmp_path):
    one, other = (train(CONFIG, make_data(), tmp_path / name, device="cpu") for name in ("one", "other"))
    assert_same_bits(state_of(one), state_of(other))
    assert (tmp_path / "one" / METRICS).read_bytes() == (tmp_path / "other" / METRICS).read_bytes()


@pytest.mark.parametrize("step", [0, 1, 6, 7, 8, 13, 19])
def test_a_run_stopped_at_any_step_goes_on_to_the_same_bits(tmp_path, step):
    whole = train(CONFIG, make_data(), tmp_path / "whole", device="cpu")
    with pytest.raises(StopRequested):
        train(CONFIG, make_data(), tmp_path / "parts", device="cpu", should_stop=StopAfter(step))
    resumed = train(CONFIG, make_data(), tmp_path / "parts", device="cpu")
    assert_same_bits(state_of(whole), state_of(resumed))
    assert (tmp_path / "whole" / METRICS).read_bytes() == (tmp_path / "parts" / METRICS).read_bytes()


BOUNDARY = replace(
    CONFIG,
    loss=UnifiedFocalConfig(boundary_weight=2.0, boundary_gamma=2.0),
    training=replace(CONFIG.training, boundary_schedule="cosine"),
)


def test_a_run_whose_boundary_weight_grows_goes_on_to_the_same_bits(tmp_path):
    whole = train(BOUNDARY, make_data(), tmp_path / "whole", device="cpu")
    with pytest.raises(StopRequested):
        train(BOUNDARY, make_data(), tmp_path / "parts", device="cpu", should_stop=StopAfter(8))
    resumed = train(BOUNDARY, make_data(), tmp_path / "parts", device="cpu")
    assert_same_bits(state_of(whole), state_of(resumed))
    assert whole.loss.boundary_weight == 2.0
    plain = train(CONFIG, make_data(), tmp_path / "plain", device="cpu")
    assert not torch.equal(state_of(plain)["head.weight"], state_of(whole)["head.weight"])


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_closeness_measured_once_and_moved_is_the_closeness_of_the_moved_masks(size):
    generator = torch.Generator().manual_seed(1)
    masks = torch.nn.functional.avg_pool2d(torch.rand(6, 1, *size, generator=generator), 5, 1, 2)[:, 0] > 0.5
    loss = UnifiedFocalLoss.from_config(BOUNDARY.loss)
    closeness = loss.measure_closeness(masks.unsqueeze(1), classes=1)[:, 0]
    for step in range(4):
        _, moved, carried = augment(torch.zeros(6, 1, *size), masks, closeness, config=AugmentationConfig(), seed=3, step=step)
        assert torch.equal(carried, loss.measure_closeness(moved.unsqueeze(1), classes=1)[:, 0])


VOLUMES = replace(
    BOUNDARY,
    labels=("head", "tail"),
    preparation=Preparation(size=(6, 8, 8), mean=(0.0,), standard_deviation=(1.0,)),
    network=NetworkConfig(spatial_dims=3, in_channels=1, classes=3, arguments={"widths": [4, 8]}),
    training=replace(BOUNDARY.training, steps=120),
)


def make_volumes():
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 3, (14, 3, 4, 4), generator=generator).to(torch.uint8)
    masks = masks.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    images = masks[:, None] * 2.0 + torch.randn(14, 1, 6, 8, 8, generator=generator) * 0.2
    return TrainingData(train=Feed.from_tensors(images[:10], masks[:10]), validation=Feed.from_tensors(images[10:], masks[10:]))


def test_volumes_with_several_labels_are_learned_and_resumed_to_the_same_bits(tmp_path):
    whole = train(VOLUMES, make_volumes(), tmp_path / "whole", device="cpu")
    with pytest.raises(StopRequested):
        train(VOLUMES, make_volumes(), tmp_path / "parts", device="cpu", should_stop=StopAfter(9))
    resumed = train(VOLUMES, make_volumes(), tmp_path / "parts", device="cpu")
    assert_same_bits(state_of(whole), state_of(resumed))
    assert whole.measure_validation_dice() > 0.9


def test_closeness_of_every_label_is_moved_with_the_labels():
    data, loss = make_volumes(), UnifiedFocalLoss.from_config(BOUNDARY.loss)
    masks = data.train.read_masks()
    closeness = loss.measure_closeness(masks.unsqueeze(1), classes=3)
    assert closeness.shape == (10, 3, 6, 8, 8)
    for step in range(3):
        images = torch.zeros(10, 1, 6, 8, 8)
        _, moved, carried = augment(images, masks, closeness, config=AugmentationConfig(), seed=3, step=step)
        assert torch.equal(carried, loss.measure_closeness(moved.unsqueeze(1), classes=3))


def test_patches_that_are_warped_resume_to_the_same_bits(tmp_path):
    """With every operation on, and closeness to borders measured anew in every step."""
    config = replace(
        CONFIG,
        preparation=replace(CONFIG.preparation, size=(24, 24), patch=(16, 16)),
        loss=BOUNDARY.loss,
        training=replace(CONFIG.training, augmentation=replace(AUGMENTATIONS["standard"], elastic_pixels=2.0, share=0.6)),
    )
    random = np.random.default_rng(0)
    masks = [np.pad(np.ones((9, 8), np.uint8), ((number, 15 - number), (4, 12))) for number in range(12)]
    images = [(100 * mask + random.integers(0, 90, mask.shape))[None].astype(np.uint8) for mask in masks]
    cases = [
        Case(name=str(number), group=str(number), image=image, mask=mask)
        for number, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]

    def run(folder, **stop):
        with (
            open_feed(cases[:8], 8, config.preparation, most_bytes=2**20, folder=folder) as train_side,
            open_feed(cases[8:], 4, config.preparation, most_bytes=0, folder=folder) as validation_side,
        ):
            return train(config, TrainingData(train=train_side, validation=validation_side), folder, device="cpu", **stop)

    whole = run(tmp_path / "whole")
    with pytest.raises(StopRequested):
        run(tmp_path / "parts", should_stop=StopAfter(9))
    resumed = run(tmp_path / "parts")
    assert_same_bits(state_of(whole), state_of(resumed))
    assert (tmp_path / "whole" / METRICS).read_bytes() == (tmp_path / "parts" / METRICS).read_bytes()


def test_a_loss_of_an_image_each_is_no_training():
    with pytest.raises(SettingError) as raised:
        replace(CONFIG, loss=UnifiedFocalConfig(reduction="none"))
    assert str(raised.value) == "loss.reduction was 'none'; a training follows one number: mean or sum."


CONFIG_OF_MANY_STEPS = replace(CONFIG, training=replace(CONFIG.training, steps=300, validate_every=5))


def count_steps(folder, run):
    """The steps of the last checkpoint in a folder, 0 where none is there yet."""
    checkpoint = load_checkpoint(folder / CHECKPOINT, run=run.identity)
    return checkpoint.step if checkpoint else 0


def test_a_run_killed_without_warning_goes_on_to_the_same_bits(tmp_path):
    whole = train(CONFIG_OF_MANY_STEPS, make_data(), tmp_path / "whole", device="cpu")
    folder = tmp_path / "killed"
    for _ in range(2):
        process = _choose_context().Process(target=train_small, args=(CONFIG_OF_MANY_STEPS, folder))
        process.start()
        before = count_steps(folder, whole)
        while count_steps(folder, whole) < before + 40:
            time.sleep(0.02)
            assert process.is_alive()
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    resumed = train(CONFIG_OF_MANY_STEPS, make_data(), folder, device="cpu")
    assert_same_bits(state_of(whole), state_of(resumed))
    assert (tmp_path / "whole" / METRICS).read_bytes() == (folder / METRICS).read_bytes()


def test_the_global_random_state_is_left_alone(tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(CONFIG, make_data(), tmp_path, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_training_learns_an_easy_task_and_logs_every_gamma(tmp_path):
    config = replace(
        CONFIG, network=replace(CONFIG.network, arguments={"widths": [4, 8]}), training=replace(CONFIG.training, steps=120)
    )
    run = train(config, make_data(), tmp_path, device="cpu")
    rows = read_metrics(tmp_path / METRICS)
    assert [int(row["step"]) for row in rows if row["validation_dice"]] == [*range(7, 120, 7), 120]
    assert float(rows[-1]["validation_dice"]) > 0.9
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    for name, gamma in read_gammas(run.network).items():
        assert gamma >= 0
        assert float(rows[-1][f"gamma/{name}"]) == pytest.approx(gamma, abs=1e-5)


def test_gammas_have_a_group_of_their_own_with_a_higher_rate_and_no_decay(tmp_path):
    run = train(replace(CONFIG, training=replace(CONFIG.training, steps=1)), make_data(), tmp_path, device="cpu")
    gammas = {id(site.gamma) for site in run.network.modules() if hasattr(site, "gamma")}
    groups = [group for group in run.optimiser.param_groups if gammas & {id(parameter) for parameter in group["params"]}]
    assert len(groups) == 1
    assert {id(parameter) for parameter in groups[0]["params"]} == gammas
    assert groups[0]["weight_decay"] == 0
    assert groups[0]["max_lr"] == pytest.approx(10 * run.optimiser.param_groups[0]["max_lr"])


def test_arms_of_one_seed_share_the_weights_of_the_host():
    plain, gated = (build_network(replace(CONFIG, attention=attention)) for attention in ({}, CONFIG.attention))
    assert_same_bits(plain.state_dict(), {name: gated.state_dict()[name] for name in plain.state_dict()})


def test_a_checkpoint_of_other_settings_or_no_checkpoint_at_all_is_refused(tmp_path):
    train(replace(CONFIG, training=replace(CONFIG.training, steps=1)), make_data(), tmp_path, device="cpu")
    with pytest.raises(SettingError, match=r"last\.ckpt belongs to a run with other settings; give another --out"):
        train(CONFIG, make_data(), tmp_path, device="cpu")
    mend = "; remove it to train this run from the start"
    (tmp_path / CHECKPOINT).write_bytes(b"cut short")
    with pytest.raises(SettingError, match=rf"last\.ckpt is not as it was written: .*{mend}"):
        train(CONFIG, make_data(), tmp_path, device="cpu")
    write_signed(tmp_path / CHECKPOINT, b"signed, and nothing that torch reads")
    with pytest.raises(SettingError, match=rf"last\.ckpt is no checkpoint .*{mend}"):
        train(CONFIG, make_data(), tmp_path, device="cpu")


def test_a_checkpoint_that_cannot_be_read_just_now_is_not_said_to_be_damaged(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / CHECKPOINT, Checkpoint(**dict.fromkeys(Checkpoint.__dataclass_fields__, "")))
    assert load_checkpoint(tmp_path / CHECKPOINT, run="") is not None

    def run_out(*_arguments, **_keywords):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(torch, "load", run_out)
        with pytest.raises(MemoryError):
            load_checkpoint(tmp_path / CHECKPOINT, run="")
    (tmp_path / CHECKPOINT).unlink()
    (tmp_path / CHECKPOINT).mkdir()
    with pytest.raises(SettingError, match=r"last\.ckpt cannot be read \(Is a directory\); mend that, or remove it"):
        load_checkpoint(tmp_path / CHECKPOINT, run="")


def test_a_checkpoint_that_holds_code_is_not_executed(tmp_path):
    class Canary:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    buffer = io.BytesIO()
    torch.save({"run": Canary()}, buffer)
    write_signed(tmp_path / CHECKPOINT, buffer.getvalue())
    with pytest.raises(SettingError, match="is no checkpoint"):
        train(CONFIG, make_data(), tmp_path, device="cpu")
    assert not (tmp_path / "executed").exists()


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(tmp_path):
    unusable = Feed.from_tensors(torch.full((10, 1, 16, 16), float("nan")), torch.zeros(10, 16, 16))
    data = replace(make_data(), train=unusable)
    with pytest.raises(SettingError, match=r"The loss became nan at step 1 of .*Lower training\.learning_rate"):
        train(CONFIG, data, tmp_path, device="cpu")
    assert not (tmp_path / CHECKPOINT).exists()


def test_weights_saved_without_pickle_load_again(tmp_path):
    from safetensors.torch import save_file

    run = train(CONFIG, make_data(), tmp_path, device="cpu")
    save_file({name: tensor.contiguous() for name, tensor in run.network.state_dict().items()}, tmp_path / "w.safetensors")
    assert_same_bits(load_file(tmp_path / "w.safetensors"), state_of(run))
