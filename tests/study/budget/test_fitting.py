"""What a job costs, and what is given up for it to fit into the hours a person has."""

import math
from dataclasses import replace
from itertools import pairwise, product
from types import SimpleNamespace

import pytest

from focalseg.errors import SettingError
from focalseg.records.evidence import EVIDENCE
from focalseg.records.record import write_record
from focalseg.records.result import RESULT, Result
from focalseg.records.seals import sign_text
from focalseg.study.arms.design import plan_design
from focalseg.study.beginning import PlaceJob, recall_settings
from focalseg.study.budget import fitting as budget
from focalseg.study.budget.estimate import estimate_runs
from focalseg.study.budget.fitting import (
    END_SECONDS,
    START_SECONDS,
    Item,
    describe_cost,
    describe_seconds,
    fit_settings,
    job_seconds,
    list_items,
    plan_costs,
    span,
)
from focalseg.study.budget.pace import Pace
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.presets import Settings, build_settings
from focalseg.study.running.listeners import Listeners
from focalseg.yaml_files import write_yaml

FINISHED = Result(modules=0, parameters=1, flops=1, seconds=1.0)
PLAIN = Pace(reading=1.0, step=0.1, validation=2.0, scoring=0.75, evidence=0.0)
ATTENDED = Pace(reading=1.0, step=0.2, validation=3.0, scoring=1.0, evidence=10.0)
PACES = {False: PLAIN, True: ATTENDED}
STANDARD = build_settings("standard", {"split": {"test_folds": 5}, "seeds": 5, "rivals": ["wider", "random"]})


def items_of(settings: Settings) -> list[Item]:
    """The runs of a job whose policy looks at networks with all sites once."""
    stages = {"none": 0, "all": 0, "wider": 0, "probe_dropout": 1, "placed": 2, "random": 2}
    return [
        Item(
            arm=arm,
            fold=fold,
            number=number,
            stage=stage,
            attention=arm not in ("none", "wider"),
            scored=2 if arm == "probe_dropout" else 4,
            testifies=arm == "probe_dropout",
        )
        for arm, stage in stages.items()
        for fold, number in product(range(settings.split.test_folds), range(settings.seeds))
        if arm not in ("wider", "random") or arm in settings.rivals
    ]


def price_simply(settings: Settings) -> float:
    """A second a step of every training: none, all, a probe and the lean network, and every rival."""
    arms = 4 + len(settings.rivals)
    return float(arms * settings.split.test_folds * settings.seeds * settings.training.steps)


@pytest.fixture
def design(make_folder, tiny_settings, tmp_path):
    """A job of seconds that nothing was trained for yet."""
    ground = lay_groundwork(str(make_folder()), tiny_settings, 0, "cpu")
    return plan_design(ground, tiny_settings, tmp_path / "out", device="cpu", workers=1, listeners=Listeners())


@pytest.mark.parametrize(
    ("seconds", "workers", "end"),
    [([10, 10, 10], 1, 30), ([10, 10, 10], 2, 20), ([1, 1, 4], 2, 5), ([4, 1, 1], 2, 4), ([3], 8, 3), ([], 2, 0)],
)
def test_runs_side_by_side_end_when_the_last_of_them_does(seconds, workers, end):
    assert span(seconds, workers) == end


def test_a_run_reads_trains_validates_scores_and_testifies():
    training = replace(STANDARD.training, steps=250, validate_every=100)
    assert PLAIN.run_seconds(training, scored=4, testifies=False) == pytest.approx(1 + 250 * 0.1 + 3 * 2 + 4 * 0.75)
    assert ATTENDED.run_seconds(training, scored=2, testifies=True) == pytest.approx(1 + 250 * 0.2 + 3 * 3 + 2 * 1.0 + 10)


def test_a_network_of_twice_the_work_takes_twice_as_long_but_for_reading():
    training = replace(STANDARD.training, steps=250, validate_every=100)
    wide = PLAIN.run_seconds(training, scored=4, testifies=False, work=2.0)
    assert wide == pytest.approx(1 + 2 * (250 * 0.1 + 3 * 2 + 4 * 0.75))
    item = Item(arm="wider", fold=0, number=0, stage=0, attention=False, scored=4, testifies=False, work=2.0)
    alone = job_seconds([item], replace(STANDARD, training=training), PACES, workers=1)
    assert alone == pytest.approx(wide + END_SECONDS)


