"""A training under each regime of its exponents: what it shows, and that it goes on to the same bits after any stop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.gammas import gamma_parameters, project_gammas, read_gammas, switch_parameters
from focalseg.layers import RunningNorm
from focalseg.placement.exponents import REGIMES
from focalseg.placement.exponents.dropout import draw_subset
from focalseg.placement.exponents.regime import WARM_UP
from focalseg.study.running.runs import trace_path
from focalseg.training.loop import METRICS, Run, StopRequested, train
from focalseg.training.metrics_log import read_metrics
from focalseg.training.run import RunConfig, build_network
from focalseg.training.training_config import TrainingConfig
from training.small import assert_same_bits, make_data, state_of

pytestmark = pytest.mark.slow

CONFIG = RunConfig(
    data="none",
    seed=5,
    preparation=Preparation(size=(16, 16), mean=(0.0,), standard_deviation=(1.0,)),
    network=NetworkConfig(in_channels=1, arguments={"widths": [4, 8], "dropout": 0.2}),
    attention={"encoder.0": "se", "bottleneck": "se", "skip.0": "ag", "decoder.0": "se"},
    training=TrainingConfig(steps=20, batch_size=4, validate_every=7, log_every=2),
)
every_regime = pytest.mark.parametrize("regime", list(REGIMES))


def under(regime, config=CONFIG, **training):
    return replace(config, training=replace(config.training, exponents=regime, **training))


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """By regime: the state after a training without a stop, before and after the regime finished, what finishing gave, and
    the log."""

    def run(regime):
        folder = tmp_path_factory.mktemp(regime)
        done = train(under(regime), make_data(), folder, device="cpu")
        trained = state_of(done)
        return trained, done.regime.finish(), state_of(done), (folder / METRICS).read_bytes()

    return {regime: run(regime) for regime in REGIMES}


@every_regime
@pytest.mark.parametrize("step", [1, 8, 19])
def test_a_training_stopped_at_any_step_goes_on_to_the_same_bits(wholes, tmp_path, regime, step):
    config, asked = under(regime), iter(range(100))
    with pytest.raises(StopRequested):
        train(config, make_data(), tmp_path, device="cpu", should_stop=lambda: next(asked) == step)
    resumed = train(config, make_data(), tmp_path, device="cpu")
    trained, probabilities, finished, log = wholes[regime]
    assert_same_bits(state_of(resumed), trained)
    assert resumed.regime.finish() == probabilities
    assert_same_bits(state_of(resumed), finished)
    assert (tmp_path / METRICS).read_bytes() == log


@every_regime
def test_a_training_stopped_in_every_step_goes_on_to_the_same_bits(wholes, tmp_path, regime):
    while not (run := Run(under(regime), make_data(), tmp_path, device="cpu")).finished:
        run.advance()
        run.save()
    assert_same_bits(state_of(run), wholes[regime][0])
    assert (tmp_path / METRICS).read_bytes() == wholes[regime][3]


@every_regime
def test_a_finished_training_that_is_opened_again_finishes_its_regime_to_the_same_bits(wholes, tmp_path, regime):
    train(under(regime), make_data(), tmp_path, device="cpu")
    again = train(under(regime), make_data(), tmp_path, device="cpu")
    assert again.regime.finish() == wholes[regime][1]
    assert_same_bits(state_of(again), wholes[regime][2])


def test_every_regime_trains_the_network_in_its_own_way(wholes):
    heads = [wholes[regime][2]["head.weight"] for regime in REGIMES]
    assert not any(torch.equal(one, other) for number, one in enumerate(heads) for other in heads[:number])


@every_regime
def test_a_network_without_attention_trains_as_under_free_to_the_bit(tmp_path, regime):
    plain = replace(CONFIG, attention={})
    free = train(plain, make_data(), tmp_path / "free", device="cpu")
    other = train(under(regime, plain), make_data(), tmp_path / "other", device="cpu")
    assert other.regime.finish() == {}
    assert_same_bits(state_of(free), state_of(other))
    assert (tmp_path / "free" / METRICS).read_bytes() == (tmp_path / "other" / METRICS).read_bytes()


@every_regime
def test_a_finished_network_has_what_a_network_of_its_config_has_and_predicts_as_it_was_scored(tmp_path, regime):
    run = train(under(regime), make_data(), tmp_path, device="cpu")
    images, _ = next(iter(run.batches(run.data.validation)))
    dice = run.measure_validation_dice()
    with torch.no_grad():
        before = run.network(images)
        probabilities = run.regime.finish()
        assert torch.equal(run.network(images), before)
        fresh = build_network(under(regime)).eval()
        fresh.load_state_dict(run.network.state_dict())
        assert torch.allclose(fresh(images), before, atol=1e-6)
    assert run.measure_validation_dice() == dice
    assert float(read_metrics(tmp_path / METRICS)[-1]["validation_dice"]) == pytest.approx(dice, abs=1e-5)
    assert set(probabilities) == (set(CONFIG.attention) if regime == "hard_concrete" else set())
    assert all(0 < probability < 1 for probability in probabilities.values())
    assert all(gamma >= 0 for gamma in read_gammas(run.network).values())


def test_exponents_are_free_unless_told_otherwise_and_a_config_keeps_what_was_told():
    assert CONFIG.training.exponents == "free"
    for regime in REGIMES:
        assert from_mapping(RunConfig, to_mapping(under(regime))) == under(regime)


def test_an_unknown_regime_is_an_error_that_offers_the_nearest():
    with pytest.raises(SettingError) as raised:
        under("drop")
    assert str(raised.value).startswith(
        "No regime of the exponents named 'drop'; known are free, dropout, path, hard_concrete."
    )


def test_a_training_of_other_exponents_does_not_go_on_in_a_folder(tmp_path):
    train(under("free", steps=1), make_data(), tmp_path, device="cpu")
    with pytest.raises(SettingError, match=r"last\.ckpt belongs to a run with other settings"):
        train(under("dropout", steps=1), make_data(), tmp_path, device="cpu")


def test_free_exponents_move_by_the_optimiser_alone_and_never_below_zero(tmp_path, monkeypatch):
    """Every step: the optimiser's, then max(gamma, 0)."""
    run = Run(under("free", gamma_learning_rate_factor=200.0), make_data(), tmp_path, device="cpu")
    cut = []

    def project(network, optimiser):
        moved = list(read_gammas(network).values())
        project_gammas(network, optimiser)
        assert list(read_gammas(network).values()) == [max(gamma, 0.0) for gamma in moved]
        cut.extend(gamma < 0 for gamma in moved)

    monkeypatch.setattr("focalseg.placement.exponents.regime.project_gammas", project)
    while not run.finished:
        run.advance()
    assert len(cut) == 20 * 4
    assert any(cut)


