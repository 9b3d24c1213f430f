"""Batches of any loader and outputs of any network give the evidence that plain pairs and logits give, to the bit."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from focalseg.errors import DataError, SettingError, ShapeError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.instrument import instrument
from focalseg.networks.unet import UNet
from focalseg.placement.batches import ReadBatches, find_logits
from focalseg.placement.evidence import gather_evidence
from focalseg.records.evidence import Evidence

pytestmark = pytest.mark.slow

Pairs = list[tuple[Tensor, Tensor]]


def build_binary(kind: type[UNet] = UNet) -> UNet:
    """Gates that make a difference, and logits on both sides of 0."""
    torch.manual_seed(0)
    network = kind(in_channels=2, widths=(4, 6))
    instrument(network)
    with torch.no_grad():
        for site in attention_sites(network).values():
            for weight in site.gate.parameters():
                weight.mul_(6)
        network.head.weight.mul_(20)
    with torch.no_grad():
        output = network.eval()(torch.randn(6, 2, 8, 8))
        network.head.bias.sub_((output if isinstance(output, Tensor) else output["out"]).median())
    return network.train()


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Five cases in two batches: images (B, 2, 8, 8), masks (B, 8, 8) bool."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(5, 2, 8, 8, generator=generator)
    masks = images.sum(dim=1) > 0.3
    return [(images[:3], masks[:3]), (images[3:], masks[3:])]


@pytest.fixture(scope="module")
def expected(pairs: Pairs) -> Evidence:
    evidence = gather_evidence(build_binary(), pairs)
    assert 0 < min(evidence.case_scores) < max(evidence.case_scores) < 1
    assert any(any(site.case_costs) for site in evidence.sites)
    return evidence


class Cases(Dataset[Any]):
    """Case by case, as a data set gives them, in a form of somebody's choice."""

    def __init__(self, pairs: Pairs, form: Callable[[Tensor, Tensor], Any]) -> None:
        self.cases = [form(image, mask) for images, masks in pairs for image, mask in zip(images, masks, strict=True)]

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, number: int) -> Any:
        return self.cases[number % len(self)]  # it has no end of its own


def meta(tensor: Tensor) -> Tensor:
    monai = pytest.importorskip("monai.data")
    return monai.MetaTensor(tensor.float(), affine=torch.eye(4))


def decollate(images: Tensor, masks: Tensor) -> list[dict[str, Tensor]]:
    return [{"image": image, "label": mask[None]} for image, mask in zip(images, masks, strict=True)]


def loaded(pairs: Pairs) -> DataLoader[Any]:
    return DataLoader(Cases(pairs, lambda image, mask: {"image": image, "label": mask[None].float()}), batch_size=3)


FORMS: dict[str, Callable[[Pairs], Any]] = {
    "lists": lambda pairs: [[images, masks] for images, masks in pairs],
    "MONAI's mappings": lambda pairs: [{"image": images, "label": masks[:, None].float()} for images, masks in pairs],
    "MetaTensors": lambda pairs: [{"image": meta(images), "label": meta(masks[:, None])} for images, masks in pairs],
    "nnU-Net's mappings": lambda pairs: [{"data": images, "target": masks[:, None], "keys": ["a"]} for images, masks in pairs],
    "other names": lambda pairs: [{"image": images, "mask": masks.int(), "path": "x"} for images, masks in pairs],
    "lists of mappings": lambda pairs: [decollate(*pair) for pair in pairs],
    "arrays": lambda pairs: [(images.numpy(), masks.numpy().astype(np.uint8)) for images, masks in pairs],
    "an iterator": iter,
    "a generator": lambda pairs: ({"image": images, "seg": masks} for images, masks in pairs),
    "a tuple of batches": tuple,
    "a loader": loaded,
    "a data set of mappings": lambda pairs: Cases(pairs, lambda image, mask: {"image": image, "label": mask[None]}),
    "a data set of pairs": lambda pairs: Cases(pairs, lambda image, mask: (image, mask)),
}


