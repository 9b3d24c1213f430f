"""What a person can set, and the budgets that are ready made."""

from dataclasses import dataclass, field
from typing import Any, Literal

from focalseg.attention import GATES
from focalseg.catalogue import Catalogue, unknown_name_message
from focalseg.configuration import LARGEST_SEED, CheckedConfig, from_mapping, merge, setting, to_mapping
from focalseg.errors import SettingError
from focalseg.evaluation.metrics import ScoreConfig
from focalseg.feeding.augmentation_config import AUGMENTATIONS
from focalseg.hosts.libraries.choice import NetworkChoice
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.placement.policies import POLICIES
from focalseg.records import names
from focalseg.records.outcome.claims import Claim
from focalseg.training.training_config import TrainingConfig

MOST_TRAININGS = 1000
"""Per arm and fold. Every fold has seeds for as many, and as many again for the search."""
SEEDS_OF_SEVERAL = 2
"""Trainings per arm and fold where several folds are tested and nobody says otherwise: with one, nothing tells what the seed
does."""
WIDER, RANDOM = "wider", names.RANDOM
RIVALS = (WIDER, RANDOM, *GATES)
"""What may be compared besides: a wider plain network, as many sites drawn at random, or one kind of gate wherever it fits."""


@dataclass(frozen=True, kw_only=True)
class DataSettings(CheckedConfig):
    """longest_side: images are shrunk until no side is longer, in pixels.

    patch_side: what the network sees at a time is at most about so long along each axis; patches are cut where images are
    larger. Nothing: whole images. normalisation: by the training set's mean and standard deviation, by each case's own, or
    auto: as a pretrained encoder wants them, where the network has one, or the latter where cases are on scales of their own.
    cache_mib: memory for the prepared cases of a training; beyond it they are kept on disk.
    """

    longest_side: int = setting(128, at_least=16, at_most=16_384)
    patch_side: int | None = setting(None, at_least=8, at_most=16_384)
    normalisation: Literal["auto", "data_set", "case"] = "auto"
    cache_mib: int = setting(2048, at_least=0, at_most=2**30)


@dataclass(frozen=True, kw_only=True)
class SplitSettings(CheckedConfig):
    """One fold in `folds` is test data, one validation data. seed shuffles the groups.

    test_folds: how many of them are tested in turn, each with trainings, a placement and a comparison of its own. With several,
    `folds` is at least as many and `seeds` is 2, unless either is said.

    Cases are grouped by what their set knows of them, or else by group_column of its table or group_pattern, a regular
    expression on the names of the cases. file: a splits.json to use instead, whose first folds are tested.
    """

    folds: int = setting(5, at_least=3, at_most=1000)
    test_folds: int = setting(1, at_least=1, at_most=1000)
    seed: int = setting(0, at_least=0, at_most=LARGEST_SEED)
    group_column: str = ""
    group_pattern: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(NetworkChoice):
    """Which network, and how wide and deep: base_width channels at full resolution, fewer levels for small images.

    arguments are laid over what is planned from these.
    """

    base_width: int = setting(8, at_least=1, at_most=4096)
    most_levels: int = setting(4, at_least=2, at_most=8)


@dataclass(frozen=True, kw_only=True)
class LookSettings(CheckedConfig):
    """How often the job's test scores will be looked at, said before the first time: it settles what each look may claim.

    most_trainings: per arm and over all folds, up to which the job may be made to go on; 0 for not planned. once: it never
    will, so that its only look has all of the error, and intervals of 95 %.
    """

    most_trainings: int = setting(0, at_least=0, at_most=1_000_000)
    once: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.once and self.most_trainings:
            raise SettingError(
                f"once was true and most_trainings {self.most_trainings}; expected one of the two. Leave one out."
            )


@dataclass(frozen=True, kw_only=True)
class Settings(CheckedConfig):
    """Everything but the data. seeds: trainings per arm and fold. gates: the kinds tried. policy: how evidence becomes a
    decision.

    rivals: what is compared besides none, all and placed, each one of `RIVALS`.
    standardise_logits: whether gates bring their logits to mean 0 and variance 1, so that gamma alone sets their scale.
    claim: whom intervals speak for, see `Claim`; it changes nothing that is trained.
    """

    seeds: int = setting(3, at_least=1, at_most=MOST_TRAININGS)
    gates: tuple[str, ...] = ("se", "ag")
    standardise_logits: bool = False
    policy: str = "removal"
    rivals: tuple[str, ...] = ()
    claim: Claim = "new_data"
    looks: LookSettings = field(default_factory=LookSettings)
    data: DataSettings = field(default_factory=DataSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    loss: UnifiedFocalConfig = field(default_factory=UnifiedFocalConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    scores: ScoreConfig = field(default_factory=ScoreConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gates:
            raise SettingError(f"gates was empty; expected one or more of {', '.join(GATES)}.")
        for catalogue, chosen in ((GATES, self.gates), (POLICIES, (self.policy,))):
            for name in chosen:
                catalogue.check(name)
        for number, name in enumerate(self.rivals):
            if name not in RIVALS:
                raise SettingError(unknown_name_message("rival", name, RIVALS))
            if name in self.rivals[:number]:
                raise SettingError(f"rivals names {name!r} twice; expected each once.")


_STANDARD = {
    "rivals": [WIDER, RANDOM],
    "data": {"longest_side": 256},
    "network": {"base_width": 16, "most_levels": 5},
    "training": {
        "steps": 6000,
        "learning_rate": 2e-3,
        "validate_every": 500,
        "log_every": 50,
        "augmentation": to_mapping(AUGMENTATIONS["standard"]),
    },
}
_THOROUGH = {
    "seeds": 5,
    "data": {"longest_side": 512},
    "network": {"base_width": 32},
    "training": {"steps": 20000, "learning_rate": 1e-3, "validate_every": 1000, "log_every": 100},
}
PRESETS = Catalogue[dict[str, Any]](
    "preset",
    {"quick": {"training": {"steps": 800}}, "standard": _STANDARD, "thorough": merge(_STANDARD, _THOROUGH)},
)
DEMO = {"training": {"steps": 360}}


def build_settings(preset: str, *changes: dict[str, Any]) -> Settings:
    """A preset with changes laid over it, later ones on top. Raises SettingError with a line for each fault.

    Where several folds are tested, what the changes do not say of their design follows from that, see `_settle_folds`.
    """
    said: dict[str, Any] = {}
    for change in changes:
        said = merge(said, change)
    return from_mapping(Settings, merge(merge(PRESETS[preset], _settle_folds(said)), said))


def _settle_folds(said: dict[str, Any]) -> dict[str, Any]:
    """With several folds tested: at least as many are dealt, and each has few trainings, since more folds buy more than more
    trainings of each (docs/designs.md)."""
    split = said.get("split")
    tested = split.get("test_folds") if isinstance(split, dict) else None
    if not isinstance(tested, int) or tested < 2:  # what is no number is refused with the other faults
        return {}
    return {"seeds": SEEDS_OF_SEVERAL, "split": {"folds": max(SplitSettings.folds, tested)}}
