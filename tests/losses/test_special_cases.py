"""Each named loss equals its closed form, written with torch's own parts in float64."""

import pytest
import torch
import torch.nn.functional as F

from focalseg.losses import LOSSES
from focalseg.losses.special_cases import SPECIAL_CASES

EPSILON = 1e-7


@pytest.fixture(params=[1, 2, 4], ids=lambda count: f"{count} channels")
def case(request):
    generator = torch.Generator().manual_seed(request.param)
    logits = 2 * torch.randn(3, request.param, 6, 7, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, max(2, request.param), (3, 6, 7), generator=generator)


def classes_of(logits, labels):
    """Probabilities and one-hot truth (B, classes, H, W), the background of one channel too."""
    both = torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits
    return both.softmax(1), F.one_hot(labels, both.shape[1]).movedim(-1, 1).double()


def tversky_index(logits, labels, delta):
    p, y = classes_of(logits, labels)
    hits, missed, invented = ((part).sum((2, 3)) for part in (y * p, y * (1 - p), (1 - y) * p))
    return (hits + EPSILON) / (hits + delta * missed + (1 - delta) * invented + EPSILON)


def cross_entropy(logits, labels):
    """(B, H, W)."""
    p, y = classes_of(logits, labels)
    return -(y * p.log()).sum(1)


def true_probability(logits, labels):
    p, y = classes_of(logits, labels)
    return (p * y).sum(1)


CLOSED_FORMS = {
    "dice": lambda z, y: (1 - tversky_index(z, y, 0.5)).mean(),
    "tversky": lambda z, y: (1 - tversky_index(z, y, 0.7)).mean(),
    "focal_tversky": lambda z, y: ((1 - tversky_index(z, y, 0.7)) ** 0.75).mean(),
    "focal": lambda z, y: ((1 - true_probability(z, y)) ** 2 * cross_entropy(z, y)).mean(),
    "cross_entropy": lambda z, y: cross_entropy(z, y).mean(),
    "combo": lambda z, y: (1 - tversky_index(z, y, 0.5)).mean() / 2 + cross_entropy(z, y).mean() / 2,
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_special_case_equals_its_closed_form(name, case):
    assert LOSSES[name]()(*case).item() == pytest.approx(CLOSED_FORMS[name](*case).item(), rel=1e-12)


def test_distance_penalised_cross_entropy_equals_its_closed_form(case):
    logits, labels = case
    phi = torch.rand(3, 1, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = ((1 + phi[:, 0]) * cross_entropy(logits, labels)).mean()
    ours = LOSSES["distance_penalised_cross_entropy"]()(logits, labels, phi)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)  # phi is kept in float32


def test_every_special_case_has_its_closed_form_here():
    assert set(SPECIAL_CASES) == {*CLOSED_FORMS, "distance_penalised_cross_entropy"}


def test_settings_are_laid_over_those_of_the_name(case):
    ours = LOSSES["tversky"](delta=0.3)(*case)
    assert ours.item() == pytest.approx((1 - tversky_index(*case, 0.3)).mean().item(), rel=1e-12)
