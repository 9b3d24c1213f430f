"""What all folds of a job share: the size of images, what the network sees of them at a time, and the network."""

from collections.abc import Sequence
from dataclasses import dataclass

from focalseg.errors import ShapeError
from focalseg.feeding.preparation import Normalisation, on_common_scale, plan_size
from focalseg.hosts.building import NetworkConfig, build_host, plan_arguments
from focalseg.hosts.libraries.smp import EncoderScale
from focalseg.hosts.tracing import LogitsError, check_forward
from focalseg.imagesets.survey.summary import CaseSummary
from focalseg.imagesets.survey.survey import Survey
from focalseg.labels import count_channels
from focalseg.networks.widths import plan_widths
from focalseg.records.splits import Split
from focalseg.study.planning.encoder import plan_encoder_scale
from focalseg.study.presets import NetworkSettings, Settings

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What all folds share: the size of images, what of it the network sees at a time, how intensities are brought to a scale,
    and the network with the channels a level that it was planned from. encoder: the scale of its pretrained encoder, where that
    is the one; remark: a sentence on it, where there is a pretrained encoder."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    normalisation: Normalisation
    network: NetworkConfig
    widths: tuple[int, ...]
    encoder: EncoderScale | None = None
    remark: str = ""


def plan_frame(survey: Survey, split: Split, settings: Settings) -> Frame:
    """What all folds share: a network of one shape has the same sites. From the first fold's training cases, but for whether
    intensities are on one scale, which all cases have to say."""
    training = cases_of(survey, split.train)
    size = plan_size(training, longest_side=settings.data.longest_side)
    window = _plan_window(size, settings.data.patch_side)
    widths = plan_widths(window, base_width=settings.network.base_width, most_levels=settings.network.most_levels)
    network = _plan_network(
        settings.network, widths, axes=len(window), channels=training[0].channels, labels=len(survey.labels)
    )
    window = _fit_size(network, window)
    # A side that is cut into patches need not fit the network; one that is not is the patch.
    size = tuple(max(side, shown) if settings.data.patch_side else shown for side, shown in zip(size, window, strict=True))
    encoder, remark = plan_encoder_scale(network, survey.cases) if settings.data.normalisation == "auto" else (None, "")
    return Frame(
        size=size,
        window=window,
        normalisation="encoder" if encoder else _choose_normalisation(survey, settings),
        network=network,
        widths=widths,
        encoder=encoder,
        remark=remark,
    )


def _choose_normalisation(survey: Survey, settings: Settings) -> Normalisation:
    """As the person says, or as the scales of all cases advise."""
    normalisation = settings.data.normalisation
    if normalisation == "auto":
        # Test cases as well: one of them on another scale would enter hundreds of deviations off, and its score would be one of
        # a network that saw nothing. They only tell which of two rules fits, as whoever looks at their headers could; the mean
        # and deviation of the rule are fitted to training cases, and no mask is asked.
        normalisation = "data_set" if on_common_scale(survey.cases) else "case"
    return normalisation


def _plan_window(size: tuple[int, ...], patch_side: int | None) -> tuple[int, ...]:
    """What the network sees at a time: the whole, or as much of it as patch_side allows along each axis."""
    return size if patch_side is None else tuple(min(side, patch_side) for side in size)


def _plan_network(settings: NetworkSettings, widths: Sequence[int], *, axes: int, channels: int, labels: int) -> NetworkConfig:
    """The network of these channels a level, for images with so many spatial axes."""
    planned = plan_arguments(settings.name, widths=widths)
    return NetworkConfig(
        name=settings.name,
        spatial_dims=axes,  # type: ignore[arg-type]  # 1 to 3, as Preparation sees to
        in_channels=channels,
        classes=count_channels(labels),
        arguments={**planned, **settings.arguments},
        stages=settings.stages,
        skips=settings.skips,
        own_gates=settings.own_gates,
    )


def _fit_size(config: NetworkConfig, size: tuple[int, ...]) -> tuple[int, ...]:
    """The size, or the nearest that the network takes: many halve their input and want every side to be a multiple of 2^n.

    Every side stays within a quarter of what it is; where that cannot be, sides shorter than the multiple are enlarged to it,
    as those of volumes with one slice are. Raises ShapeError where the network takes no such size.
    """
    network = build_host(config)
    refusals: list[ShapeError] = []
    for enlarge in (False, True):
        for multiple in _MULTIPLES:
            fitted = tuple(max(round(side / multiple), 1) * multiple for side in size)
            if not all(
                abs(new - old) * 4 <= old or (enlarge and old < new == multiple) for new, old in zip(fitted, size, strict=True)
            ):
                continue
            try:
                check_forward(network, (config.in_channels, *fitted), classes=config.classes)
            except ShapeError as error:
                refusals.append(error)
            else:
                return fitted
    if all(isinstance(refusal, LogitsError) for refusal in refusals):
        raise refusals[0]  # what it makes is at fault, and not the size
    shown, said = " x ".join(map(str, reversed(size))), str(refusals[0]).partition(". Give ")[0].rstrip(".")
    raise ShapeError(
        f"{config.name} takes no images of {shown}, nor of a size near that: {said}. Ask for fewer levels "
        "(network.most_levels, or network.arguments where you gave any), larger images (data.longest_side, data.patch_side), "
        "or another network (network.name)."
    )


def cases_of(survey: Survey, names: Sequence[str]) -> list[CaseSummary]:
    """The cases of those names."""
    by_name = {case.name: case for case in survey.cases}
    return [by_name[name] for name in names]
