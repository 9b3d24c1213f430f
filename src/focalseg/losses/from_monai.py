"""Losses that MONAI computes correctly, under our conventions. MONAI is imported here alone, when one of them is built."""

from importlib import import_module
from typing import Any

from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.focal import at_least_float32
from focalseg.losses.targets import read_target, refuse_gradient
from focalseg.losses.unified_focal import check_shape

FROM_MONAI = {
    "generalised_dice": "GeneralizedDiceLoss",
    "dice_cross_entropy": "DiceCELoss",
    "dice_focal": "DiceFocalLoss",
    "hausdorff_distance": "HausdorffDTLoss",
}


class MonaiLoss(nn.Module):
    """A loss of MONAI that takes logits and targets as `UnifiedFocalLoss` does: K = 1 by sigmoid, more by softmax.

    settings: keywords of the class in MONAI. Raises SettingError where MONAI is not installed or does not know a setting,
    and GradientError for a setting that requires a gradient.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__()
        for setting, value in settings.items():
            if isinstance(value, Tensor):
                refuse_gradient(value, setting)
        try:
            self.kind = getattr(import_module("monai.losses"), FROM_MONAI[name])
        except ImportError as error:
            raise SettingError(f"{name} is a loss of MONAI, which is not installed; pip install 'focalseg[monai]'.") from error
        try:
            self.sigmoid = self.kind(**{**settings, "sigmoid": True, "include_background": True})
            self.softmax = self.kind(**settings, softmax=True, to_onehot_y=True)
        except (TypeError, ValueError) as error:
            raise SettingError(f"MONAI's {FROM_MONAI[name]} refuses these settings: {error}.") from error

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (B, K, *spatial); target class indices or, for K = 1, a mask -> what MONAI returns, in float32 at least."""
        check_shape(logits)
        classes = logits.shape[1]
        truth = read_target(logits, target, ignore_index=None, check=True).masks(max(2, classes)).long()
        labels = truth if classes <= 2 else truth.argmax(dim=1, keepdim=True)
        loss = self.sigmoid if classes == 1 else self.softmax
        value: Tensor = loss(at_least_float32(logits), labels.reshape(len(logits), 1, *logits.shape[2:]).float())
        return value
