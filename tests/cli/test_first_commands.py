"""The commands that the README begins with."""

import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"


def test_the_first_commands_run_as_they_stand(focalseg, write_folder, tmp_path):
    """From a folder of images to masks of new ones, and how good they are. Only the budget is cut, which takes most time."""
    block = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)[0]
    commands = [line.partition("#")[0].split()[1:] for line in block.splitlines() if line.startswith("focalseg ")]
    assert [words[0] for words in commands] == ["check", "place", "predict", "evaluate", "evaluate"]
    data, other = write_folder(tmp_path / "data"), write_folder(tmp_path / "other", size=28)
    for part, new in (("images", tmp_path / "new"), ("masks", tmp_path / "true")):
        new.mkdir()
        shutil.copy(data / part / "case_0.png", new / "mine.png")
    meant = {
        "DATA": data,
        "OUT": tmp_path / "out",
        "NEW_IMAGES": tmp_path / "new",
        "MASKS": tmp_path / "masks",
        "TRUE_MASKS": tmp_path / "true",
        "OTHER_DATA": other,
        "THERE": tmp_path / "there",
    }
    tiny = ["data.longest_side=32", "network.base_width=4", "training.steps=6", "training.batch_size=4", "seeds=1"]
    for words in commands:
        settings = [word for one in tiny for word in ("--set", one)] if words[0] == "place" else []
        assert focalseg(*(meant.get(word, word) for word in words), *settings).status == 0
    assert (tmp_path / "out" / "report" / "index.html").exists()
    assert (tmp_path / "there" / "index.html").exists()
    assert {path.name for path in (tmp_path / "masks").glob("*.png")} == {"mine.png"}
