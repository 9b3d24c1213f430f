"""How fast the runs of a job are, from a few of their steps."""

import time
from dataclasses import replace

import pytest
import torch

from focalseg.evaluation import scoring
from focalseg.placement import evidence
from focalseg.study.arms.design import plan_design
from focalseg.study.budget.pace import (
    Pace,
    StepTime,
    average,
    count_evidence_cases,
    measure_pace,
    measure_paces,
    time_steps,
)
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.runs import execute
from focalseg.training.run import build_network


@pytest.fixture
def plans(make_folder, tiny_settings, tmp_path):
    """A run without attention and one with all of it."""
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu")
    design = plan_design(ground, tiny_settings, tmp_path / "out", device="cpu", workers=1, listeners=Listeners())
    known = design.plan_known(design.trainers[0])
    return known["none"][0], known["all"][0]


@pytest.mark.slow
def test_measuring_leaves_nothing_behind(plans):
    before = torch.get_rng_state()
    paces = [measure_pace(plan) for plan in plans]
    assert all(min(pace.reading, pace.step, pace.validation, pace.scoring) > 0 for pace in paces)
    assert paces[0].evidence == 0 < paces[1].evidence
    assert not plans[0].folder.parents[3].exists()
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_are_asked_only_where_they_can_be_afforded(plans, monkeypatch):
    single = Pace(reading=1, step=2, validation=3, scoring=4, evidence=5)
    monkeypatch.setattr("focalseg.study.budget.pace.measure_pace", lambda _plan: single)
    monkeypatch.setattr("focalseg.study.budget.pace.call_locally", pytest.fail)
    assert measure_paces(*plans, workers=2, affords=lambda _paces, _seconds: False) == {False: single, True: single}
    assert measure_paces(*plans, workers=1, affords=pytest.fail) == {False: single, True: single}
    double = Pace(reading=3, step=4, validation=5, scoring=6, evidence=7)
    monkeypatch.setattr("focalseg.study.budget.pace.call_locally", lambda *_, **__: [[single, double], [double, double]])
    mean = Pace(reading=2, step=3, validation=4, scoring=5, evidence=6)
    assert measure_paces(*plans, workers=2, affords=lambda _paces, _seconds: True) == {False: mean, True: double}


def test_the_mean_is_taken_part_by_part():
    paces = [Pace(reading=n, step=2 * n, validation=3 * n, scoring=4 * n, evidence=5 * n) for n in (1.0, 3.0)]
    assert average(paces) == Pace(reading=2, step=4, validation=6, scoring=8, evidence=10)


def test_the_first_steps_only_warm_up(monkeypatch):
    clock = iter(range(10**6))
    seconds = {"now": 0.0}

    def step():
        seconds["now"] += 100.0 if next(clock) < 2 else 0.01

    monkeypatch.setattr("focalseg.study.budget.pace.time.perf_counter", lambda: seconds["now"])
    monkeypatch.setattr("focalseg.study.budget.pace.time.process_time", lambda: seconds["now"] / 4)
    found = time_steps(step)
    assert (found.clock, found.processor, found.load) == pytest.approx((0.01, 0.0025, 4.0))


def test_waiting_for_others_is_load_and_working_on_several_threads_is_none():
    assert time_steps(lambda: time.sleep(0.01)).load > 3
    numbers = torch.rand(200, 200)
    alone = time_steps(lambda: [numbers @ numbers for _ in range(5)])
    assert alone.processor > 0
    assert StepTime(clock=1.0, processor=2.0).load == 1.0
    assert StepTime(clock=1.0, processor=0.0).load == 1.0


def test_more_workers_than_cores_are_no_load_of_others(plans, monkeypatch):
    slowed = Pace(reading=1, step=2, validation=3, scoring=4, evidence=5, load=6.0)
    monkeypatch.setattr("focalseg.study.budget.pace.measure_pace", lambda _plan: slowed)
    monkeypatch.setattr("focalseg.study.budget.pace.call_locally", lambda *_, **__: [[slowed, slowed]] * 8)
    monkeypatch.setattr("focalseg.study.budget.pace.count_threads", lambda workers: max(4 // workers, 1))
    paces = measure_paces(*plans, workers=8, affords=lambda _paces, _seconds: True)
    assert paces[False] == replace(slowed, load=3.0)  # two of eight workers a core, each with one thread


def test_evidence_takes_about_the_passes_it_is_said_to(plans, monkeypatch):
    _, plan = plans
    seen = []
    predict, estimate = evidence.predict_in_windows, evidence.estimate_norms

    def count_predicted(network, images, window):
        seen.append(len(images))
        return predict(network, images, window)

    def count_normed(network, images, **how):
        seen.extend(map(len, images))
        estimate(network, images, **how)

    monkeypatch.setattr(evidence, "predict_in_windows", count_predicted)
    monkeypatch.setattr(scoring, "predict_in_windows", count_predicted)
    monkeypatch.setattr(evidence, "estimate_norms", count_normed)
    execute(replace(plan, testifies=True))
    while_training = 3 * len(plan.split.validation)  # after 6, 10 and 12 of 12 steps
    said = count_evidence_cases(plan, build_network(plan.config))
    assert 0.7 * said <= sum(seen) - while_training <= said
