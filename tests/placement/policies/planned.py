"""Policies driven by answers that are planned: what any layout would score, and what any training would show."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import Choice, Course, Layout, Search, follow
from focalseg.records.evidence import Evidence, PathPoint, SiteEvidence


@dataclass(frozen=True, kw_only=True)
class PlannedSearch:
    """dice: by the names of the sites that a layout holds. evidence: of each training, by regime.

    questions: what was asked, in order, a regime or the layouts.
    """

    everywhere: Layout
    dice: Mapping[frozenset[str], float] = field(default_factory=dict)
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    seed: int = 0
    questions: list[str | list[frozenset[str]]] = field(default_factory=list)

    @property
    def start(self) -> Search:
        """What a policy is given."""
        return Search(everywhere=self.everywhere, seed=self.seed)

    def choose(self, policy: str) -> Choice:
        """What a policy of the catalogue makes of these answers."""
        return self.follow(POLICIES[policy](self.start))

    def follow(self, course: Course) -> Choice:
        """What a policy at work makes of these answers."""
        return follow(course, probe=self.probe, score=self.score)

    def probe(self, exponents: str) -> tuple[Evidence, ...]:
        self.questions.append(exponents)
        return self.evidence[exponents]

    def score(self, layouts: Sequence[Layout]) -> list[np.ndarray]:
        """Two trainings on two cases, which all score the same."""
        for layout in layouts:
            assert layout.items() <= self.everywhere.items(), f"{dict(layout)} holds a site that is no candidate"
        asked = [frozenset(layout) for layout in layouts]
        self.questions.append(asked)
        return [np.full((2, 2), self.dice[sites]) for sites in asked]

    @property
    def trainings(self) -> list[frozenset[str]]:
        """The layouts that were asked for, in order, each once."""
        return list(dict.fromkeys(layout for asked in self.questions if not isinstance(asked, str) for layout in asked))


def name_sites(*names: str) -> Layout:
    """Candidates that nothing can be added to, with a gate that fits each."""
    return MappingProxyType({name: "ag" if name.startswith("skip") else "se" for name in names})


def list_subsets(names: Sequence[str]) -> list[frozenset[str]]:
    """All of them, from none to all."""
    return [frozenset(some) for count in range(len(names) + 1) for some in itertools.combinations(names, count)]


def plan_dice(names: Sequence[str], otherwise: float, **scores: float) -> dict[frozenset[str], float]:
    """What every layout of sites with one letter each scores: `ab=0.8` for a and b together, `_` for none."""
    special = {frozenset(letters.strip("_")): value for letters, value in scores.items()}
    return {some: special.get(some, otherwise) for some in list_subsets(names)}


def record_site(
    name: str,
    *,
    cost: float = 0.0,
    joint: float | None = None,
    shut: float | None = None,
    gamma: float = 1.0,
    on: float | None = None,
) -> SiteEvidence:
    """Evidence on one case of one site. cost: of taking it away. joint: with those before it. shut: of letting nothing pass.
    on: how often its switch would be on."""
    return SiteEvidence(
        site=name,
        gate="ag" if name.startswith("skip") else "se",
        gamma=gamma,
        spread=0.1,
        case_costs=(cost,),
        joint_case_costs=(cost if joint is None else joint,),
        shut_case_costs=() if shut is None else (shut,),
        open_probability=on,
    )


def draw_search(names: Sequence[str], seed: int) -> PlannedSearch:
    """Answers drawn at random, of every kind that a policy may ask for."""
    random = np.random.default_rng(seed)

    def draw_evidence() -> Evidence:
        left = [tuple(names[:count]) for count in range(len(names), -1, -1)]
        return Evidence(
            sites=tuple(
                record_site(
                    name,
                    cost=random.normal(0, 0.02),
                    joint=random.normal(0, 0.02),
                    shut=random.normal(0, 0.02) if name.startswith("skip") else None,
                    gamma=2 * random.random(),
                    on=random.random(),
                )
                for name in names
            ),
            path=tuple(PathPoint(open=some, dice=random.random()) for some in left),
        )

    return PlannedSearch(
        everywhere=name_sites(*names),
        dice={some: 0.5 + 0.1 * random.random() for some in list_subsets(names)},
        evidence={regime: (draw_evidence(), draw_evidence()) for regime in ("free", "dropout", "path", "hard_concrete")},
        seed=seed,
    )