def test_a_job_waits_at_the_end_of_each_stage_and_for_the_start_of_its_workers():
    settings = build_settings("quick", {"seeds": 3, "training": {"steps": 100, "validate_every": 100}})
    # They validate at the end and, since they would not do so before, at the middle and at four fifths.
    plain, attended, probe = 1 + 10 + 3 * 2 + 3, 1 + 20 + 3 * 3 + 4, 1 + 20 + 3 * 3 + 2 + 10
    items = items_of(settings)
    alone = 3 * plain + 3 * attended + 3 * probe + 3 * attended + END_SECONDS
    assert job_seconds(items, settings, PACES, workers=1) == pytest.approx(alone)
    # Two at a time: none none | none all | all all, all but the first none beginning as a worker is free.
    first = max(plain + plain + attended, plain + attended + attended)
    beside = first + 2 * probe + 2 * attended + 3 * START_SECONDS + END_SECONDS
    assert job_seconds(items, settings, PACES, workers=2) == pytest.approx(beside)


def test_what_a_smaller_job_leaves_out_is_not_counted():
    asked = items_of(STANDARD)
    for change in ({"rivals": ("wider",)}, {"seeds": 2}, {"split": replace(STANDARD.split, test_folds=1)}):
        smaller = replace(STANDARD, **change)
        assert job_seconds(asked, smaller, PACES, workers=2) == job_seconds(items_of(smaller), smaller, PACES, workers=2)


def test_the_estimate_is_one_sentence():
    settings = build_settings("quick", {"training": {"steps": 6000, "validate_every": 6000}})
    text = describe_cost(items_of(settings), settings, PACES, workers=2)
    # 3 of 12 trainings have no attention: (3 * 0.1 + 9 * 0.2) / 12 s a step.
    assert text.endswith(": 12 trainings of 6000 steps, 0.17 s a step, two at a time.")
    # Trainings of 606, 1208, 1216 and 1208 s: stages of 3022, 2432 and 2416 s, and 17 s for starting and ending.
    assert text.startswith("about 2 h 10 min: ")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(39.2, "40 s"), (100, "2 min"), (59 * 60, "59 min"), (4790, "1 h 20 min"), (7190, "2 h"), (30 * 3600 + 900, "30 h")],
)
def test_time_is_told_no_finer_than_it_is_known(seconds, words):
    assert describe_seconds(seconds) == words


def test_a_job_that_fits_is_left_as_it_was():
    notes: list[str] = []
    assert fit_settings(STANDARD, price_simply(STANDARD), price_simply, notes.append) is STANDARD
    assert not notes


@pytest.mark.parametrize(
    ("arms", "folds", "seeds", "steps"),
    [
        (5, 5, 5, 6000),
        (4, 5, 3, 6000),
        (4, 5, 1, 6000),
        (4, 1, 4, 6000),
        (4, 1, 3, 6000),
        (4, 1, 3, 4800),
        (4, 1, 3, 2400),
        (4, 1, 2, 3540),
        (4, 1, 2, 2400),
    ],
)
def test_as_little_as_possible_is_given_up_in_order(arms, folds, seeds, steps):
    fitted = fit_settings(STANDARD, arms * folds * seeds * steps + 0.5, price_simply)
    assert (4 + len(fitted.rivals), fitted.split.test_folds, fitted.seeds, fitted.training.steps) == (arms, folds, seeds, steps)
    kept = {"rivals": fitted.rivals, "split": fitted.split, "seeds": fitted.seeds, "training": fitted.training}
    assert fitted == replace(STANDARD, **kept)


def test_what_is_given_up_is_told():
    notes: list[str] = []
    fitted = fit_settings(STANDARD, 4 * 3 * 3000, price_simply, notes.append)
    assert fitted.training.steps == 3000
    assert notes == [
        "to fit into 10 h: wider and random not compared.",
        "to fit into 10 h: 1 of the 5 folds tested.",
        "to fit into 10 h: 3 trainings an arm and fold instead of 5.",
        "to fit into 10 h: 3000 steps a training instead of 6000.",
    ]
    notes.clear()
    fit_settings(STANDARD, 4 * 2 * 2400, price_simply, notes.append)
    assert notes[2:] == [
        "to fit into 5 h 20 min: 2 trainings an arm and fold instead of 5, which makes wide intervals.",
        "to fit into 5 h 20 min: 2400 steps a training instead of 6000.",
    ]


