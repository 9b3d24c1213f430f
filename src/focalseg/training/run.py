"""One run, in full: everything that decides its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from focalseg.configuration import LARGEST_SEED, CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.evaluation.metrics import ScoreConfig
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig, build_host
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import fill_sites
from focalseg.hosts.pruning import open_own_gates
from focalseg.hosts.site import Site
from focalseg.imagesets.marks import read_values
from focalseg.imagesets.masks import FOREGROUND
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.training.start_config import StartConfig
from focalseg.training.training_config import TrainingConfig, refuse_validation


@dataclass(frozen=True, kw_only=True)
class RunConfig(CheckedConfig):
    """A network, what it is trained on and how. labels: names of the foreground labels. attention: kind of gate by site.

    marks: what stands in the set's masks for the background and then for each label, a value such as 255 or a colour such as
    #FF0000, so that predicted masks are written alike; empty where nobody said.

    standardise_logits: whether gates bring their logits to mean 0 and variance 1, so that gamma alone sets their scale.
    all_data: whether every case is trained on, so that none validates and none tests. start_from: whose weights it begins with;
    nothing: those that its seed draws.
    """

    data: str
    fold: int = setting(0, at_least=0)
    seed: int = setting(0, at_least=0, at_most=LARGEST_SEED)
    labels: tuple[str, ...] = (FOREGROUND,)
    marks: tuple[str, ...] = ()
    preparation: Preparation
    network: NetworkConfig = field(default_factory=NetworkConfig)
    attention: Mapping[str, str] = field(default_factory=dict)
    standardise_logits: bool = False
    loss: UnifiedFocalConfig = field(default_factory=UnifiedFocalConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    scores: ScoreConfig = field(default_factory=ScoreConfig)
    all_data: bool = False
    start_from: StartConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.all_data:
            refuse_validation(self.training)
        if self.loss.reduction == "none":
            raise SettingError("loss.reduction was 'none'; a training follows one number: mean or sum.")
        if self.marks and len(self.marks) != len(self.labels) + 1:
            raise SettingError(f"There were {len(self.marks)} marks; expected one for the background and one per label.")
        read_values(self.marks)

    def describe_attention(self) -> str:
        """Where which gate stands, such as `se at encoder.0, ag at skip.0`; `none` for nowhere."""
        return ", ".join(f"{gate} at {site}" for site, gate in self.attention.items()) or "none"

    def describe_labels(self) -> str:
        """The numbers of a mask with their names, such as `0 background, 1 lesion`."""
        return ", ".join(f"{number} {label}" for number, label in enumerate(("background", *self.labels)))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape (C, *spatial) of an image as the network takes it."""
        return self.network.in_channels, *self.preparation.window


def build_network(config: RunConfig) -> nn.Module:
    """Builds the network of a run with weights drawn from its seed: arms of one seed share the weights of the host.

    Gates that the host brought along and that `attention` does not keep are opened.
    """
    # The host is built first, so that the draws of the gates come after its own and its weights are the same in every arm.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = build_host(config.network)
        candidates = find_candidates(config, network)
        fill_sites(network, config.attention, candidates=candidates, standardise=config.standardise_logits)
    open_own_gates(network, candidates, kept=config.attention)
    return network


def find_candidates(config: RunConfig, network: nn.Module) -> tuple[Site, ...]:
    """The sites of a run's network, for the images of the run."""
    places = config.network
    skips = {name: (pair[0], pair[1]) for name, pair in places.skips.items()}
    return sites(network, config.image_shape, stages=places.stages, skips=skips, own_gates=places.own_gates)
