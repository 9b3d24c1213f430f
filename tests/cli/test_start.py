"""The command line in surroundings that are not what it would wish: stopped early, streams closed, encodings without signs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

START = "from focalseg.__main__ import main; main()"
RAISED_BY_IMPORT = """
import signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == {module!r}:
            signal.raise_signal({number:d})
            raise_again = sum(range(10**5))  # the handler has run before this ends
sys.meta_path.insert(0, Finder())
"""
EARLY = {
    "typer": ("check", "phantom:local"),
    "numpy": ("check", "phantom:local"),
    "torch": ("train", "phantom:local", "--out", "out"),
    "lightning_fabric": ("demo",),
    "matplotlib": ("report", "out"),
}


def start(*arguments, before="", **changes):
    """Runs the entry in a process of its own, after some code."""
    options = {"capture_output": True, "text": True, "timeout": 300, **changes}
    options["env"] = {**os.environ, **changes.get("env", {})}
    script = f"{before}\nimport sys\nsys.argv = {['focalseg', *map(str, arguments)]!r}\n{START}"
    return subprocess.run([sys.executable, "-c", script], check=False, **options)


@pytest.mark.parametrize(
    ("module", "number"), [*((module, signal.SIGTERM) for module in EARLY), ("torch", signal.SIGINT), ("numpy", signal.SIGHUP)]
)
def test_a_signal_while_modules_are_loaded_ends_at_once_and_quietly(module, number, tmp_path):
    done = start(*EARLY[module], before=RAISED_BY_IMPORT.format(module=module, number=number), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
    assert not list(tmp_path.iterdir())


def test_a_signal_while_work_loads_a_module_stops_with_a_word_once_it_is_loaded(make_folder, tmp_path):
    """Drawing is loaded for the page alone, when every case has been read."""
    before = RAISED_BY_IMPORT.format(module="focalseg.report.check.charts", number=signal.SIGTERM)
    done = start("check", make_folder(), "--out", tmp_path / "out", before=before)
    assert done.returncode == 143
    assert done.stderr.startswith("error: Stopped by a signal.") or not done.stderr  # quietly where it still was loading
    assert "Traceback" not in done.stderr


def test_signals_at_random_instants_of_the_first_seconds_end_every_verb_quietly():
    script = Path(__file__).parents[2] / "benchmarks" / "early_stops.py"
    done = subprocess.run(
        [sys.executable, script, "--shots", "5", "--seconds", "3", "--dry"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_signal_after_the_work_changes_nothing():
    before = "import atexit, signal\nfor number in (2, 15, 1):\n    atexit.register(signal.raise_signal, number)"
    done = start("--version", before=before)
    assert (done.returncode, done.stdout[:8], done.stderr) == (0, "focalseg", "")


def test_signs_that_an_encoding_lacks_are_written_by_their_numbers(make_folder, write_folder, tmp_path):
    folder = write_folder(tmp_path / "Bilder ✓")
    done = start("check", folder, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Bilder \u2713" in done.stdout


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_are_no_place_for_files(closed, tmp_path):
    """The next file that is opened would get their number, and whatever is written to them."""
    before = "import os, atexit\n" + "".join(f"os.close({number})\n" for number in closed)
    before += f"def tell():\n    number = os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_WRONLY)\n"
    before += "    os.write(number, str(number).encode())\natexit.register(tell)"
    assert start("--version", before=before).returncode == 0
    assert int((tmp_path / "file").read_text()) > 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_output_that_is_lost_is_an_error():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = start("--version", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done.returncode == 4
    assert done.stderr == "error: standard output: No space left on device. Mend that and run again.\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_leaves_ends_no_work(stream, make_folder, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    other = "stderr" if stream == "stdout" else "stdout"
    streams = {stream: writing, other: subprocess.PIPE}
    done = start("check", make_folder(), "--out", tmp_path / "out", capture_output=False, **streams)
    os.close(writing)
    assert done.returncode == 0
    assert not done.stderr
    assert (tmp_path / "out" / "index.html").exists()


@pytest.fixture(scope="module")
def plain_page(write_folder, tmp_path_factory):
    """A folder of images and the page of its check, in surroundings as they are."""
    folder = write_folder(tmp_path_factory.mktemp("plain") / "data")
    return folder, check_page(folder, folder.parent / "out")


def check_page(folder, out, **env):
    done = start("check", folder, "--out", out, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return (out / "index.html").read_text()


@pytest.mark.parametrize(
    "surroundings",
    [
        {"MPLBACKEND": "bogus", "TERM": "dumb", "COLUMNS": "1"},
        {"PYTHONWARNINGS": "error", "TMPDIR": "/nowhere"},
        {"PYTHONOPTIMIZE": "2", "LC_ALL": "C"},
    ],
    ids="+".join,
)
def test_surroundings_change_no_page(surroundings, plain_page, tmp_path):
    folder, page = plain_page
    assert check_page(folder, tmp_path / "odd", **surroundings) == page


@pytest.mark.parametrize("optimise", ["", "2"])
def test_help_says_what_verbs_do_or_without_docstrings_at_least_which_there_are(optimise):
    done = start("--help", env={"PYTHONOPTIMIZE": optimise})
    assert (done.returncode, done.stderr) == (0, "")
    assert all(verb in done.stdout for verb in ("check", "place", "train", "report", "demo"))


def test_waiting_threads_sleep_unless_a_person_says_otherwise():
    tell = "import atexit, os; atexit.register(lambda: print(os.environ['OMP_WAIT_POLICY']))"
    forgotten, given = "os.environ.pop('OMP_WAIT_POLICY', None)", "os.environ['OMP_WAIT_POLICY'] = 'ACTIVE'"
    for said, policy in ((forgotten, "PASSIVE"), (given, "ACTIVE")):
        assert start("--version", before=f"{tell}; {said}").stdout.splitlines()[1] == policy
