"""From evidence to a placement: a plan that prints, saves, compares and replays on a fresh network."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from focalseg.configuration import CheckedConfig, from_mapping
from focalseg.errors import SettingError
from focalseg.files import write_text
from focalseg.placement.evidence import Evidence
from focalseg.placement.policies import POLICIES

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class SiteDecision(CheckedConfig):
    """What was decided on one site, on which evidence (averaged over trainings), and why."""

    site: str
    gate: str
    gamma: float
    removal_cost: float
    spread: float
    kept: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Which gates stand where. `layout` is what is put into a network."""

    policy: str
    sites: tuple[SiteDecision, ...]

    @property
    def layout(self) -> dict[str, str]:
        """Kind of gate by site, of the kept ones."""
        return {decision.site: decision.gate for decision in self.sites if decision.kept}

    def to_mapping(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": SCHEMA, "policy": self.policy, "sites": [asdict(decision) for decision in self.sites]}

    def save(self, path: str | Path) -> None:
        """Writes the placement as JSON, for `read_placement` and `focalseg train --attention`."""
        write_text(Path(path), json.dumps(self.to_mapping(), indent=2, allow_nan=False) + "\n")

    def __str__(self) -> str:
        header = f"{'site':<12} {'gate':<5} {'gamma':>6} {'removal':>8} {'spread':>7}  decision ({self.policy})"
        lines = (
            f"{one.site:<12} {one.gate:<5} {one.gamma:6.2f} {one.removal_cost:+z8.3f} {one.spread:7.3f}  "
            f"{'kept' if one.kept else 'dropped'}: {one.why}"
            for one in self.sites
        )
        return "\n".join([header, *lines])


def decide(evidence: Evidence | Sequence[Evidence], policy: str = "removal") -> Placement:
    """The placement that a policy makes of the evidence of one training or of several with the same sites.

    Raises SettingError for an unknown policy, for no evidence, and for trainings whose sites differ.
    """
    trainings = (evidence,) if isinstance(evidence, Evidence) else tuple(evidence)
    keep = POLICIES[policy]
    if not trainings or len({tuple((record.site, record.gate) for record in training.sites) for training in trainings}) != 1:
        raise SettingError(
            f"{len(trainings)} trainings were given; expected at least one, all with the same gates at the same sites."
        )
    decisions = []
    for records in zip(*(training.sites for training in trainings), strict=True):
        kept, why = keep(records)
        decisions.append(
            SiteDecision(
                site=records[0].site,
                gate=records[0].gate,
                gamma=_mean([record.gamma for record in records]),
                removal_cost=_mean([record.removal_cost for record in records]),
                spread=_mean([record.spread for record in records]),
                kept=kept,
                why=why,
            )
        )
    return Placement(policy=policy, sites=tuple(decisions))


def read_placement(path: str | Path) -> Placement:
    """A placement from a file that `Placement.save` or `focalseg place` wrote. Raises SettingError for any other file."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise SettingError(
                f"{path} has schema {content['schema']!r}; this version reads {SCHEMA}. Make the placement anew."
            )
        records = content["sites"]
        if not isinstance(records, list):
            raise TypeError("sites is no list")
        decisions = tuple(from_mapping(SiteDecision, record) for record in records)
    except FileNotFoundError as error:
        raise SettingError(f"No file {path}; expected a placement.json that `focalseg place` wrote.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, SettingError) and str(error).startswith(str(path)):
            raise
        reason = str(error).splitlines()[0].rstrip(".") if isinstance(error, SettingError) else type(error).__name__
        raise SettingError(f"{path} is no placement ({reason}); expected a placement.json of `focalseg place`.") from error
    names = [decision.site for decision in decisions]
    if len(set(names)) < len(names):
        raise SettingError(f"{path} decides twice on one site; expected each site once. Take one of the two out.")
    return Placement(policy=str(content.get("policy", "")), sites=decisions)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
