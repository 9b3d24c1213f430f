"""What may be done to the images of a training, as settings and in ready-made choices; `augmentation` does it."""

from dataclasses import dataclass

from focalseg.catalogue import Catalogue
from focalseg.configuration import CheckedConfig, setting


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig(CheckedConfig):
    """What is done to the images of a training; 0 leaves an operation out. An image axis is called so from first to last.

    flip: every axis, each with a chance of one half. turn: quarter turns in the plane of the last two axes, where these are
    alike. rotation_degrees: of planes, volume_rotation_degrees: of volumes about each of the three axes, either way at most.
    scale: 0.4 makes things at most 1.4 times as large or as small. elastic_pixels: longest displacement along an axis.
    brightness: added, at most, either way, in units of the normalised image; contrast: 0.2 multiplies by 0.8 to 1.2.
    power_law: 0.5 raises intensities, brought to 0 to 1 by channel and back, to an exponent between 1 / 1.5 and 1.5.
    noise: largest standard deviation, in units of the normalised image. blur_pixels: largest standard deviation of the
    Gaussian. share: the share of the cases that each of rotation, scale, elastic displacement, blur, power law and noise
    touches, drawn for each operation by itself; a case that none of the first three touches is not resampled.
    """

    flip: bool = True
    turn: bool = True
    rotation_degrees: float = setting(0.0, at_least=0, at_most=180)
    volume_rotation_degrees: float = setting(0.0, at_least=0, at_most=180)
    scale: float = setting(0.0, at_least=0, at_most=10)
    elastic_pixels: float = setting(0.0, at_least=0, at_most=1000)
    brightness: float = setting(0.2, at_least=0, at_most=100)
    contrast: float = setting(0.2, at_least=0, below=1)
    power_law: float = setting(0.0, at_least=0, at_most=10)
    noise: float = setting(0.0, at_least=0, at_most=100)
    blur_pixels: float = setting(0.0, at_least=0, at_most=100)
    share: float = setting(1.0, at_least=0, at_most=1)

    def resamples(self, axes: int) -> bool:
        """Whether images of that many axes are read between their pixels; maps of distances are then to be made anew."""
        return self.share > 0 and (self.scale > 0 or self.elastic_pixels > 0 or self.largest_angle(axes) > 0)

    def largest_angle(self, axes: int) -> float:
        """The largest angle in degrees for images of that many axes; one axis cannot be rotated."""
        return {2: self.rotation_degrees, 3: self.volume_rotation_degrees}.get(axes, 0.0)


AUGMENTATIONS = Catalogue(
    "augmentation",
    {
        "none": AugmentationConfig(flip=False, turn=False, brightness=0.0, contrast=0.0),
        "light": AugmentationConfig(),
        # The ranges of nnU-Net (Isensee et al. 2021, supplementary note 4), at one share for all.
        "standard": AugmentationConfig(
            rotation_degrees=180.0,
            volume_rotation_degrees=30.0,
            scale=0.4,
            contrast=0.25,
            power_law=0.5,
            noise=0.3,
            blur_pixels=1.0,
            share=0.2,
        ),
    },
)
