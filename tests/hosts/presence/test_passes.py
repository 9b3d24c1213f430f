"""A pass of the whole network that leaves a site out is an error, unless it was allowed to."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from focalseg.errors import SiteError
from focalseg.hosts.attachment import allow_unreached, reattach_attention
from focalseg.hosts.finding import sites
from focalseg.hosts.gammas import read_gammas
from focalseg.hosts.instrument import fill_sites, instrument
from focalseg.hosts.pruning import disable_attention, without_attention


class Branching(nn.Module):
    """Two blocks; which are run, and how, is set from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(4, 1, 1)
        self.skips_second, self.bypasses = False, False

    def forward(self, image: Tensor) -> Tensor:
        features = self.first.forward(image) if self.bypasses else self.first(image)
        logits: Tensor = self.head(features if self.skips_second else self.second(features))
        return logits


def message_of(*names: str) -> str:
    return (
        f"A forward pass ended without reaching {', '.join(names)}, where attention stands. "
        "Call modules themselves and not their forward method; where modules were replaced, call "
        "focalseg.reattach_attention(network); where the network leaves them out on purpose, say so: "
        f"focalseg.allow_unreached(network, {list(names)!r})."
    )


@pytest.fixture
def network() -> Branching:
    torch.manual_seed(0)
    built = Branching()
    instrument(built, ("se",), candidates=sites(built, (2, 8, 8), stages=("first", "second")))
    return built


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_pass_that_calls_a_forward_method_or_leaves_a_branch_out_names_the_sites(network: Branching, image: Tensor) -> None:
    expected = network(image)
    for bypasses, skips, names in ((True, False, ["first"]), (False, True, ["second"]), (True, True, ["first", "second"])):
        network.bypasses, network.skips_second = bypasses, skips
        with pytest.raises(SiteError) as raised:
            network(image)
        assert str(raised.value) == message_of(*names)
    network.bypasses = network.skips_second = False
    assert torch.equal(network(image), expected)


def test_a_branch_that_is_left_out_on_purpose_is_allowed_by_name_and_stays_so_in_copies(
    network: Branching, image: Tensor
) -> None:
    network.skips_second = True
    allow_unreached(network, ["second"])
    for one in (network, copy.deepcopy(network)):
        assert one(image).shape == (1, 1, 8, 8)
        one.bypasses = True
        with pytest.raises(SiteError) as raised:
            one(image)
        assert str(raised.value) == message_of("first")
    with pytest.raises(SiteError) as raised:
        allow_unreached(network, ["third"])
    assert str(raised.value) == "No filled site named 'third'; known are first, second."


def test_sites_that_are_off_need_not_be_reached(network: Branching, image: Tensor) -> None:
    network.skips_second = True
    with without_attention(network):
        network(image)
    with pytest.raises(SiteError, match="without reaching second"):
        network(image)
    disable_attention(network)
    assert network(image).shape == (1, 1, 8, 8)


def test_a_part_may_be_called_alone_and_does_not_count_for_the_whole(network: Branching, image: Tensor) -> None:
    features = network.first(image)
    network.second(features)
    network.skips_second = True
    with pytest.raises(SiteError, match="without reaching second"):
        network(image)


def test_a_pass_that_failed_or_was_interrupted_leaves_no_trace(network: Branching, image: Tensor) -> None:
    expected = network(image)
    with pytest.raises(RuntimeError):
        network(image[:, :1])
    assert torch.equal(network(image), expected)


def test_threads_that_pass_at_once_do_not_count_for_one_another(network: Branching, image: Tensor) -> None:
    expected = network(image)
    broken = copy.copy(network)  # shares modules, hooks and sites
    broken.skips_second = True

    def run(one: nn.Module) -> str:
        try:
            with torch.no_grad():
                return "right" if torch.equal(one(image), expected) else "wrong"
        except SiteError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, [network, broken] * 16))
    assert found == ["right", message_of("second")] * 16


def test_a_skip_that_is_shut_must_be_reached_as_well(image: Tensor) -> None:
    built = Branching()
    candidates = sites(built, (2, 8, 8), stages=("first",), skips={"late": ("second:0", "first")})
    fill_sites(built, {"late": "shut"}, candidates=candidates)
    built(image)
    built.skips_second = True
    with pytest.raises(SiteError, match="without reaching late"):
        built(image)


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_pass_that_leaves_a_site_out_says_so(network: Branching, image: Tensor) -> None:
    compiled = torch.compile(network, backend="eager")
    expected = network(image)
    assert torch.allclose(compiled(image), expected)
    network.skips_second = True
    with pytest.raises(SiteError) as raised:
        compiled(image)
    assert str(raised.value) == message_of("second")
    with pytest.raises(Exception, match="without reaching second"):
        torch.compile(network, backend="eager", fullgraph=True)(image)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_network_whose_module_was_replaced_says_so(network: Branching, image: Tensor) -> None:
    compiled = torch.compile(network, backend="eager")
    compiled(image)
    network.second = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())
    with pytest.raises(SiteError, match="second"):
        compiled(image)
    with pytest.raises(SiteError, match="no longer acts at second"):
        read_gammas(compiled)
    with pytest.raises(SiteError, match="without reaching second"):
        torch.export.export(network.eval(), (image,))
    reattach_attention(compiled)
    assert torch.allclose(compiled(image), network(image))


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch.compile, for a part that others feed
@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("parts", [("first",), ("second",), ("first", "second"), ("head",)])
def test_a_network_of_which_parts_are_compiled_reaches_every_site(
    network: Branching, image: Tensor, parts: tuple[str, ...]
) -> None:
    expected = network(image)
    for part in parts:
        setattr(network, part, torch.compile(getattr(network, part), backend="eager"))
    for _ in range(2):
        assert torch.allclose(network(image), expected)
    assert read_gammas(network) == {"first": 1.0, "second": 1.0}


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch.compile, for a part that others feed
@pytest.mark.slow
@pytest.mark.usefixtures("fresh_compiler")
def test_a_network_that_breaks_the_graph_reaches_every_site(network: Branching, image: Tensor) -> None:
    expected = network(image)

    def forward(image: Tensor) -> Tensor:
        features = network.first(image)
        torch._dynamo.graph_break()
        return network.head(network.second(features))

    network.forward = forward
    compiled = torch.compile(network, backend="eager")
    for _ in range(2):
        assert torch.allclose(compiled(image), expected)
