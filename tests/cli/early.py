"""Calls of the command line that are refused before anything that takes seconds is imported."""

import json
import subprocess
import sys

# All calls in one process, each as from a shell; torch would stay in sys.modules.
SCRIPT = """
import contextlib, fcntl, io, json, sys
from focalseg.cli.main import main
calls, held, missing = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(missing))
locks = [open(path, "w") for path in held]
for lock in locks:
    fcntl.flock(lock, fcntl.LOCK_EX)
answers = []
for words in calls:
    sys.argv[1:] = words
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as ended:
            answers.append([ended.code, said.getvalue(), sorted({"torch", "lightning_fabric", "matplotlib"} & {*sys.modules})])
print(json.dumps(answers))
"""


def refuse_early(calls, held=(), missing=()):
    """Status and the errors of every call; none of them has imported torch. held: files that are locked, missing: libraries
    that are not there."""
    given = json.dumps([[list(map(str, words)) for words in calls], list(map(str, held)), list(missing)])
    answer = subprocess.run([sys.executable, "-c", SCRIPT, given], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    answers = json.loads(answer.stdout)
    assert [loaded for _, _, loaded in answers] == [[]] * len(calls)
    return [(status, said) for status, said, _ in answers]
