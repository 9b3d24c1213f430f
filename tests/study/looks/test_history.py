"""The looks of a job: what is written down, what goes on, and what is refused with its mend."""

from dataclasses import replace

import pytest

from focalseg.errors import SettingError
from focalseg.records.estimate import DiceInterval
from focalseg.records.outcome.looks import LOOKS, Look, LookHistory
from focalseg.records.record import read_record, write_record
from focalseg.records.seals import sign_text
from focalseg.records.splits import SPLITS, Split, Splits
from focalseg.study.beginning import PlaceJob
from focalseg.study.looks.history import (
    Extension,
    apply_look,
    as_looks,
    begin_looks,
    check_first,
    claim_looks,
    go_on,
    read_looks,
)
from focalseg.study.looks.wording import describe_looks
from focalseg.study.presets import build_settings
from focalseg.yaml_files import write_yaml

FOUND = {"verdict": "no_difference_shown", "sentence": "So.", "difference": DiceInterval(dice=0.01, low=-0.02, high=0.04)}


def ended(history):
    """The same, its last look judged."""
    return replace(history, looks=(*history.looks[:-1], replace(history.last, **FOUND)))


@pytest.fixture
def folder(tmp_path):
    """A folder whose split has five folds."""
    folds = tuple(Split(fold=number, train=("a",), validation=("b",), test=("c",)) for number in range(5))
    write_record(tmp_path / SPLITS, Splits(data="data", folds=folds, groups={}))
    return tmp_path


def start(**changes):
    return begin_looks(build_settings("quick", {"seeds": 3, **changes}))


@pytest.mark.parametrize(
    ("looks", "most", "tail"),
    [({}, 0, 0.02), ({"once": True}, 3, 0.025), ({"most_trainings": 6}, 6, 0.001525)],
)
def test_what_was_planned_settles_what_the_first_look_may_claim(looks, most, tail):
    history = start(looks=looks)
    assert (history.most_trainings, len(history.looks)) == (most, 1)
    assert as_looks(history).tail == pytest.approx(tail, rel=1e-3)


def test_an_extension_is_the_next_look_and_the_same_one_goes_on(folder):
    first = ended(start())
    more = go_on(folder, first, Extension(more_trainings=2, more_folds=1))
    assert [(look.seeds, look.folds, look.finished) for look in more.looks] == [(3, 1, True), (5, 2, False)]
    assert as_looks(more).taken == 2
    assert go_on(folder, more, Extension(more_trainings=2, more_folds=1)) == go_on(folder, more, Extension()) == more
    again = go_on(folder, ended(more), Extension(more_trainings=2))
    assert (again.last.seeds, again.last.folds) == (7, 2)
    settings = build_settings("quick", {"seeds": 3})
    assert (apply_look(settings, more.last).seeds, apply_look(settings, more.last).split.test_folds) == (5, 2)


def test_looks_are_read_as_they_were_written_and_end_in_what_was_found(folder):
    history = ended(start())
    claim_looks(folder, None, history)
    assert read_looks(folder) == history
    with pytest.raises(SettingError, match="changed by another process"):
        claim_looks(folder, None, history)


REFUSALS = [
    (None, Extension(more_trainings=1), "--more-trainings 1 was given for {out}, where no job has ended"),
    (start(), Extension(more_folds=2), "--more-folds 2 was given for {out}, where no job has ended"),
    (ended(start()), Extension(more_trainings=998), "--more-trainings was 998, on top of 3 per arm and fold; expected at most"),
    (ended(start()), Extension(more_folds=5), "tested; expected at most 4 more. Give --more-folds 4"),
    (ended(start(looks={"once": True})), Extension(more_trainings=1), "all of the 3 trainings per arm that were planned"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "extension", "message"), REFUSALS)
def test_what_cannot_be_extended_is_refused(history, extension, message, folder):
    with pytest.raises(SettingError) as raised:
        go_on(folder, history, extension)
    assert message.format(out=folder) in str(raised.value)