# Running statistics of norms, which have seen every network that a regime made of one.


@pytest.mark.parametrize(("regime", "anew"), [("free", False), ("path", False), ("dropout", True), ("hard_concrete", True)])
def test_a_network_is_scored_with_statistics_of_its_own_where_sites_came_and_went(tmp_path, regime, anew):
    run = Run(under(regime), make_data(), tmp_path, device="cpu")
    norm = next(module for module in run.network.modules() if isinstance(module, RunningNorm))
    for _ in range(10):
        run.advance()
    norm.running_mean.fill_(1000.0)
    dice = run.measure_validation_dice()
    assert (norm.running_mean.abs().max() < 100) == anew
    again = norm.running_mean.clone()
    assert run.measure_validation_dice() == dice
    assert torch.equal(norm.running_mean, again)


@every_regime
def test_the_batches_that_norms_are_estimated_on_are_of_nearly_one_size(tmp_path, regime):
    run = Run(under(regime, batch_size=9), make_data(), tmp_path, device="cpu")
    assert [len(images) for images, _ in run.read_norm_batches()] == [5, 5]


# Site dropout.


def test_sites_left_out_of_a_step_stand_still_in_it_and_the_others_move(tmp_path):
    run = Run(under("dropout"), make_data(), tmp_path, device="cpu")
    while not run.finished:
        before = {name: value.clone() for name, value in run.network.state_dict().items()}
        free = run.step < WARM_UP * run.config.training.steps
        acting = [True] * 4 if free else draw_subset(4, seed=5, step=run.step)
        run.advance()
        after = run.network.state_dict()
        for site, acts in zip(attention_sites(run.network).values(), acting, strict=True):
            names = [
                name for name, tensor in run.network.named_parameters() if any(tensor is weight for weight in site.parameters())
            ]
            assert names
            assert any(not torch.equal(before[name], after[name]) for name in names) is acts


