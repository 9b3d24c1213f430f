"""`focalseg place` on a finished job: --more-trainings, --more-folds, --until decided."""

import json

import pytest

TINY = [
    *("--set", "data.longest_side=32", "--set", "network.base_width=4", "--set", "network.most_levels=3", "--workers", 1),
    *("--set", "training.steps=2", "--set", "training.batch_size=4", "--set", "training.validate_every=2", "--set", "seeds=1"),
    *("--device", "cpu"),
]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--most", 3), "--most was 3, which is for --until; expected both. Add --until decided, or give --budget."),
        (("--until", "decided"), "--most was not given; expected hours above 0, such as 8, with --until decided."),
        (("--until", "decided", "--most", 0), "--most was 0; expected hours above 0, such as 8, with --until decided."),
        (
            ("--until", "decided", "--most", 3, "--more-folds", 2),
            "--more-folds 2 was given with --until decided; expected one of the two. Leave one out.",
        ),
        (
            ("--folds", 3, "--set", "split.test_folds=4"),
            "--folds was 3 and --set split.test_folds=4 was given too; expected one number of folds to test. Leave one out.",
        ),
        (
            ("--folds", 2, "--set", "looks.most_trainings=1"),
            "looks.most_trainings was 1, and the first look has 2 already (seeds 1 x split.test_folds 2); expected more, or "
            "none planned. Give --set looks.most_trainings=4, or leave it out.",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(focalseg, make_folder, tmp_path, words, message):
    outcome = focalseg("place", make_folder(), "--out", tmp_path / "out", *TINY, *words)
    assert (outcome.status, outcome.err) == (2, f"error: {message}\n")
    assert not (tmp_path / "out").exists()


def test_folds_asked_for_on_the_command_line_go_before_those_of_a_file(focalseg, make_folder, tmp_path):
    (tmp_path / "settings.yaml").write_text("split: {test_folds: 1, folds: 5}\n")
    outcome = focalseg("place", make_folder(), "--out", tmp_path / "out", "--config", tmp_path / "settings.yaml", "--folds", 6)
    assert outcome.status == 2
    assert outcome.err.startswith("error: split.test_folds was 6; the split has 5 folds.")


def test_what_has_not_ended_is_not_extended(focalseg, make_folder, tmp_path):
    outcome = focalseg("place", make_folder(), "--out", tmp_path / "out", *TINY, "--more-trainings", 2)
    assert outcome.status == 2
    assert outcome.err == (
        f"error: --more-trainings 2 was given for {tmp_path / 'out'}, where no job has ended; expected the folder of a "
        "finished one. Run the command without it first; for more from the beginning give --set seeds=N or --folds K.\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_finished_job_is_extended_by_the_same_command_and_says_how_often_it_was_judged(focalseg, make_folder, tmp_path):
    out = tmp_path / "out"
    command = ("place", make_folder(count=15), "--out", out, *TINY)
    first = focalseg(*command)
    assert first.status == 0, first.err
    assert "look 1, at 1 training per arm on 1 fold: its intervals are of 96 %; of the 2.5 % that all" in first.out
    more = focalseg(*command, "--more-folds", 1, "--json")
    assert more.status == 0, more.err
    looks = json.loads(more.out)["looks"]
    assert (looks["taken"], looks["most_trainings"], len(looks["history"]), looks["ended"]) == (2, 0, 2, "")
    assert looks["tail"] == looks["history"][-1]["tail"] == json.loads((out / "placement.json").read_text())["looks"]["tail"]
    assert [look["folds"] for look in looks["history"]] == [1, 2]
    refused = focalseg(*command, "--more-folds", 9)
    assert refused.status == 2
    assert "2 of the 5 folds of the split are tested; expected at most 3 more. Give --more-folds 3, or another" in refused.err
    (out / "looks.json").unlink()
    forgotten = focalseg(*command)
    assert forgotten.status == 2
    assert forgotten.err.startswith(f"error: {out / 'looks.json'} is missing, though ")
