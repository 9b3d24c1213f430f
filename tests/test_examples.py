"""Every public name shows how it is used, and what its example shows is so."""

import doctest
import inspect
import io

import pytest
import torch

import focalseg

NAMES = sorted(set(focalseg.__all__) - {"__version__"})


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example_that_stands_alone_and_prints_what_it_says(name: str) -> None:
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(getattr(focalseg, name)) or "", {}, name, None, None)
    assert any(step.want for step in example.examples), f"focalseg.{name} shows nothing; expected >>> lines in its docstring"
    told = io.StringIO()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        results = doctest.DocTestRunner(verbose=False).run(example, out=told.write)
    assert results.failed == 0, told.getvalue()
