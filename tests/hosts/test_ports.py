"""The language of ports: what a text names, what is read there, and what is written back."""

import pytest
import torch
from torch import Tensor, nn

from focalseg.errors import SiteError
from focalseg.hosts.ports import Port

EXPECTED = "expected a module's path, with :ARGUMENT for what it is called with and [START:STOP] for some channels"


class Joins(nn.Module):
    """Takes two tensors, by position or by name."""

    def forward(self, below: Tensor, skip: Tensor, *, scale: Tensor | None = None) -> Tensor:
        joined = torch.cat([below, skip], dim=1)
        return joined if scale is None else joined * scale


class Anything(nn.Module):
    """Takes what it is given."""

    def forward(self, *tensors: Tensor, **more: Tensor) -> Tensor:
        return tensors[0] if tensors else next(iter(more.values()))


@pytest.fixture
def network() -> nn.Module:
    return nn.ModuleDict({"up": nn.ModuleList([Joins(), Joins()]), "any": Anything()})


def tensor(start: int, channels: int = 4) -> Tensor:
    return start + torch.arange(float(2 * channels * 3)).reshape(2, channels, 3)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("encoder.0", ("encoder.0", None, None, None)),
        ("up.1:skip", ("up.1", "skip", None, None)),
        ("up.1:0", ("up.1", "0", None, None)),
        ("dec[4:8]", ("dec", None, 4, 8)),
        ("dec:1[:8]", ("dec", "1", None, 8)),
        ("dec:x_e[12:]", ("dec", "x_e", 12, None)),
        ("", ("", None, None, None)),
        (":0", ("", "0", None, None)),
    ],
)
def test_a_text_names_a_module_an_argument_and_channels_and_prints_as_it_was(
    text: str, parts: tuple[str, str | None, int | None, int | None]
) -> None:
    port = Port.parse(text)
    assert (port.path, port.argument, port.start, port.stop) == parts
    assert str(port) == text
    assert port.of_output == (parts[1] is None)


@pytest.mark.parametrize("text", ["a[", "a]", "a[1]", "a[1:2:3]", "a[-1:]", "a:b:c", "a:", "a[1:2]:b", "a:b c", "a[x:]"])
def test_a_text_that_is_no_place_is_refused_with_the_language(text: str) -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse(text)
    assert str(raised.value) == f"{text!r} is no place in a network; {EXPECTED}."


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("upp", "No module named 'upp'; the network has up, any. Did you mean 'up'?"),
        ("up.2", "No module named 'up.2'; up has up.0, up.1. Did you mean 'up.1'?"),
        ("up.1.block.3", "No module named 'up.1.block.3'; up.1 has no modules."),
        ("zzz", "No module named 'zzz'; the network has up, any."),
    ],
)
def test_a_path_that_no_module_has_is_an_error_with_what_there_is_where_it_ends(
    network: nn.Module, path: str, message: str
) -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse(f"{path}:0").find_module(network)
    assert str(raised.value) == message
    assert isinstance(raised.value, LookupError)


@pytest.mark.parametrize(
    ("text", "name", "position"),
    [
        ("up.0:0", "below", 0),
        ("up.0:1", "skip", 1),
        ("up.0:skip", "skip", 1),
        ("up.0:scale", "scale", None),
        ("any:3", None, 3),
        ("any:more", "more", None),
        ("up.0", None, None),
    ],
)
def test_an_argument_is_known_by_its_name_and_its_position(
    network: nn.Module, text: str, name: str | None, position: int | None
) -> None:
    port = Port.parse(text).resolve(network)
    assert (port.name, port.position) == (name, position)
    assert str(port) == text


@pytest.mark.parametrize("text", ["up.0:1", "up.0:skip"])
def test_an_argument_is_found_however_the_caller_hands_it_over(network: nn.Module, text: str) -> None:
    port, below, skip = Port.parse(text).resolve(network), tensor(0), tensor(100)
    assert port.read((below, skip), {}, None) is skip
    assert port.read((below,), {"skip": skip}, None) is skip
    other = tensor(200)
    arguments, keywords, output = port.write((below, skip), {}, None, other)
    assert arguments[0] is below
    assert arguments[1] is other
    assert (keywords, output) == ({}, None)
    arguments, keywords, _ = port.write((below,), {"skip": skip}, None, other)
    assert (arguments, keywords) == ((below,), {"skip": other})


def test_writing_edits_nothing_that_was_given() -> None:
    port, whole, keywords = Port(path="", argument="skip", start=1, stop=3, name="skip"), tensor(0), {"skip": tensor(50)}
    before = keywords["skip"].clone()
    port.write((whole,), keywords, None, torch.zeros(2, 2, 3))
    assert torch.equal(keywords["skip"], before)
    output = tensor(0)
    Port(path="", start=0, stop=2).write((), {}, output, torch.zeros(2, 2, 3))
    assert torch.equal(output, tensor(0))


@pytest.mark.parametrize(
    ("text", "channels"), [("a[1:3]", [1, 2]), ("a[:3]", [0, 1, 2]), ("a[2:]", [2, 3]), ("a[0:4]", [0, 1, 2, 3])]
)
def test_some_channels_are_read_and_written_and_the_others_stay(text: str, channels: list[int]) -> None:
    port, output = Port.parse(text), tensor(0)
    assert torch.equal(port.read((), {}, output), output[:, channels])
    _, _, written = port.write((), {}, output, -output[:, channels])
    expected = output.clone()
    expected[:, channels] *= -1
    assert torch.equal(written, expected)
    _, _, same = port.write((), {}, output, port.read((), {}, output))
    assert torch.equal(same, output)


@pytest.mark.parametrize(
    ("value", "described"), [((tensor(0), tensor(1)), "a tuple"), ({"a": 1}, "a dict"), (None, "nothing"), (3, "a int")]
)
def test_what_is_no_tensor_is_an_error_that_says_what_passes(value: object, described: str) -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse("dec").read((), {}, value)
    assert str(raised.value) == f"What passes dec is {described}; expected one tensor. Name another place."


def test_an_argument_that_was_not_given_is_nothing(network: nn.Module) -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse("up.0:scale").resolve(network).read((tensor(0), tensor(1)), {}, None)
    assert str(raised.value) == "What passes up.0:scale is nothing; expected one tensor. Name another place."


@pytest.mark.parametrize("argument", ["5", "scales"])
def test_an_argument_that_the_module_does_not_take_is_refused_with_those_it_takes(network: nn.Module, argument: str) -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse(f"up.0:{argument}").resolve(network)
    assert str(raised.value) == f"up.0 is not called with {argument!r}; it takes below, skip."


@pytest.mark.parametrize("text", ["up.0:\u00b2", "up.0[\u0663:]"])
def test_digits_of_other_scripts_are_no_place(text: str) -> None:
    with pytest.raises(SiteError, match="is no place in a network"):
        Port.parse(text)


def test_channels_that_the_features_do_not_have_are_refused() -> None:
    with pytest.raises(SiteError) as raised:
        Port.parse("join:0[2:200]").resolve(nn.ModuleDict({"join": nn.Identity()})).read((torch.zeros(1, 8, 4, 4),), {}, None)
    assert str(raised.value) == "What passes join:0[2:200] has 8 channels; expected 200. Name others."