@pytest.mark.parametrize("form", FORMS)
def test_evidence_is_the_same_to_the_bit_whatever_form_its_batches_have(form: str, pairs: Pairs, expected: Evidence) -> None:
    found = gather_evidence(build_binary(), FORMS[form](pairs), norm_batches=pairs)
    reference = gather_evidence(build_binary(), pairs, norm_batches=FORMS[form](pairs)) if form != "an iterator" else found
    if "data set" in form:  # a case a batch: norms are estimated on other batches, and sums in the network have other bits
        assert found.case_scores == pytest.approx(expected.case_scores, abs=1e-6)
    else:
        assert found == expected == reference


def test_a_loader_that_shuffles_is_read_once_so_that_every_cost_is_of_the_same_case(pairs: Pairs, expected: Evidence) -> None:
    torch.manual_seed(3)
    data = Cases(pairs, lambda image, mask: {"image": image, "label": mask[None]})
    evidence = gather_evidence(build_binary(), DataLoader(data, batch_size=5, shuffle=True), norm_batches=pairs)
    assert sorted(evidence.case_scores) == pytest.approx(sorted(expected.case_scores), abs=1e-6)
    for found, wanted in zip(evidence.sites, expected.sites, strict=True):
        order = [evidence.case_scores.index(pytest.approx(score, abs=1e-6)) for score in expected.case_scores]
        assert [found.case_costs[place] for place in order] == pytest.approx(wanted.case_costs, abs=1e-6)


