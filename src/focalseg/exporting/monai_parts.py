"""What the configs of a MONAI bundle name: the network, and the transforms around it that make the masks that we make.

MONAI's own transforms resize another way (a Gaussian before a linear interpolation), and a mask would differ at its border.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.inferers.inferer import Inferer
from monai.transforms.transform import MapTransform
from torch import Tensor, nn

from focalseg.configuration import from_mapping
from focalseg.feeding.preparation import Preparation
from focalseg.imagesets.volumes.orientation import Orientation, decide_orientation, from_canonical_axes, to_canonical_axes
from focalseg.labels import choose_labels
from focalseg.layers import LINEAR_INTERPOLATIONS
from focalseg.training.run import RunConfig
from focalseg.training.run import build_network as build
from focalseg.windows import Tiling, predict_in_windows

_PICTURE = Orientation(order=(1, 0), flipped=(False, False))
"""MONAI reads pictures with the columns first, we with the rows."""


def build_network(**settings: Any) -> nn.Module:
    """The network of a run with new weights: images (B, C, *spatial), prepared -> logits (B, K, *spatial).

    settings: of the run, as config.yaml has them.
    """
    return build(from_mapping(RunConfig, settings))


class Prepared(MapTransform):
    """Brings images that MONAI has loaded, (C, *the file's axes), onto our axes, to one size and scale: (C, *size) float32.

    preparation: as the config of a run has it.
    """

    def __init__(self, keys: KeysCollection, preparation: Mapping[str, Any], *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.preparation = from_mapping(Preparation, preparation)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with its images prepared; what MONAI knows of their files stays with them."""
        prepared: dict[Hashable, Any] = dict(data)
        for key in self.key_iterator(prepared):
            image = prepared[key]
            turned = to_canonical_axes(image.cpu().numpy(), _find_orientation(image.affine, len(self.preparation.size)))
            prepared[key] = MetaTensor(self.preparation.prepare_image(turned), meta=image.meta)
        return prepared


class Restored(MapTransform):
    """Turns logits (K, *size) into a mask (1, *the file's axes) uint8 of the image's own size, 0 the background.

    image_key: where the image is, as `Prepared` left it.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image", *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with its logits as masks that lie where the image's file lies."""
        restored: dict[Hashable, Any] = dict(data)
        image: MetaTensor = restored[self.image_key]
        meta, affine = image.meta, image.affine
        shape = [int(side) for side in np.asarray(meta["spatial_shape"]).reshape(-1)]
        orientation = _find_orientation(affine, len(shape))
        size = [shape[axis] for axis in orientation.order]
        for key in self.key_iterator(restored):
            logits = torch.as_tensor(restored[key])[None].float()
            own = F.interpolate(logits, size=size, mode=LINEAR_INTERPOLATIONS[len(size)], align_corners=False)
            mask = from_canonical_axes(choose_labels(own).cpu().numpy(), orientation)
            restored[key] = MetaTensor(torch.from_numpy(np.ascontiguousarray(mask)), affine=affine, meta=meta)
        return restored


class WindowInferer(Inferer):
    """Predicts as focalseg does: an image of another size than the window is seen in overlapping windows.

    overlap, stride, margin: as those of `Tiling`, which say how windows are placed and what of them counts.
    """

    def __init__(self, window: Sequence[int], overlap: float, stride: Sequence[int], margin: Sequence[int]) -> None:
        super().__init__()
        self.tiling = Tiling(window=tuple(window), overlap=overlap, stride=tuple(stride), margin=tuple(margin))

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *arguments: Any, **keywords: Any) -> Tensor:
        """images (B, C, *spatial) -> logits (B, K, *spatial) float32."""
        images = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        return predict_in_windows(lambda part: network(part, *arguments, **keywords), images, self.tiling)


def _find_orientation(affine: Tensor, axes: int) -> Orientation:
    """How the axes of a file, as MONAI loads it, run on ours."""
    return _PICTURE if axes == 2 else decide_orientation(np.asarray(affine, dtype=float), axes)
