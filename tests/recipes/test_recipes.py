"""The recipes run as they stand, and what trains in each framework is what a plain loop trains, to the bit."""

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import focalseg
from focalseg.hosts.attachment import attention_sites

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
FRAMEWORKS = {"plain_loop": "torch", "monai_trainer": "ignite", "lightning_module": "pytorch_lightning"}
MOST_LINES = 30
EPOCHS = 3

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:::pytorch_lightning", "ignore:::monai", "ignore:::ignite")]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """The module of a recipe, loaded as from its own folder; skipped where its framework is absent."""
    monkeypatch.syspath_prepend(str(RECIPES))

    def load(name: str) -> ModuleType:
        pytest.importorskip(FRAMEWORKS[name])
        return importlib.import_module(name)

    yield load
    for name in FRAMEWORKS:
        sys.modules.pop(name, None)


def build(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return focalseg.UNet(in_channels=1, widths=(4, 6))


def draw(count: int, *, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of two cases with a bright square each."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 2, 1, 8, 8, generator=generator)
    masks = torch.zeros(count, 2, 8, 8)
    masks[..., 2:6, 2:6] = 1
    return list(zip(images + 2 * masks.unsqueeze(2), masks, strict=True))


def as_given(name: str, batches: list[tuple[Tensor, Tensor]]) -> DataLoader[Any]:
    """A loader of the batches in the form that the recipe is for."""
    mapped = [{"image": images, "label": masks.unsqueeze(1)} for images, masks in batches]
    return DataLoader(mapped if name == "monai_trainer" else batches, batch_size=None)


def list_code(path: Path) -> list[str]:
    """The lines of code: neither empty, nor a comment, nor the page's docstring."""
    text = path.read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0]
    rest = text.splitlines()[docstring.end_lineno :]
    return [line for line in rest if line.strip() and not line.strip().startswith("#")]


def test_every_recipe_is_short():
    lengths = {path.name: len(list_code(path)) for path in RECIPES.glob("*.py")}
    assert set(lengths) >= {f"{name}.py" for name in FRAMEWORKS}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize(
    ("name", "keeps"),
    [("plain_loop", "what was decided"), ("plain_loop", "all"), ("monai_trainer", "all"), ("lightning_module", "all")],
)
def test_a_recipe_goes_from_a_plain_network_to_a_comparison(name, keeps, recipe, monkeypatch):
    module, decided, scored = recipe(name), [], []
    decide = focalseg.decide

    def look(evidence):
        decided.append(decide(evidence) if keeps != "all" else decide(evidence, policy="all"))
        assert [one.exponents for one in evidence] == ["dropout", "dropout"]
        return decided[-1]

    def score(network, batches):
        scored.append(tuple(attention_sites(network)))
        assert not any(module.training for module in network.modules())
        return getattr(module, "score", recipe("plain_loop").score)(network, batches)

    monkeypatch.setattr(focalseg, "decide", look)
    loader, validation, test = (as_given(name, draw(count, seed=count)) for count in (4, 2, 3))
    given = {"train": module.train, "score": score}
    placement, comparison = module.place(build, loader, validation, test, epochs=EPOCHS, **given)
    assert placement == decided[0]
    assert placement.policy == ("removal" if keeps != "all" else "all")
    kept = tuple(one for one in ("encoder.0", "bottleneck", "skip.0", "decoder.0") if one in placement.layout)
    assert scored == [(), (), kept, kept]
    assert comparison.reference == "none"
    assert (comparison.systems["lean"].cases, comparison.systems["lean"].trainings) == (6, 2)


def test_the_page_shows_a_probe_as_it_runs():
    code = (RECIPES.parent / "own_loop.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    network = build(0)
    names: dict[str, Any] = {"network": network, "loader": draw(6, seed=0), "validation": draw(2, seed=1)}
    exec(code, names)
    assert names["evidence"].exponents == "dropout"
    assert focalseg.decide([names["evidence"]] * 2).policy == "removal"


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "plain_loop"])
@pytest.mark.parametrize("probe", [True, False])
def test_a_framework_trains_to_the_same_bits_as_the_plain_loop(name, probe, recipe):
    trained = []
    for one in ("plain_loop", name):
        network = build(1)
        focalseg.instrument(network)
        dropout = focalseg.SiteDropout(network, steps=4 * EPOCHS, seed=5) if probe else None
        recipe(one).train(network, as_given(one, draw(4, seed=0)), epochs=EPOCHS, dropout=dropout)
        trained.append(network.state_dict())
    ours, theirs = trained
    assert ours.keys() == theirs.keys()
    assert ("focal_attention.trained_under/dropout" in ours) == probe
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())


class Calls:
    """Stands in for a SiteDropout and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def begin_step(self, step: int) -> None:
        self.told.append(("begin", int(step)))

    def end_step(self, step: int, optimiser: Any) -> None:
        assert isinstance(optimiser, torch.optim.Optimizer)
        self.told.append(("end", int(step)))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_step_is_begun_and_ended_in_its_order(name, recipe):
    network, calls = build(0), Calls()
    focalseg.instrument(network)
    recipe(name).train(network, as_given(name, draw(2, seed=0)), epochs=2, dropout=calls)
    assert calls.told == [(word, step) for step in range(4) for word in ("begin", "end")]


def test_batches_that_lightning_accumulates_are_one_step(recipe):
    module, network, calls = recipe("lightning_module"), build(0), Calls()
    focalseg.instrument(network)
    trainer = module.pytorch_lightning.Trainer(
        max_epochs=1, accumulate_grad_batches=2, logger=False, enable_checkpointing=False, accelerator="cpu"
    )
    trainer.fit(module.Segmenter(network, calls), as_given("lightning_module", draw(4, seed=0)))
    assert calls.told == [("begin", 0), ("begin", 0), ("end", 0), ("begin", 1), ("begin", 1), ("end", 1)]