class Fickle(Sequence[Any]):
    """A sequence that augments at random whenever it is asked."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: Any) -> Any:
        images, masks = self.pairs[number]
        return images + torch.randn(()), masks

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))


def test_a_sequence_that_gives_another_batch_each_time_is_refused(pairs: Pairs, look_at: Any) -> None:
    network = build_binary()
    before = look_at(network)
    with pytest.raises(SettingError) as raised:
        gather_evidence(network, Fickle(pairs))
    assert str(raised.value) == (
        "batches[0] was another batch when it was asked for again; expected the same each time. Turn random augmentation and "
        "shuffling off, or give a list of batches."
    )
    assert look_at(network) == before
    assert gather_evidence(network, list(Fickle(pairs))).case_scores  # the mend


IMAGES, MASKS = torch.zeros(2, 2, 8, 8), torch.zeros(2, 8, 8)
PAIRS = "Give pairs: [(images, masks) for ... in loader]."
KEYS = "expected one of image, images, data, pixel_values"
UNREADABLE: dict[str, tuple[Any, str]] = {
    "one mapping": (
        {"image": IMAGES, "label": MASKS},
        "batches was one dict; expected several batches, such as [(images, masks)].",
    ),
    "one pair": (
        (IMAGES, MASKS),
        f"batches[0] was a Tensor; expected a pair (images, masks) or a mapping of both. {PAIRS}",
    ),
    "three of a kind": (
        [(IMAGES, MASKS, MASKS)],
        f"batches[0] was a tuple of 3; expected a pair (images, masks) or a mapping of both. {PAIRS}",
    ),
    "unknown keys": (
        [{"picture": IMAGES, "label": MASKS}],
        f"batches[0] has no key for its images, among picture, label; {KEYS}. {PAIRS}",
    ),
    "two masks": (
        [(IMAGES, MASKS), {"image": IMAGES, "mask": MASKS, "seg": MASKS}],
        "batches[1] has 'mask' and 'seg' for its masks, among image, mask, seg; expected one of label, labels, mask, masks, "
        f"seg, target. {PAIRS}",
    ),
    "strings": ([("a.png", "b.png")], f"batches[0] holds a str; expected tensors (images, masks). {PAIRS}"),
    "other cases": (
        [(IMAGES, MASKS[:1])],
        "batches[0] has images (2, 2, 8, 8) and masks (1, 8, 8); expected images (B, C, *spatial) and masks (B, *spatial) or "
        "(B, 1, *spatial) of the same cases. Bring both to that.",
    ),
    "several sizes": (
        [[{"image": IMAGES[0], "label": MASKS[0]}, {"image": IMAGES[0, :, :4], "label": MASKS[0, :4]}]],
        "batches[0] has images of several sizes; expected one size a batch. Give each case as a batch of its own.",
    ),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_batches_that_cannot_be_read_are_told_with_what_to_give_instead(fault: str, look_at: Any) -> None:
    network = build_binary()
    before = look_at(network)
    batches, message = UNREADABLE[fault]
    with pytest.raises(SettingError) as raised:
        gather_evidence(network, batches)
    assert str(raised.value) == message
    assert look_at(network) == before


def test_images_go_to_the_device_of_the_network_and_masks_may_stay(pairs: Pairs) -> None:
    network = build_binary().to("meta")
    images, masks = ReadBatches(pairs, network=network, name="batches")[0]
    assert (images.device.type, masks.device.type) == ("meta", "cpu")


# Masks of several labels.


def build_multiple() -> UNet:
    torch.manual_seed(0)
    network = UNet(in_channels=2, classes=3, widths=(4, 6))
    instrument(network)
    return network


@pytest.fixture(scope="module")
def labelled(pairs: Pairs) -> Pairs:
    return [(images, images[:, 0].gt(0.4).long() + images[:, 1].gt(0.6).long()) for images, _ in pairs]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
@pytest.mark.parametrize("form", ["one channel", "one-hot"])
def test_labels_may_be_numbers_of_any_kind_with_a_channel_or_one_hot(form: str, dtype: torch.dtype, labelled: Pairs) -> None:
    def give(labels: Tensor) -> Tensor:
        one_hot = nn.functional.one_hot(labels, 3).movedim(-1, 1)
        return (labels[:, None] if form == "one channel" else one_hot).to(dtype)

    expected = gather_evidence(build_multiple(), labelled)
    assert gather_evidence(build_multiple(), [(images, give(labels)) for images, labels in labelled]) == expected
    assert 0 < max(expected.case_scores) < 1


def test_masks_that_do_not_fit_the_logits_are_told_with_both_shapes(labelled: Pairs) -> None:
    images, labels = labelled[0]
    several = nn.functional.one_hot(labels, 3).movedim(-1, 1)
    with pytest.raises(DataError) as raised:
        gather_evidence(build_multiple(), [(images, several[:, 1:])])
    assert str(raised.value) == (
        "Masks (3, 2, 8, 8) were given for logits (3, 3, 8, 8); expected (3, 8, 8), that with one channel, or one-hot masks of "
        "the logits' shape. Bring them to that."
    )
    with pytest.raises(DataError) as raised:
        gather_evidence(build_multiple(), [(images, several.clamp(min=several.roll(1, 1)))])
    assert str(raised.value) == (
        "Masks have the 3 channels of the logits and are not one-hot: labels overlap, or a pixel has none. Score labels that "
        "may overlap one at a time, each with the network's channel for it."
    )


def test_a_label_that_may_overlap_is_scored_by_its_own_channel(labelled: Pairs, pairs: Pairs) -> None:
    network = build_multiple()
    evidence = gather_evidence(network, pairs, predict=lambda images: network(images)[:, 1:2])
    assert len(evidence.case_scores) == 5


# What networks return.


class Named(dict[str, Any]):
    """As libraries return their outputs."""


SMALL = nn.AvgPool2d(2)
OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "a list of one": lambda logits: [logits],
    "deep supervision, finest first": lambda logits: [logits, SMALL(logits)],
    "deep supervision, finest last": lambda logits: (SMALL(logits), logits),
    "with a loss beside it": lambda logits: (logits, None),
    "with a number beside it": lambda logits: (logits, logits.mean()),
    "a mapping": lambda logits: {"out": logits, "aux": -logits},
    "a mapping with a loss": lambda logits: Named(loss=logits.mean(), logits=logits),
    "a mapping of one": lambda logits: {"prediction": logits},
}


@pytest.mark.parametrize("form", OUTPUTS)
def test_logits_are_found_in_what_a_network_returns(form: str, pairs: Pairs) -> None:
    images, logits = pairs[0][0], torch.randn(3, 1, 8, 8)
    assert find_logits(OUTPUTS[form](logits), images) is logits


class Several(UNet):
    """Returns a mapping, or its logits second of two that may be them."""

    mapping = True

    def forward(self, image: Tensor) -> Any:
        logits = super().forward(image)
        return {"out": logits, "aux": -logits} if self.mapping else [-logits, logits]


def test_evidence_of_a_network_that_returns_several_outputs_is_that_of_its_logits(pairs: Pairs, expected: Evidence) -> None:
    network = build_binary(Several)
    assert gather_evidence(network, pairs) == expected
    network.mapping = False
    with pytest.raises(SettingError, match="list with 2 tensors that may be the logits"):
        gather_evidence(network, pairs)
    assert gather_evidence(network, pairs, predict=lambda images: network(images)[1]) == expected  # the mend


@pytest.mark.parametrize(
    ("output", "error", "message"),
    [
        (
            [torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8)],
            SettingError,
            "The network returned a list with 2 tensors that may be the logits; expected one tensor. Say which: "
            "predict=lambda images: network(images)[0], or another entry.",
        ),
        (
            None,
            SettingError,
            "The network returned a NoneType with 0 tensors that may be the logits; expected one tensor. Say which: "
            "predict=lambda images: network(images)[0], or another entry.",
        ),
        (
            torch.zeros(2, 3, 1, 8, 8),
            ShapeError,
            "The network returned (2, 3, 1, 8, 8) for images (2, 2, 8, 8); expected (B, K, *spatial). Give predict=, a "
            "function of the images that returns them.",
        ),
    ],
    ids=["two", "none", "stacked"],
)
def test_an_output_in_which_no_one_tensor_is_the_logits_is_told(output: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        find_logits(output, IMAGES)
    assert str(raised.value) == message


def test_probabilities_are_not_taken_for_logits(pairs: Pairs, expected: Evidence) -> None:
    network = build_binary()
    plain = network.forward
    network.forward = lambda image: (10 * plain(image)).sigmoid()  # as sure as after a training
    with pytest.raises(SettingError) as raised:
        gather_evidence(network, pairs)
    found, mend = str(raised.value).split(", as probabilities do; ")
    assert found.startswith("The network's outputs lie between 0.0")
    assert mend == (
        "expected logits. Take the sigmoid out of the network, or give predict=lambda images: network(images).logit(1e-6)."
    )
    logits = gather_evidence(network, pairs, predict=lambda images: network(images).logit(1e-6))
    assert logits.case_scores == pytest.approx(expected.case_scores, abs=1e-6)


def test_predict_may_be_the_sliding_windows_of_monai(pairs: Pairs, expected: Evidence) -> None:
    inferers = pytest.importorskip("monai.inferers")
    network = build_binary()

    def slide(images: Tensor, size: int) -> Tensor:
        windows: Tensor = inferers.sliding_window_inference(images, (size, size), 4, network)
        return windows

    assert gather_evidence(network, pairs, predict=lambda images: slide(images, 8)) == expected  # one window is the image
    tiled = gather_evidence(network, pairs, predict=lambda images: slide(images, 4))
    assert len(tiled.case_scores) == 5
    assert tiled != expected


def test_predict_that_goes_by_another_network_is_told(pairs: Pairs) -> None:
    network, other = build_binary(), build_binary()
    with pytest.raises(SettingError) as raised:
        gather_evidence(network, pairs, predict=other)
    assert str(raised.value) == (
        "predict did not reach encoder.0, bottleneck, skip.0, decoder.0; expected a function that calls the network that was "
        "given."
    )


def test_norms_are_estimated_on_what_predict_hands_the_network(pairs: Pairs) -> None:
    """Scaling images within predict is as if they had come scaled."""
    network = build_binary()
    evidence = gather_evidence(network, pairs, predict=lambda images: network(images * 4 + 1))
    assert evidence == gather_evidence(build_binary(), [(images * 4 + 1, masks) for images, masks in pairs])
