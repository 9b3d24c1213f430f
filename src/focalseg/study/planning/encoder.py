"""The scale of intensities that a pretrained encoder was trained on, where the images of a job can be brought to it."""

from collections.abc import Sequence

from focalseg.hosts.building import NetworkConfig
from focalseg.hosts.libraries.smp import EncoderScale, read_encoder_scale
from focalseg.imagesets.survey.summary import CaseSummary

_COLOURS = 3


def plan_encoder_scale(network: NetworkConfig, cases: Sequence[CaseSummary]) -> tuple[EncoderScale | None, str]:
    """The scale by which images are normalised for a network with a pretrained encoder, and a sentence on it for the person.

    That of the encoder is one of colour images in bytes. A grey image is three equal colours to it: its first convolution
    becomes the sum of the three, and the scale their mean. Images in other numbers have no white that all agree on, and images
    with two or with more than three channels no colours: those are brought to the mean and the deviation of the data set, by
    which they enter about where the encoder expects them, at mean 0 and variance 1. (None, "") where the network has no
    pretrained encoder.
    """
    if not network.name.startswith("smp:") or network.arguments.get("encoder_weights") is None:
        return None, ""
    channels, dtypes = network.in_channels, sorted({case.dtype for case in cases})
    if dtypes != ["uint8"] or channels not in (1, _COLOURS):
        found = f"{channels} channels" if dtypes == ["uint8"] else f"numbers of the type {' and '.join(dtypes)}"
        return None, (
            f"the encoder was pretrained on colours in bytes, and the images have {found}: they are normalised as for a "
            "network without pretrained weights."
        )
    scale = read_encoder_scale(network.arguments)
    if scale is not None and channels == 1:
        scale = EncoderScale(mean=(sum(scale.mean) / _COLOURS,), deviation=(sum(scale.deviation) / _COLOURS,))
    grey = ", a grey image by the mean of its three colours" if channels == 1 else ""
    return (
        scale,
        f"images are normalised as the pretrained encoder wants them{grey} (data.normalisation=data_set: by the data set).",
    )
