"""The README and the documentation: figures are those of the results, examples run, links lead somewhere."""

import importlib
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest
import torch

from focalseg.configuration import list_settings
from focalseg.hosts.attachment import attention_sites
from focalseg.placement.policies import POLICIES
from focalseg.study.presets import PRESETS, Settings, build_settings
from focalseg.yaml_files import parse_assignments

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
MEND = "to mend it: python benchmarks/write_figures.py"


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def read_results(name):
    return json.loads(read(f"benchmarks/results/{name}.json"))


@pytest.fixture(scope="module")
def figures():
    """The script that writes the blocks of figures, which is no part of the package."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module("write_figures")
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("write_figures", "figures", "real_images"):
            del sys.modules[name]


@pytest.fixture
def copy(tmp_path):
    """The pages, to be altered."""
    (tmp_path / "docs").mkdir()
    for page in PAGES:
        shutil.copy(ROOT / page, tmp_path / page)
    return tmp_path


def alter(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_block_of_figures_is_what_the_results_and_the_code_say(figures):
    assert figures.check_pages(ROOT) == []


@pytest.mark.parametrize(
    ("page", "block", "old", "new"),
    [
        ("README.md", "presets", "up to 4 levels | 800 |", "up to 4 levels | 900 |"),
        ("README.md", "default policy", "`removal` | 0.003 [", "`removal` | 0.002 ["),
        ("README.md", "null verdicts", "at most 8.8 %", "at most 8.7 %"),
        ("README.md", "real images", "Dice, 612 images", "Dice, 613 images"),
        ("README.md", "rankings of sites", "0.629 [", "0.630 ["),
        ("README.md", "main job", "+0.085", "+0.086"),
        ("README.md", "costs of the losses, in words", "9 to 20 %", "8 to 20 %"),
        ("docs/data.md", "kinds of findings", "| `leak` | error |", "| `leak` | note |"),
        ("docs/focal.md", "gradients", "| 0.434 |", "| 0.435 |"),
        ("docs/losses.md", "arguments of the loss", "| `delta` | 0.6 |", "| `delta` | 0.7 |"),
        ("docs/networks.md", "gates", "| `ag` | space | yes |", "| `ag` | space | no |"),
        ("docs/placement.md", "policies", "`removal` (default)", "`removal`"),
        ("docs/settings.md", "settings of the training", "| 0.005 | 0.002 | 0.001 |", "| 0.005 | 0.002 | 0.002 |"),
        ("docs/statistics.md", "coverage", "| 64.0 to 95.0 |", "| 84.0 to 95.0 |"),
    ],
)
def test_a_figure_that_was_altered_is_named_and_mended(figures, copy, page, block, old, new):
    alter(copy / page, old, new)
    assert figures.check_pages(copy) == [f"{page}: the block {block!r} is not what the results and the code say; {MEND}"]
    assert figures.rewrite_pages(copy) == [copy / page]
    assert (copy / page).read_text(encoding="utf-8") == read(page)


def test_the_words_around_the_blocks_and_beside_the_names_of_the_code_are_free(figures, copy):
    alter(copy / "README.md", "These networks are small and", "The networks are small, and")
    alter(copy / "docs" / "settings.md", "shuffles the groups", "decides how the groups are dealt out")
    assert figures.check_pages(copy) == []
    assert figures.rewrite_pages(copy) == []


def test_a_new_name_of_the_code_asks_for_its_words(figures, copy):
    alter(copy / "docs" / "settings.md", "`split.seed`", "`split.seeds`")
    figures.rewrite_pages(copy)
    assert "| `split.seed` | 0 | 0 | 0 | (to be written) |" in (copy / "docs" / "settings.md").read_text(encoding="utf-8")
    expected = f"docs/settings.md: the block 'settings of the split' has words (to be written); {MEND}"
    assert figures.check_pages(copy) == [expected]


def test_blocks_that_are_not_closed_or_that_nothing_writes_are_named(figures, copy):
    text = read("README.md")
    (copy / "README.md").write_text(text.replace("<!-- end -->", "", 1), encoding="utf-8")
    assert (
        "README.md: Markers that do not pair up, or a name twice after <!-- figures: presets -->"
        in figures.check_pages(copy)[0]
    )
    (copy / "README.md").write_text(text.replace("figures: presets", "figures: prests"), encoding="utf-8")
    assert figures.check_pages(copy)[0].startswith("README.md: No writer for the block 'prests'; there are ")
    assert "no page has the block 'presets'" in figures.check_pages(copy)


def test_the_command_says_what_differs_with_status_1_and_writes_it_without_check(figures, copy, monkeypatch, capsys):
    monkeypatch.setattr(figures, "ROOT", copy)
    alter(copy / "README.md", "at most 8.8 %", "at most 8.7 %")
    monkeypatch.setattr(sys, "argv", ["write_figures.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        figures.main()
    assert ended.value.code == 1
    assert capsys.readouterr().out == f"README.md: the block 'null verdicts' is not what the results and the code say; {MEND}\n"
    monkeypatch.setattr(sys, "argv", ["write_figures.py"])
    figures.main()
    assert capsys.readouterr().out == "written: README.md\n"
    assert (copy / "README.md").read_text(encoding="utf-8") == read("README.md")


def test_no_line_of_the_readme_is_wider_than_125_but_rows_of_tables():
    assert [line for line in read("README.md").splitlines() if len(line) > 125 and not line.startswith("|")] == []


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_every_link_within_the_repository_leads_somewhere(page):
    prose = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_page_of_settings_has_all_of_them_as_they_can_be_typed():
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \| (.+?) \|$", read("docs/settings.md"), flags=re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(name for name in list_settings(Settings) if not name.startswith("loss."))
    for column, preset in enumerate(PRESETS):
        values = {name: "null" if cells[column] == "nothing" else cells[column] for name, *cells in rows}
        values = {name: str(eval(value)) if value == "1/3" else value for name, value in values.items()}
        given = parse_assignments([f"{name}={value}" for name, value in values.items()])
        assert build_settings("quick", given) == build_settings(preset)


def test_the_truth_table_shows_that_the_default_policy_is_the_one_to_take():
    """The leanest of those that lack little, nothing that is needed is lost, and nothing is kept where nothing is needed."""
    table = read_results("placement")

    def mean(policy, figure):
        return fmean(task["policies"][policy]["regret"][figure] for task in table.values())

    default = build_settings("quick").policy
    good = [policy for policy in POLICIES if mean(policy, "policy") <= 0.01]
    shares = {
        policy: fmean(task["policies"][policy]["modules"] / len(task["candidates"]) for task in table.values())
        for policy in good
    }
    assert default == min(good, key=shares.get)
    assert mean(default, "policy") <= mean(default, "random") / 2
    for needy, least in ((True, 0.95), (False, 0.9)):
        ours = [task["policies"][default] for task in table.values() if bool(task["needed"]) == needy]
        assert sum(one["served"] for one in ours) >= least * sum(one["decisions"] for one in ours)
    assert all(task["policies"][default]["trainings"] < 3 for task in table.values())


def test_the_truth_table_has_every_policy(figures):
    written = figures.WRITERS["truth table"]("").splitlines()[2:]
    assert {row.split("|")[1].strip() for row in written} == set(POLICIES)
    assert len(figures.WRITERS["truth table, three trainings"]("").splitlines()[2:]) == 7


def test_help_is_claimed_in_at_most_one_of_twenty_jobs_where_there_is_none():
    found = read_results("null_verdicts")
    verdicts = Counter((one["policy"], one["verdict"]) for one in found)
    repetitions = len({one["number"] for one in found})
    for policy in ("removal", "random"):
        assert verdicts[policy, "helps"] <= repetitions / 20
        assert verdicts[policy, "no_difference_shown"] >= 0.9 * repetitions
    assert not any(one["kept"] for one in found if one["policy"] == build_settings("quick").policy)
    assert not any(one["claims_help"] for one in found)
    everywhere = [one["all_minus_none"] for one in found if one["policy"] == "removal"]
    assert all(abs(one["dice"]) < 0.01 for one in everywhere if one["low"] > 0 or one["high"] < 0)


def test_what_is_said_of_real_images_is_what_was_measured():
    pairs = [pair for one in read_results("real_data-small-earlier").values() for pair in one["comparisons"]]
    chance = [pair for pair in pairs if (pair["one"], pair["other"]) == ("placed", "random")]
    assert len(chance) == 2
    assert all(pair["low"] < 0 < pair["high"] for pair in chance)  # that the choice beats chance is not shown
    assert read("benchmarks/results/networks.md").count("Kept: none.") == 2


def test_strata_that_disagree_are_told_and_groups_too_few_for_as_good_are_counted(figures):
    room = sys.modules["figures.from_real_images"]
    earlier = {name: room._tell_earlier(one, name) for name, one in read_results("real_data-small-earlier").items()}
    busi, vessels = (room._describe(earlier[name]) for name in ("busi", "chase_db1"))
    assert "Of the 51 images without the object it leaves 22 % empty in place of 49 %" in busi
    assert "it finds more and raises more false alarms" in busi
    assert "false alarms" not in vessels
    most = 1 - 0.025 ** (1 / 14)  # no failure in 14 groups, Clopper and Pearson
    assert f"14 groups without a failure still leave room for {most:.0%}".replace("%", " %") in vessels


def test_a_set_that_was_trained_anew_is_told_with_intervals_and_tuned_thresholds(figures):
    room = sys.modules["figures.from_real_images"]

    def stratum(se, placed, low, high):
        change = {"value": (low + high) / 2, "low": low, "high": high}
        arms = {arm: {"value": value, "cases": 9} for arm, value in (("none", 0.5), ("se", se), ("placed", placed))}
        return {"arms": arms, "differences": {"se - none": change, "placed - none": change}}

    told = room._tell_new(
        {
            "seen": "81 x 96 pixels",
            "protocol": {"folds": 10, "trainings": 1},
            "strata": {
                "with_object": stratum(0.6, 0.6, 0.05, 0.15),
                "missed": stratum(0.1, 0.1, -0.5, -0.3),
                "left_empty": stratum(0.2, 0.2, -0.4, -0.2),
                "all_cases": stratum(0.5, 0.5, -0.1, 0.1),
            },
            "tuned": {"with_object": stratum(0.6, 0.6, -0.02, 0.04)},
            "these_images": {"with_object": stratum(0.6, 0.6, 0.08, 0.12)},
            "rescues": {"se - none": {"rescued": 0.07}, "placed - none": {"rescued": 0.01}},
            "comparisons": [{"one": "placed", "other": "none", "smallest_difference": 0.06}],
            "folds": [{"kept": {"encoder.0": "se"}, "shut": []}],
            "arms": {"none": {"groups": 9}},
        }
    )
    assert told.protocol == "ten folds, one training per arm and fold"
    gain = "+0.100 [+0.050, +0.150] ([+0.080, +0.120] for these images alone)"
    assert room._describe(told) == (
        f"With SE everywhere the Dice of images with the object changes by {gain}, +0.070 of it owed to objects missed "
        "altogether (10.0 % in place of 50.0 %). At tuned thresholds it is +0.010 [-0.020, +0.040]. Of the 9 images without "
        "the object it leaves 20 % empty in place of 50 %. So it finds more and raises more false alarms; the mean over all "
        f"images, +0.000 [-0.100, +0.100], hides it. What was placed changes the Dice with the object by {gain}, that of all "
        "images by +0.000 [-0.100, +0.100]. Four studies of five would show a gain of 0.06."
    )


def test_the_planted_truths_are_what_the_tasks_were_made_for():
    results = read_results("planted_truths")
    useful = {row["arm"]: row["dice"] for row in results["single_sites"] if row["gain"]["low"] > 0.1 and row["arm"] != "all"}
    assert len(useful) == 4
    for result in results["places"]:
        if result["task"] == "phantom:global-cue":
            assert result["verdict"] == "helps"
            assert result["kept"][max(useful, key=lambda arm: sum(useful[arm]))] == "se"
        else:
            assert result["verdict"] != "helps"


def python_blocks(page):
    """Every Python example of a page."""
    return re.findall(r"```python\n(.*?)```", read(page), flags=re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/losses.md"])
def test_the_examples_of_the_losses_run_as_they_stand_and_leave_a_gradient(page, capsys):
    blocks = python_blocks(page)
    names: dict[str, object] = {}
    exec("\n".join(blocks if page != "README.md" else blocks[1:]), names)
    assert torch.isfinite(names["logits"].grad).all()
    capsys.readouterr()


def test_the_examples_of_the_networks_run_as_they_stand(capsys):
    pytest.importorskip("monai")
    names: dict[str, object] = {}
    exec("\n".join(python_blocks("docs/networks.md")), names)
    assert set(attention_sites(names["own"])) == {"fine", "coarse", "top"}
    gammas = [weight.grad for name, weight in names["network"].named_parameters() if name.endswith("gamma")]
    assert len(gammas) == 7
    assert all(grad is not None for grad in gammas)
    assert "skip.0" in capsys.readouterr().out


def test_the_python_example_runs_as_it_stands():
    torch.manual_seed(0)
    batches = [(torch.randn(2, 3, 32, 32), torch.rand(2, 32, 32) > 0.5)]
    example, _ = python_blocks("README.md")
    names = {"batches": batches}
    exec(example, names)
    loss = names["loss"](names["lean"](batches[0][0]), batches[0][1])
    assert torch.isfinite(loss)
    assert set(names["placement"].layout) == set(attention_sites(names["lean"]))
