"""Every planted fault of the corpus is named with its mend, nothing else is, and the inputs stay as they are."""

from pathlib import Path

import pytest

from cli.conftest import focalseg  # noqa: F401 - the fixture of the command line's tests
from focalseg.findings import Finding, show_path
from focalseg.imagesets.kinds import KINDS
from imagesets.corpus.catalogue import FAULTS
from imagesets.corpus.fault import Fault, as_tuple, fingerprint
from imagesets.corpus.folder_faults import LOCKED_FAULTS
from imagesets.corpus.looking import LAYOUT, concerns, look_at
from imagesets.corpus.mixed import write_mixed
from imagesets.corpus.privileges import as_an_ordinary_reader

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
CHECKED = {
    "an image of no bytes", "a name with an escape sequence", "a pipe in the place of manifest.csv",
    "an image of one colour", "the same volume twice", "a field of view turned inside out",
}  # fmt: skip
"""Three that are refused and three that are not. All faults are named above; here, the command line passes that on."""
STARTED = {"a mask through JPEG and back to PNG", "a table in UTF-16"}
"""One in what is read for each case and one in what is listed."""


def named(names: set[str]) -> list[Fault]:
    """Those faults of the corpus, all of them."""
    found = [fault for fault in FAULTS if fault.name in names]
    assert len(found) == len(names)
    return found


def assert_named(fault: Fault, findings: tuple[Finding, ...], planted: tuple[Path, ...]) -> None:
    """The fault is told at its file, by its kind and level, with a mend; and nothing else is told."""
    told = "\n".join(f"[{finding.level} {finding.kind}] {finding}" for finding in findings) or "nothing"
    assert any(finding.kind in fault.kinds and concerns(finding, planted) for finding in findings), told
    for finding in findings:
        assert concerns(finding, planted), f"another file is accused: {finding}"
        assert finding.kind in fault.kinds | fault.also, f"something else is told: [{finding.kind}] {finding}"
        assert finding.level == ("error" if finding.kind == LAYOUT else KINDS[finding.kind].level)
        assert finding.mend.endswith(".")
        assert finding.found
        assert finding.expected
        assert str(finding).isprintable()


def test_the_corpus_has_over_a_hundred_faults_of_every_sort():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 100
    for fault in FAULTS:
        assert len({kind in KINDS and KINDS[kind].level for kind in fault.kinds - {LAYOUT}}) <= 1, (
            f"{fault.name} is of two minds"
        )
    told = {kind for fault in [*FAULTS, *LOCKED_FAULTS] for kind in fault.kinds}
    assert told == {LAYOUT, *KINDS}


@pytest.mark.slow
@every_fault
def test_a_planted_fault_is_named_with_its_mend_and_nothing_else_is(fault, tmp_path):
    planted = as_tuple(fault.make(tmp_path / "data"))
    before = fingerprint(tmp_path)
    assert_named(fault, look_at(tmp_path / "data"), planted)
    assert fingerprint(tmp_path) == before


@pytest.mark.slow
def test_twenty_five_faults_among_three_hundred_good_cases_are_all_told_and_nothing_else(tmp_path):
    faults = write_mixed(tmp_path / "data")
    findings = look_at(tmp_path / "data")
    assert {finding.file for finding in findings} == {str(path) for path in faults}
    for path, fault in faults.items():
        assert_named(fault, tuple(finding for finding in findings if finding.file == str(path)), (path,))
    assert len(faults) == 25


@pytest.mark.parametrize("fault", LOCKED_FAULTS, ids=lambda fault: fault.name)
def test_what_may_not_be_read_is_named(fault, tmp_path):
    planted = as_tuple(fault.make(tmp_path / "data"))
    try:
        with as_an_ordinary_reader() as ordinary:
            if not ordinary:
                pytest.skip("this user may read everything")
            findings = look_at(tmp_path / "data")
    finally:
        for path in planted:
            path.chmod(0o755)
    assert_named(fault, findings, planted)


@pytest.mark.parametrize("fault", named(CHECKED), ids=lambda fault: fault.name)
def test_check_says_so_too(fault, tmp_path, monkeypatch, focalseg):  # noqa: F811
    planted = as_tuple(fault.make(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    before = fingerprint(tmp_path)
    outcome = focalseg("check", tmp_path / "data")
    assert outcome.status == (3 if fault.refused else 0), outcome
    assert "Traceback" not in outcome.out + outcome.err
    assert any(show_path(path) in (outcome.err if fault.refused else outcome.out + outcome.err) for path in planted)
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("verb", ["train", "place"])
@pytest.mark.parametrize("fault", named(STARTED), ids=lambda fault: fault.name)
def test_no_job_starts_on_faulty_data(verb, fault, tmp_path, focalseg):  # noqa: F811
    planted = as_tuple(fault.make(tmp_path / "data"))
    before = fingerprint(tmp_path)
    outcome = focalseg(verb, tmp_path / "data", "--out", tmp_path / "out", "--set", "training.steps=2", "--device", "cpu")
    assert outcome.status == 3, outcome
    assert "Traceback" not in outcome.out + outcome.err
    assert all(line.startswith("error: ") for line in outcome.err.splitlines())
    assert any(show_path(path) in outcome.err for path in planted)
    assert fingerprint(tmp_path) == before