# Hard concrete switches.


def test_switches_learn_with_the_exponents_at_their_rate_and_without_decay(tmp_path):
    run = Run(under("hard_concrete"), make_data(), tmp_path, device="cpu")
    expected = {id(weight) for weight in (*gamma_parameters(run.network), *switch_parameters(run.network))}
    assert len(expected) == 8
    (group,) = [one for one in run.optimiser.param_groups if expected & {id(weight) for weight in one["params"]}]
    assert {id(weight) for weight in group["params"]} == expected
    assert group["weight_decay"] == 0
    assert group["max_lr"] == pytest.approx(10 * run.optimiser.param_groups[0]["max_lr"])


def test_the_price_of_open_sites_is_paid_in_gradients_and_not_in_the_loss_that_is_logged(tmp_path, monkeypatch):
    monkeypatch.setattr("focalseg.placement.exponents.regime.WARM_UP", 0.0)
    free = train(under("hard_concrete", steps=1, log_every=1), make_data(), tmp_path / "free", device="cpu")
    monkeypatch.setattr("focalseg.placement.exponents.hard_concrete.PRICE", 1e3)
    dear = train(under("hard_concrete", steps=1, log_every=1), make_data(), tmp_path / "dear", device="cpu")
    logged = [read_metrics(tmp_path / name / METRICS)[0]["loss"] for name in ("free", "dear")]
    assert logged[0] == logged[1]
    steepest = [max(float(weight.grad.abs()) for weight in switch_parameters(run.network)) for run in (free, dear)]
    assert steepest[1] > 1e3 * steepest[0]


# The path.


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The exponents after each step of a training on the path, (steps, sites), and its folder."""
    folder = tmp_path_factory.mktemp("path")
    run = Run(under("path", steps=60, validate_every=25, log_every=60), make_data(), folder, device="cpu")
    values = []
    while not run.finished:
        run.advance()
        values.append(list(read_gammas(run.network).values()))
    return np.array(values), folder


def test_all_exponents_are_exactly_zero_at_the_end_of_the_path(path):
    values, _ = path
    assert (values[:24] > 0).all()
    assert (values[-1] == 0).all()


def test_the_log_has_a_validation_wherever_a_site_left_the_path(path):
    values, folder = path
    left = np.flatnonzero(((values[:-1] > 0) & (values[1:] == 0)).any(axis=1)) + 2  # steps count from 1 in the log
    assert len(left) > 0
    validated = [int(row["step"]) for row in read_metrics(folder / METRICS) if row["validation_dice"]]
    assert validated == sorted({24, 25, 50, 60, *left.tolist()})  # 24: all sites, before the pressure begins


def test_the_path_is_scored_with_all_sites_open_before_the_first_of_them_leaves(tmp_path):
    config = under("path", steps=20, validate_every=1000)
    run = train(config, make_data(), tmp_path, device="cpu")
    points = trace_path(read_metrics(tmp_path / METRICS))
    assert run.finished
    assert points[0].open == tuple(CONFIG.attention)
    assert int(next(row for row in read_metrics(tmp_path / METRICS) if row["validation_dice"])["step"]) == 8


def test_the_points_of_the_path_are_the_validations_with_the_sites_that_were_open(path):
    values, folder = path
    points = trace_path(read_metrics(folder / METRICS))
    rows = [row for row in read_metrics(folder / METRICS) if row["validation_dice"]]
    assert [point.dice for point in points] == [float(row["validation_dice"]) for row in rows]
    for point, row in zip(points, rows, strict=True):
        open_sites = values[int(row["step"]) - 1] > 0
        assert point.open == tuple(np.array(list(CONFIG.attention))[open_sites].tolist())
    assert points[0].open == tuple(CONFIG.attention)
    assert points[-1].open == ()
