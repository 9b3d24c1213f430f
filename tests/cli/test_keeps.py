"""`focalseg train` for keeps, as typed: lengthening is refused with a way that works, and what is printed."""

import json
import re
import shlex

import pytest

pytestmark = pytest.mark.slow

TINY = [
    *("--set", "data.longest_side=32", "--set", "network.base_width=4", "--set", "network.most_levels=3"),
    *("--set", "training.batch_size=4", "--set", "training.validate_every=4"),
]
STEPS = ["--set", "training.steps=8"]
CYCLE = "the learning rate follows a one-cycle schedule over training.steps, so "


def write_config(path, steps):
    path.write_text(f"training:\n  steps: {steps}\n")
    return path


def test_a_finished_training_is_not_lengthened_and_the_way_that_is_named_works(focalseg, make_folder, tmp_path):
    data, out, new = make_folder(), tmp_path / "the run", tmp_path / "new"
    assert focalseg("train", data, "--out", out, *TINY, *STEPS).status == 0
    config = write_config(tmp_path / "more.yaml", 16)
    for longer in (["--set", "training.steps=16"], ["--config", config]):
        outcome = focalseg("train", data, "--out", out, *TINY, *longer)
        assert outcome.status == 2
        command = f"focalseg train {data} --start-from '{out}' --out NEW --set training.steps=16"
        assert outcome.err == (
            f"error: {out} was made with other settings (see {out}/config.yaml: training.steps 8 then, 16 now); {CYCLE}a "
            f"finished training cannot be lengthened. Start a new one from its weights: `{command}` with the other options as "
            "they were.\n"
        )
    mend = re.search("`focalseg (.*?)`", outcome.err).group(1).replace("NEW", str(new))
    outcome = focalseg(*shlex.split(mend), *TINY)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith(f"began with the weights of {out}/model.safetensors\ntest Dice ")
    assert "steps: 16\n" in (new / "config.yaml").read_text()
    outcome = focalseg("train", data, "--out", out, *TINY, *STEPS)
    assert outcome.status == 0, outcome.err  # the first one is as it was


def test_a_preset_that_changes_more_than_the_steps_names_the_rest_too(focalseg, make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    assert focalseg("train", data, "--out", out, *TINY, *STEPS).status == 0
    outcome = focalseg("train", data, "--out", out, *TINY, "--preset", "standard")
    assert outcome.status == 2
    found = re.search(r"config\.yaml: (.*?)\); the learning rate", outcome.err).group(1)
    assert found == "training.steps 8 then, 6000 now, training.learning_rate, training.augmentation.rotation_degrees"


def test_an_unfinished_training_keeps_its_steps_and_is_finished_by_the_command_that_is_named(focalseg, make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    assert focalseg("train", data, "--out", out, *TINY, *STEPS).status == 0
    (out / "result.json").unlink()
    outcome = focalseg("train", data, "--out", out, *TINY, "--set", "training.steps=16")
    assert outcome.status == 2
    assert outcome.err == (
        f"error: {out} was made with other settings (see {out}/config.yaml: training.steps 8 then, 16 now); {CYCLE}one that "
        "was begun keeps them. Finish it with the options that it was begun with (--set training.steps=8); a new one may then "
        f"start from its weights (`focalseg train {data} --start-from {out} --out NEW`), or give another --out to train anew.\n"
    )
    assert focalseg("train", data, "--out", out, *TINY, *STEPS).status == 0
    assert (out / "result.json").exists()


def test_other_data_or_another_seed_is_no_lengthening(focalseg, make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    assert focalseg("train", data, "--out", out, *TINY, *STEPS).status == 0
    outcome = focalseg("train", "phantom:polyp", "--out", out, *TINY, "--set", "training.steps=16")
    assert outcome.err == (
        f"error: {out} was made with other settings (see {out}/config.yaml: data, training.steps); give another --out, or "
        "remove it to start anew.\n"
    )


def test_all_data_prints_that_it_was_not_tested_and_gives_no_number(focalseg, make_folder, tmp_path):
    data, out = make_folder(), tmp_path / "out"
    outcome = focalseg("train", data, "--out", out, "--all-data", *TINY, *STEPS)
    assert outcome.status == 0, outcome.err
    parameters = json.loads((out / "result.json").read_text())["parameters"]
    assert outcome.out == (
        "Not tested: it was trained on every case, and none is left to test it on.\n"
        f"0 attention modules, {parameters:,} parameters; weights and model card in {out}\n"
        f"report: {out}/report/index.html\n"
        f"Next: focalseg predict {out} IMAGES --out MASKS, or focalseg export {out} --format onnx --out DIR\n"
    )
    assert "note: all 10 cases are trained on; none is left to validate or to test on.\n" in outcome.err
    page = (out / "report" / "index.html").read_bytes()
    assert focalseg("report", out).status == 0
    assert (out / "report" / "index.html").read_bytes() == page
    outcome = focalseg("train", data, "--out", out, "--all-data", *TINY, *STEPS, "--json")
    content = json.loads(outcome.out)
    assert (content["dice"], content["cases"], content["tested"]) == (None, 0, False)


def test_place_takes_neither(focalseg, make_folder, tmp_path):
    data = make_folder()
    for option in (["--all-data"], ["--start-from", str(tmp_path)]):
        outcome = focalseg("place", data, "--out", tmp_path / "out", *option)
        assert outcome.status == 2
        assert f"No such option: {option[0]}" in outcome.err
