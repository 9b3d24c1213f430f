"""What `import focalseg` gives, and what it does not load."""

import json
import subprocess
import sys

import pytest

import focalseg

LOADED_BESIDE_TORCH_AND_NUMPY = """
import json, sys
import numpy, torch
before = {name.partition(".")[0] for name in sys.modules}
import focalseg
if TOUCH:
    focalseg.UNet, focalseg.UnifiedFocalLoss, focalseg.instrument
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted(after - before - set(sys.stdlib_module_names))))
"""


def modules_loaded(*, touch: bool) -> list[str]:
    """Packages outside the standard library that focalseg loads in a fresh interpreter, beside torch's and NumPy's own."""
    script = f"TOUCH = {touch}\n{LOADED_BESIDE_TORCH_AND_NUMPY}"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    *printed_by_the_package, names = answer.stdout.splitlines()
    assert printed_by_the_package == []
    return json.loads(names)


def test_importing_the_package_loads_nothing_and_prints_nothing() -> None:
    assert modules_loaded(touch=False) == ["focalseg"]


@pytest.mark.slow
def test_using_networks_losses_and_placement_loads_torch_and_numpy_only() -> None:
    assert modules_loaded(touch=True) == ["focalseg"]


def test_every_public_name_resolves_to_the_thing_of_that_name_and_is_listed() -> None:
    assert sorted(set(focalseg.__all__)) == sorted(focalseg.__all__)
    assert sorted(dir(focalseg)) == sorted(focalseg.__all__)
    named = {name: getattr(focalseg, name) for name in focalseg.__all__}
    assert named.pop("__version__").count(".") == 2
    assert {name: thing.__name__.removeprefix("focalseg.") for name, thing in named.items()} == {name: name for name in named}


def test_the_names_of_the_contract_are_public() -> None:
    contract = {"UNet", "UnifiedFocalLoss", "apply_placement", "decide", "gather_evidence", "instrument", "sites"}
    contract |= {"SiteDropout", "parameter_groups"}
    assert contract <= set(focalseg.__all__)


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError) as raised:
        _ = focalseg.Unet
    known = ", ".join(sorted(set(focalseg.__all__) - {"__version__"}))
    assert str(raised.value) == f"module 'focalseg' has no attribute 'Unet'; it has {known}"
