"""The commands that the README begins with."""

import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"


def test_the_first_commands_run_as_they_stand(focalseg, make_folder, tmp_path):
    """From a folder of images to masks of new ones. Only the budget is cut, which takes most of the time."""
    block = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)[0]
    commands = [line.partition("#")[0].split()[1:] for line in block.splitlines() if line.startswith("focalseg ")]
    assert [words[0] for words in commands] == ["check", "place", "predict"]
    data = make_folder()
    (tmp_path / "new").mkdir()
    shutil.copy(data / "images" / "case_0.png", tmp_path / "new" / "mine.png")
    meant = {"DATA": data, "OUT": tmp_path / "out", "NEW_IMAGES": tmp_path / "new", "MASKS": tmp_path / "masks"}
    tiny = ["data.longest_side=32", "network.base_width=4", "training.steps=6", "training.batch_size=4", "seeds=1"]
    for words in commands:
        settings = [word for one in tiny for word in ("--set", one)] if words[0] == "place" else []
        assert focalseg(*(meant.get(word, word) for word in words), *settings).status == 0
    assert (tmp_path / "out" / "report" / "index.html").exists()
    assert {path.name for path in (tmp_path / "masks").glob("*.png")} == {"mine.png"}
