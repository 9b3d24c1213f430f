"""external.json: what the trainings of a job reach on another set of images, beside what they reach on the job's own cases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.findings import counted
from focalseg.records.estimate import DiceInterval, NonInferiority, SeedNoise
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks
from focalseg.records.outcome.strata import (
    ALL_CASES_DICE,
    LEFT_EMPTY,
    Endpoint,
    LabelStrata,
    Rescue,
    SizeStratum,
    Stratum,
    Tuned,
)
from focalseg.records.placement import (
    ALL,
    NONE,
    PLACED,
    ArmComparison,
    ArmSummary,
    FoldSummary,
    Outcome,
)
from focalseg.records.record import Record, write_record
from focalseg.records.result import Result
from focalseg.records.scores.comparison import CaseDifference
from focalseg.records.scores.emptiness import name_endpoint, show_stratum, titled

EXTERNAL = "external.json"
AGAIN = "run `focalseg evaluate` again: it is written anew"


@dataclass(frozen=True, kw_only=True)
class ScoredTraining(Result):
    """What one training reached on another set. The fields of a finished run, so that whoever reads runs reads these scores;
    weights: the digest of the network and its config, labels: those that are scored. data: the digest of the set's cases."""

    made_by = "`focalseg evaluate`"
    again = AGAIN

    weights: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OwnCases(CheckedConfig):
    """What the job said of its own test cases: verdict, sentence, placed minus none, and the Dice of its arms with the
    differences between them. endpoint: the score that the verdict and the differences are of."""

    data: str
    verdict: Outcome
    sentence: str
    difference: DiceInterval
    arms: Mapping[str, DiceInterval]
    comparisons: tuple[ArmComparison, ...] = ()
    cases: int = setting(at_least=0)
    groups: int = setting(at_least=0)
    endpoint: Endpoint = ALL_CASES_DICE


@dataclass(frozen=True, kw_only=True)
class ExternalRecord(CheckedConfig, Record):
    """All that the trainings of a job say of another set. No network was changed for it.

    job, data: the paths as they were given. difference: placed minus none there. agreement: whether that is what the job found
    on its own test cases, in a sentence. same_networks: whether nothing was placed, so that placed and none are the very same
    trainings. labels: those that are scored. comparisons, arms, folds, seed_noise, non_inferiority: as `JobRecord` has them,
    of the scores there; folds: each fold's networks on all of its cases. extremes: the cases that placed and none differ on
    most, or all and none where nothing was placed. left_out: cases of the set that were not scored, and why. methods: a
    paragraph for a paper. endpoint, difference_all_cases, strata, by_label, by_size, rescue, tuned, overlap, claim: as
    `JobRecord` has them, of the scores there. looks: one, since every set of scores is looked at once.
    """

    made_by = "`focalseg evaluate`"
    again = AGAIN
    indent = 2

    schema: int = 1
    job: str
    data: str
    verdict: Outcome
    sentence: str
    agreement: str
    difference: DiceInterval
    same_networks: bool
    own: OwnCases
    labels: tuple[str, ...]
    cases: int = setting(at_least=1)
    groups: int = setting(at_least=1)
    arms: Mapping[str, ArmSummary]
    comparisons: tuple[ArmComparison, ...] = ()
    non_inferiority: NonInferiority | None = None
    seed_noise: SeedNoise | None = None
    folds: tuple[FoldSummary, ...] = ()
    extremes: tuple[CaseDifference, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, str] = setting()
    methods: str = ""
    endpoint: Endpoint = ALL_CASES_DICE
    difference_all_cases: DiceInterval | None = None
    strata: Mapping[str, Stratum] = field(default_factory=dict)
    by_label: tuple[LabelStrata, ...] = ()
    by_size: tuple[SizeStratum, ...] = ()
    rescue: tuple[Rescue, ...] = ()
    tuned: Tuned | None = None
    overlap: float = setting(0.0, at_least=0, at_most=1)
    claim: Claim = "data_set"
    looks: Looks = ONE_LOOK

    def __post_init__(self) -> None:
        super().__post_init__()
        if missing := [arm for arm in (NONE, ALL, PLACED) if arm not in self.arms]:
            raise SettingError(f"arms lacks {', '.join(missing)}; expected none, all and placed.")

    def save(self, path: str | Path) -> None:
        """Writes the record as JSON."""
        write_record(Path(path), self)

    def find_comparison(self, one: str, other: str) -> ArmComparison | None:
        """That of one arm minus the other on the set, None where it was not made."""
        return _find(self.comparisons, one, other)

    def find_own(self, one: str, other: str) -> ArmComparison | None:
        """The same on the job's own test cases."""
        return _find(self.own.comparisons, one, other)

    @property
    def titled_strata(self) -> dict[str, Stratum]:
        """The kinds of cases under what they are called."""
        return titled(self.strata)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        widest = max(map(len, self.arms))
        yield "arm: Dice of all cases with 95 % interval there, and on the job's own test cases"
        for name, arm in self.arms.items():
            own = self.own.arms.get(name)
            yield f"  {name:<{widest}} {arm.estimate}" + (f"  own {own.estimate}" if own else "")
        yield ""
        yield from self._list_strata(widest)
        score = name_endpoint(self.endpoint, lacking=LEFT_EMPTY in self.strata)
        yield f"difference in {score} there, and on the job's own test cases"
        for pair in self.comparisons:
            own_pair = self.find_own(pair.one, pair.other)
            beside = f"  own {_show(own_pair)}" if own_pair else ""
            yield f"  {pair.one} - {pair.other}: {_show(pair)}, Holm p {pair.holm_p:.3f}{beside}"
        yield ""
        yield from (f"note: {note}" for note in self.notes)
        yield f"methods: {self.methods}"
        yield ""
        yield f"verdict on {self.data}: {self.verdict} - {self.sentence}"
        yield self.agreement

    def _list_strata(self, widest: int) -> Iterator[str]:
        """What every arm reaches on each kind of case, with the difference from none."""
        for title, stratum in self.titled_strata.items():
            yield f"{title}, {counted(stratum.cases, 'case')}"
            for name, found in stratum.arms.items():
                change = stratum.find(name, NONE)
                beside = f"  {show_stratum(change, signs=True)}" if change else ""
                yield f"  {name:<{widest}} {show_stratum(found)}{beside}"
        if self.strata:
            yield ""


def _find(comparisons: tuple[ArmComparison, ...], one: str, other: str) -> ArmComparison | None:
    return next((found for found in comparisons if (found.one, found.other) == (one, other)), None)


def _show(pair: DiceInterval) -> str:
    return f"{pair.dice:+z.3f} [{pair.low:+z.3f}, {pair.high:+z.3f}]"