def test_any_budget_is_kept_or_refused():
    for seconds in range(1000, 1_000_000, 7919):
        if seconds < 4 * 2 * 2400:
            with pytest.raises(SettingError):
                fit_settings(STANDARD, seconds, price_simply)
        else:
            assert price_simply(fit_settings(STANDARD, seconds, price_simply)) <= seconds


def test_too_small_a_budget_is_refused_with_the_least_that_would_do():
    notes: list[str] = []
    with pytest.raises(SettingError) as caught:
        fit_settings(STANDARD, 3600, price_simply, notes.append)
    assert str(caught.value) == (
        "--budget was 1 hours; the least that this job takes is about 5 h 20 min, with 2400 steps a training and 2 "
        "trainings an arm. Give --budget 5.34 or more, a smaller data.longest_side, or a smaller --preset."
    )
    assert not notes
    assert price_simply(fit_settings(STANDARD, 5.34 * 3600, price_simply)) == 4 * 2 * 2400


@pytest.mark.slow
def test_finished_runs_are_not_counted(design):
    runs = estimate_runs(design)
    plans, plain = [*runs.certain, *runs.at_most], design.trainers[0].base
    assert sorted((item.arm, item.number) for item in list_items(plans, plain)) == sorted(
        (arm, number) for arm in ("none", "all", "probe_dropout", "placed") for number in (0, 1)
    )
    (plans[0].folder).mkdir(parents=True)
    write_record(plans[0].folder / RESULT, FINISHED)
    left = list_items(plans, plain)
    assert len(left) == len(plans) - 1
    assert [item.number for item in left if item.arm == plans[0].arm] == [1]


def test_a_witness_that_left_no_evidence_is_counted_still(design):
    plain = design.trainers[0].base
    plans = [replace(plan, testifies=True) for plan in design.plan_known(design.trainers[0])["all"]]
    for plan in plans:
        plan.folder.mkdir(parents=True)
        write_record(plan.folder / RESULT, FINISHED)
    (plans[1].folder / EVIDENCE).touch()
    assert [item.number for item in list_items(plans, plain)] == [0]


def test_the_work_of_the_wider_network_is_that_of_its_convolutions_and_cases_are_those_that_are_scored(design, tiny_settings):
    trainer = design.trainers[0]
    plain = trainer.base

    def count(widths):
        """Of a U-Net on images in RGB, each convolution by hand: 2 x 9 (or 1) x channels in x channels out x pixels."""
        sizes = [(plain.preparation.window[0] >> level) ** 2 for level in range(len(widths))]
        down = sum(
            18 * size * (before * after + after * after)
            for size, before, after in zip(sizes, (3, *widths), widths, strict=False)
        )
        up = sum(
            2 * sizes[level + 1] * deep * fine + 18 * sizes[level] * 3 * fine * fine
            for level, (fine, deep) in enumerate(pairwise(widths))
        )
        return down + up + 2 * sizes[0] * widths[0]

    widths = tuple(plain.network.widths)
    wide = replace(design, wider=replace(plain.network, arguments={"widths": [3 * width for width in widths]}))
    items = list_items([plan for plans in wide.plan_known(trainer).values() for plan in plans], plain)
    work = {item.arm: item.work for item in items}
    assert work["none"] == work["all"] == 1
    expected = count([3 * width for width in widths]) / count(widths)
    assert work["wider"] == pytest.approx(expected, rel=1e-12)
    split = trainer.split
    assert {item.scored for item in items} == {len(split.validation) + len(split.test)}
    probes = design.search(trainer).trainer.plan("probe_free", design.everywhere, range(1))
    assert [item.scored for item in list_items(probes, plain)] == [len(split.validation)]


@pytest.mark.slow
def test_what_it_costs_is_said_of_a_job_of_few_steps_too(design, tiny_settings, monkeypatch):
    notes: list[str] = []
    monkeypatch.setattr(budget, "measure_paces", lambda *_, **__: PACES)
    forecast = plan_costs(design, tiny_settings, tell=notes.append)
    assert (forecast.settings, len(forecast.items)) == (tiny_settings, 8)
    assert [note.split(": ")[1] for note in notes] == ["8 trainings of 12 steps, 0.17 s a step, one at a time."]
    assert plan_costs(design, tiny_settings, hours=1.0, tell=notes.append).settings == tiny_settings
    assert len(notes) == 2
    assert not design.trainers[0].folder.exists()


