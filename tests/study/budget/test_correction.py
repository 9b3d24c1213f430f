"""What is left of a job, told anew when its first training has ended."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from focalseg.records.record import write_record
from focalseg.records.result import RESULT, Result
from focalseg.study.arms.design import plan_design
from focalseg.study.budget import correction
from focalseg.study.budget.correction import correcting, describe_correction
from focalseg.study.budget.fitting import END_SECONDS, Forecast, list_items
from focalseg.study.budget.pace import Pace
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.running.listeners import NOBODY

PACE = Pace(reading=0, step=10.0, validation=0, scoring=0, evidence=0)


@pytest.fixture
def plans(make_folder, tiny_settings, tmp_path):
    """Four trainings of 12 steps."""
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu")
    design = plan_design(ground, tiny_settings, tmp_path / "out", device="cpu", workers=1, listeners=NOBODY)
    return [plan for plans in design.plan_known(design.trainers[0]).values() for plan in plans]


@pytest.fixture
def forecast(plans, tiny_settings):
    items = list_items(plans, plans[0].config)
    return Forecast(settings=tiny_settings, items=items, paces={False: PACE, True: PACE})


def end(plan, seconds, step_seconds=None):
    result = Result(modules=0, parameters=1, flops=1, seconds=seconds, step_seconds=step_seconds)
    plan.folder.mkdir(parents=True, exist_ok=True)
    write_record(plan.folder / RESULT, result)


def test_a_training_that_took_a_tenth_of_what_was_said_corrects_it(plans, forecast):
    assert forecast.seconds() == 4 * 120 + END_SECONDS
    end(plans[0], 12.0, 0.9)
    # A tenth of 485 s, of which 15 are over.
    assert describe_correction(plans[0], forecast, 15.0) == (
        "corrected after the first training, which took 12 s and not 2 min: about 34 s left of the whole job; a step keeps a "
        "processor busy for 0.9 s."
    )


@pytest.mark.parametrize("seconds", [100.0, 120.0, 145.0])
def test_nothing_is_told_where_it_took_about_what_was_said(plans, forecast, seconds):
    end(plans[0], seconds)
    assert describe_correction(plans[0], forecast, 15.0) == ""


def test_the_correction_is_told_once_and_only_of_trainings_that_end_meanwhile(plans, forecast, monkeypatch):
    monkeypatch.setattr(correction, "_POLL_SECONDS", 0.01)
    notes: list[str] = []
    watch = correcting(lambda _title, _plans: nullcontext(), forecast, notes.append)
    end(plans[0], 1000.0)  # by an earlier call
    with watch("training", plans):
        pass
    assert not notes
    with watch("training", plans):
        end(plans[1], 1200.0)
        end(plans[2], 1.0)
    with watch("training", plans):
        end(plans[3], 1.0)
    assert len(notes) == 1
    assert notes[0].startswith("corrected after the first training, which took 20 min and not 2 min: about 1 h 20 min left")


def test_a_job_that_was_not_measured_is_not_corrected(plans, forecast):
    end(plans[0], 1.0)
    assert describe_correction(plans[0], replace(forecast, items=(), paces={}), 0.0) == ""
