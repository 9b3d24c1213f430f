"""A finished job that goes on: the trainings that are there are reused, and every look is counted, whatever stops it."""

import json
from dataclasses import replace

import pytest

from focalseg.errors import Interrupted, SettingError
from focalseg.records.outcome.looks import LOOKS, LookHistory
from focalseg.records.record import read_record
from focalseg.study import place as place_module
from focalseg.study.looks.history import Extension
from focalseg.study.looks.tails import plan_tails
from focalseg.study.place import place
from focalseg.study.running.listeners import Listeners
from focalseg.study.until import place_until_decided

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def job(tmp_path_factory, write_folder, tiny_settings):
    """A function that calls `place` on one folder, that folder, and its settings: of two steps a training."""
    out = tmp_path_factory.mktemp("looks") / "out"
    data = write_folder(out.parent / "data", count=15)
    settings = replace(tiny_settings, seeds=1, training=replace(tiny_settings.training, steps=2))

    def call(function=place, **changes):
        how = {"settings": settings, "seed": 3, "device": "cpu", "workers": 1} | changes
        return function(str(data), out, how.pop("settings"), **how)

    return call, out, settings


def read_looks(out):
    return read_record(LookHistory, out / LOOKS).looks


def list_runs(out):
    return {path.parent.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in out.glob("runs/*/*/*/result.json")}


def test_a_job_goes_on_is_stopped_and_goes_on_and_every_look_is_counted_once(job, monkeypatch):
    call, out, settings = job
    lone = call().placement
    assert [(look.seeds, look.folds, look.finished) for look in read_looks(out)] == [(1, 1, True)]
    before = list_runs(out)

    # Of one look alone, what is left tells as much.
    counted = (out / LOOKS).read_bytes()
    (out / LOOKS).unlink()
    call()
    assert (out / LOOKS).read_bytes() == counted

    # Stopped between the trainings and the verdict: the look is open, and no folder forgets it.
    with monkeypatch.context() as patch:
        patch.setattr(place_module, "write_examples", lambda *_, **__: (_ for _ in ()).throw(Interrupted(2)))
        with pytest.raises(Interrupted):
            call(extension=Extension(more_trainings=1))
    assert [look.finished for look in read_looks(out)] == [True, False]
    with pytest.raises(SettingError, match="is being extended by --more-trainings 1, which was stopped"):
        call(extension=Extension(more_folds=1))
    second = call(extension=Extension(more_trainings=1))
    after = list_runs(out)
    assert before.items() <= after.items()
    arms = ("none", "all", "placed") if lone.modules else ("none", "all")
    assert after.keys() - before.keys() == {f"runs/{arm}/fold_0/seed_4" for arm in arms}
    assert [site.kept for site in second.placement.sites] == [site.kept for site in lone.sites]

    # Whom intervals speak for is asked anew at no cost, and is no other job.
    other = call(settings=replace(settings, claim="data_set"))
    assert (other.record.claim, second.record.claim) == ("data_set", "new_data")
    assert list_runs(out) == after

    # The same command again, and without the extension, looks at nothing anew.
    assert call().record == second.record
    assert len(read_looks(out)) == 2

    third = call(extension=Extension(more_folds=1))
    looks = read_looks(out)
    assert [(look.seeds, look.folds) for look in looks] == [(1, 1), (2, 1), (2, 2)]
    assert [look.tail for look in looks] == pytest.approx(plan_tails((1, 2, 4), 0))
    assert after.items() <= list_runs(out).items()
    assert (third.record.arms["none"].trainings, third.record.arms["none"].folds) == (2, 2)
    assert third.record.folds[0].kept == {site.site: site.gate for site in lone.sites if site.kept}
    assert looks[-1].sentence == json.loads((out / "placement.json").read_text())["sentence"]

    # A look cannot be uncounted.
    kept = (out / LOOKS).read_bytes()
    (out / LOOKS).unlink()
    with pytest.raises(SettingError, match="counts how often this job was judged"):
        call()
    for name in ("placement.json", "config.yaml"):
        (out / name).rename(out.parent / name)
    with pytest.raises(SettingError, match="counts how often this job was judged"):
        call(settings=replace(settings, seeds=2))
    for name in ("placement.json", "config.yaml"):
        (out.parent / name).rename(out / name)
    (out / LOOKS).write_bytes(kept)
    assert call().record == third.record


def test_a_job_goes_on_until_its_hours_are_over_and_says_so(job, tmp_path, tiny_settings, make_folder):
    notes, settings = [], job[2]
    result, ended = place_until_decided(
        str(make_folder(count=15)),
        tmp_path / "out",
        settings,
        hours=1e-4,
        device="cpu",
        workers=1,
        listeners=Listeners(tell=notes.append),
    )
    assert result.looks.most_trainings >= 1
    assert ended.startswith(("Stopped: ", "Decided at look 1."))
    assert len(read_looks(tmp_path / "out")) == 1