def test_nothing_is_said_of_trainings_where_all_that_were_left_had_to_be_given_up(monkeypatch):
    design = SimpleNamespace(
        trainers=[SimpleNamespace(base=None, workers=1, device="cpu")], plan_known=lambda _: {"none": [None], "all": [None]}
    )
    rival = Item(arm="wider", fold=0, number=0, stage=0, attention=False, scored=4, testifies=False)
    monkeypatch.setattr(budget, "measure_paces", lambda *_, **__: PACES)
    monkeypatch.setattr(budget, "estimate_runs", lambda _: SimpleNamespace(certain=[], at_most=[]))
    monkeypatch.setattr(budget, "list_items", lambda *_: [rival])
    notes: list[str] = []
    settings = replace(STANDARD, rivals=("wider",))
    forecast = plan_costs(design, settings, hours=(END_SECONDS + 1) / 3600, tell=notes.append)
    assert (forecast.items, forecast.settings.rivals) == ([], ())
    assert notes == ["to fit into 6 s: wider not compared."]


BUSY = {plain: replace(pace, load=10.0) for plain, pace in PACES.items()}
"""The same on a machine whose processors are at work for others nine tenths of the time."""


def test_on_a_busy_machine_both_times_are_told_and_on_an_idle_one_one_is():
    settings = build_settings("quick", {"training": {"steps": 6000, "validate_every": 2000}})
    items = items_of(settings)
    idle, busy = (job_seconds(items, settings, BUSY, workers=1, idle=each) for each in (True, False))
    assert busy == pytest.approx(10 * idle)
    # Nine of the twelve trainings take about 1200 s and three about 600, which is 3.5 h.
    text = describe_cost(items, settings, BUSY, workers=1)
    assert text == (
        "about 21 min on an idle machine, 3 h 35 min at the present load: 12 trainings of 6000 steps, 0.017 s of "
        "processor time a step, one at a time."
    )
    slightly = {plain: replace(pace, load=1.2) for plain, pace in PACES.items()}
    assert describe_cost(items, settings, slightly, workers=1) == describe_cost(items, settings, PACES, workers=1)


def test_hours_are_counted_at_the_present_load_which_is_said_where_something_is_given_up():
    notes: list[str] = []

    def price_idle(settings):
        return price_simply(settings) / 10

    fitted = fit_settings(STANDARD, 4 * 3 * 3000, price_simply, notes.append, idle=price_idle)
    assert fitted == fit_settings(STANDARD, 4 * 3 * 3000, price_simply)
    assert notes[-1] == (
        "the machine is busy, and --budget counts at its present load: all of the job would take about "
        "25 h on an idle machine, 250 h at the present load."
    )
    with pytest.raises(SettingError, match=r"takes is about 32 min on an idle machine, 5 h 20 min at the present load, "):
        fit_settings(STANDARD, 3600, price_simply, idle=price_idle)
    notes.clear()
    fit_settings(STANDARD, price_simply(STANDARD), price_simply, notes.append, idle=price_idle)
    assert not notes


def test_the_same_hours_again_come_to_what_they_came_to(tmp_path, tiny_settings):
    fitted = replace(tiny_settings, seeds=1)
    job = PlaceJob(data="data", seed=0, settings=fitted, budget_hours=0.5, asked=tiny_settings)
    (tmp_path / "config.yaml").write_text(sign_text(write_yaml(job)))
    assert recall_settings(tmp_path, tiny_settings, 0.5) == fitted
    assert recall_settings(tmp_path, tiny_settings, 0.25) is None
    assert recall_settings(tmp_path, fitted, 0.5) is None
    assert recall_settings(tmp_path, tiny_settings, None) is None
    assert recall_settings(tmp_path / "elsewhere", tiny_settings, 0.5) is None


@pytest.mark.parametrize("hours", [0.0, -1.0, math.inf, math.nan])
def test_hours_are_more_than_none(tmp_path, tiny_settings, hours):
    with pytest.raises(SettingError, match=r"--budget was .*; expected hours above 0, such as 0.5 or 8."):
        recall_settings(tmp_path, tiny_settings, hours)
