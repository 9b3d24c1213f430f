"""What can be refused without torch is refused before it is imported, which takes seconds."""

from dataclasses import replace

import pytest

from cli.early import refuse_early
from focalseg.records.seals import sign_text
from focalseg.study.beginning import PlaceJob
from focalseg.yaml_files import write_yaml

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("verb", ["place", "train"])
def test_a_call_at_fault_is_refused_before_torch_is_imported(verb, make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    (tmp_path / "file").write_text("text")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("text")
    (tmp_path / "broken.yaml").write_text("training: [steps")
    (tmp_path / "pictures").mkdir()
    at_fault = {
        "No folder": (tmp_path / "none", "--out", out),
        "No phantom named 'locl'": ("phantom:locl", "--out", out),
        "which is never written to": (data, "--out", data / "out"),
        "file is a file; expected a folder": (data, "--out", tmp_path / "file"),
        "foreign is not empty and was not made by focalseg": (data, "--out", tmp_path / "foreign"),
        "No setting named 'training.stepz'": (data, "--out", out, "--set", "training.stepz=1"),
        "training.steps was 0; expected": (data, "--out", out, "--set", "training.steps=0"),
        "loss.delta was 2": (data, "--out", out, "--set", "loss.delta=2"),
        "No policy named 'remove'": (data, "--out", out, "--set", "policy=remove"),
        "No gate named 'sse'": (data, "--out", out, "--set", "gates=[sse]"),
        "No regime of the exponents named 'fre'": (data, "--out", out, "--set", "training.exponents=fre"),
        "name was 'monai:UNett'": (data, "--out", out, "--network", "monai:UNett"),
        "No preset named 'slow'": (data, "--out", out, "--preset", "slow"),
        "broken.yaml is not readable as YAML": (data, "--out", out, "--config", tmp_path / "broken.yaml"),
        "No file": (data, "--out", out, "--config", tmp_path / "none.yaml"),
    }
    answers = refuse_early([(verb, *words) for words in at_fault.values()])
    for expected, (status, said) in zip(at_fault, answers, strict=True):
        assert status == 2, said
        assert said.startswith("error: ")
        assert expected in said
    assert not out.exists()
    ((status, said),) = refuse_early([(verb, tmp_path / "pictures", "--out", out)])
    assert (status, "holds nothing" in said) == (3, True)


def test_names_that_one_verb_alone_takes_are_refused_before_torch_is_imported(make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    (tmp_path / "placement.json").write_text("{")
    attention, broken, budget, exponents = refuse_early(
        [
            ("train", data, "--out", out, "--attention", "see"),
            ("train", data, "--out", out, "--attention", tmp_path / "placement.json"),
            ("place", data, "--out", out, "--budget", "-1"),
            ("place", data, "--out", out, "--set", "training.exponents=dropout"),
        ]
    )
    assert attention[1].startswith("error: --attention was 'see'; expected none, all, se, eca,")
    assert str(tmp_path / "placement.json") in broken[1]
    assert budget == (2, "error: --budget was -1; expected hours above 0, such as 0.5 or 8.\n")
    assert exponents[1].startswith("error: training.exponents was 'dropout'; expected 'free'")


def test_a_folder_of_another_job_and_one_in_use_are_refused_before_torch_is_imported(make_folder, tmp_path, tiny_settings):
    data, out = make_folder(), tmp_path / "out"
    out.mkdir()
    settled = replace(tiny_settings, training=replace(tiny_settings.training, precision="32-true"))
    job = PlaceJob(data=str(data), seed=0, settings=settled)
    (out / "config.yaml").write_text(sign_text(write_yaml(job)))
    (out / ".lock").write_text("")
    (tmp_path / "same.yaml").write_text(write_yaml(tiny_settings))
    same = ("place", data, "--out", out, "--config", tmp_path / "same.yaml")
    calls = [(*same, "--seed", "1"), (*same, "--set", "seeds=3"), ("train", data, "--out", out)]
    answers = refuse_early(calls)
    ends = "; give another --out, or remove it to start anew.\n"
    begins = f"error: {out} was made with other settings (see {out}/config.yaml: "
    assert answers[0] == (2, f"{begins}seed){ends}")
    assert answers[1] == (2, f"{begins}settings.seeds){ends}")
    assert answers[2][1].startswith(begins)
    answers = refuse_early([same], held=[out / ".lock"])
    assert answers == [(2, f"error: {out} is in use by another focalseg; wait for it to end, or give another --out.\n")]
    assert (out / "config.yaml").read_text() == sign_text(write_yaml(job))
