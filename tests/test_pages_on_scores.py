"""The pages on evaluating and comparing: every option is one of its command and stands on its page, examples run as written."""

import re
from pathlib import Path

import pytest
import typer.main

from evaluation.masks.made_masks import write_both
from focalseg.cli.main import _build_app as build_app
from focalseg.records.record import read_record
from focalseg.records.scores.comparison import ComparisonRecord
from focalseg.records.scores.evaluation import EvaluationRecord

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(build_app(())).commands
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def list_options(command):
    return {name for option in COMMANDS[command].params for name in option.opts if name.startswith("--")} | {"--help"}


def run_examples(page):
    names: dict[str, object] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", read(page), flags=re.DOTALL)), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_shows_has_the_options_it_is_given(page):
    """Commands in code, on a line of a block or between backticks."""
    text = re.sub(r" *\\\n *", " ", read(page))
    calls = re.findall(r"(?:^|`)focalseg (\w+)((?: [^`\n#]*)?)", text, flags=re.MULTILINE)
    wrong = [
        (command, option)
        for command, arguments in calls
        for option in re.findall(r"(?<= )--[a-z-]+", arguments)
        if command not in COMMANDS or option not in list_options(command)
    ]
    assert wrong == []
    assert calls or page not in ("README.md", "docs/evaluating.md", "docs/comparing.md", "docs/external.md")


@pytest.mark.parametrize(
    ("command", "pages"), [("evaluate", ["docs/evaluating.md", "docs/external.md"]), ("compare", ["docs/comparing.md"])]
)
def test_every_option_stands_on_the_pages_of_its_command(command, pages):
    text = "".join(map(read, pages))
    assert [option for option in sorted(list_options(command) - {"--help"}) if f"`{option}" not in text] == []


@pytest.mark.slow
def test_the_example_of_evaluating_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    predicted, reference = write_both(tmp_path)
    predicted.rename(tmp_path / "preds")
    reference.rename(tmp_path / "masks")
    for path in [*(tmp_path / "preds").iterdir(), *(tmp_path / "masks").iterdir()]:
        path.rename(path.with_name(path.name.replace("patient", "patient_")))
    monkeypatch.chdir(tmp_path)
    found = run_examples("docs/evaluating.md")["found"]
    assert capsys.readouterr().out.startswith("Mean Dice ")
    assert found.groups == 4
    assert read_record(EvaluationRecord, tmp_path / "evaluation.json") == found


def test_the_examples_of_comparing_run_as_they_stand(tmp_path, monkeypatch, capsys):
    for name, dice in {"plain": (0.81, 0.74, 0.66, 0.70), "gated": (0.85, 0.79, 0.70, 0.73)}.items():
        lines = [f"patient_{number // 2}_{number},{score}" for number, score in enumerate(dice)]
        (tmp_path / f"{name}.csv").write_text("case,dice\n" + "\n".join(lines))
    monkeypatch.chdir(tmp_path)
    names = run_examples("docs/comparing.md")
    assert "its Dice minus that of plain is" in capsys.readouterr().out
    assert read_record(ComparisonRecord, tmp_path / "comparison.json") == names["found"]
    assert names["same"].metric == "Dice"
    assert names["same"].systems["plain"].groups == 2