def test_another_extension_than_the_one_that_was_stopped_is_refused_and_the_mend_works(folder):
    stopped = go_on(folder, ended(start()), Extension(more_trainings=2))
    with pytest.raises(SettingError) as raised:
        go_on(folder, stopped, Extension(more_trainings=3))
    assert str(raised.value) == (
        f"--more-trainings 3 was given, and {folder} is being extended by --more-trainings 2, which was stopped; expected that "
        "to end first. Run the command with --more-trainings 2, then again with --more-trainings 3."
    )
    assert (
        go_on(folder, ended(go_on(folder, stopped, Extension(more_trainings=2))), Extension(more_trainings=3)).last.seeds == 8
    )


@pytest.mark.parametrize("left", ["placement.json", "runs"])
def test_looks_cannot_be_forgotten_with_the_settings_that_they_were_of(left, folder):
    (folder / left).mkdir()
    with pytest.raises(SettingError) as raised:
        read_looks(folder)
    assert str(raised.value) == (
        f"{folder / LOOKS} is missing, though {folder / left} is there; expected the file that counts how often this job was "
        "judged. Restore it, or start anew with another --out."
    )


@pytest.mark.parametrize(
    ("runs", "begins_anew"),
    [
        ((), True),
        (("fold_0/seed_0", "fold_0/seed_1", "fold_0/seed_2"), True),
        (("fold_0/seed_0", "fold_0/seed_1", "fold_0/seed_2", "fold_0/seed_3"), False),
        (("fold_0/seed_0", "fold_1/seed_2000"), False),
    ],
)
def test_without_the_file_a_first_look_begins_anew_with_its_settings_and_a_later_one_does_not(runs, begins_anew, folder):
    job = PlaceJob(data="data", seed=0, settings=build_settings("quick", {"seeds": 3}))
    (folder / "config.yaml").write_text(sign_text(write_yaml(job)))
    (folder / "runs").mkdir()
    for run in runs:
        (folder / "runs" / "none" / run).mkdir(parents=True)
    if begins_anew:
        assert read_looks(folder) is None
    else:
        with pytest.raises(SettingError, match="counts how often this job was judged"):
            read_looks(folder)


def test_a_file_that_was_edited_is_no_file_of_looks(folder):
    write_record(folder / LOOKS, ended(start()))
    text = (folder / LOOKS).read_text()
    (folder / LOOKS).write_text(text.replace('"seeds": 3', '"seeds": 2'))
    with pytest.raises(SettingError, match="seal does not hold"):
        read_looks(folder)


def test_a_job_that_is_begun_anew_with_other_settings_over_its_looks_is_refused(folder):
    history = ended(start())
    check_first(folder, history, build_settings("quick", {"seeds": 3}))
    with pytest.raises(SettingError, match=r"--set seeds=3 --set split\.test_folds=1"):
        check_first(folder, history, build_settings("quick", {"seeds": 5}))


def test_a_history_has_more_trainings_at_every_look_and_only_the_last_one_open(tmp_path):
    one = Look(seeds=3, folds=1, tail=0.02, spent=0.02, **FOUND)
    for looks in ((), (one, one), (one, replace(one, seeds=2, folds=2)), (replace(one, verdict=None), replace(one, seeds=5))):
        with pytest.raises(SettingError):
            LookHistory(looks=looks)
    history = LookHistory(looks=(one, replace(one, seeds=5, verdict=None, sentence="", difference=None)))
    write_record(tmp_path / LOOKS, history)
    assert read_record(LookHistory, tmp_path / LOOKS) == history


def test_the_looks_are_told_in_one_sentence(folder):
    more = ended(go_on(folder, ended(start()), Extension(more_trainings=2)))
    assert describe_looks(more) == (
        "look 2, at 5 trainings per arm on 1 fold: its intervals are of 98.31 %; of the 2.5 % that all looks "
        "may err, 0.1 % are left for others. Before: no_difference_shown (0.010 [-0.020, 0.040]) with 3 x 1 fold."
    )
    assert describe_looks(ended(start(looks={"once": True}))).endswith(
        "of the 2.5 % that all looks may err, nothing is left for others."
    )
