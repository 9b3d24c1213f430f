"""comparison.json: what a paired comparison of systems found. A system is a method, by its scores on the same cases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from focalseg.configuration import CheckedConfig, setting
from focalseg.errors import SettingError
from focalseg.findings import counted, show_name
from focalseg.records.estimate import Interval, SeedNoise
from focalseg.records.outcome.claims import ONE_LOOK, Claim, Looks
from focalseg.records.outcome.strata import Stratum
from focalseg.records.record import Record, write_record
from focalseg.records.scores.emptiness import ALL_CASES, show_stratum, titled

COMPARISON = "comparison.json"
Better = Literal["higher", "lower"]
SystemVerdict = Literal["better", "worse", "no_difference_shown"]


@dataclass(frozen=True, kw_only=True)
class SystemSummary(Interval):
    """Mean score of one system over the cases that are compared, with its interval.

    trainings: of every fold; each is compared with the training of the same seed, or place, of the reference. seed_noise: what
    another seed alone would change, None for one training.
    """

    cases: int = setting(at_least=1)
    groups: int = setting(at_least=1)
    folds: int = setting(at_least=1)
    trainings: int = setting(at_least=1)
    seed_noise: SeedNoise | None = None


@dataclass(frozen=True, kw_only=True)
class CaseDifference(CheckedConfig):
    """One case, its scores averaged over the trainings. fold: "" where there is one."""

    case: str
    group: str
    fold: str
    one: float
    other: float

    @property
    def difference(self) -> float:
        """The other's score minus that of the reference."""
        return self.other - self.one


@dataclass(frozen=True, kw_only=True)
class Needed(CheckedConfig):
    """What would show a difference in 80 % of studies, were things to vary as they do here.

    trainings: of every fold, with the cases as they are; cases: with the trainings as they are. None: no number of them would
    do, or, for trainings, one training tells nothing of others.
    """

    difference: float = setting(above=0)
    trainings: int | None = setting(at_least=1)
    cases: int | None = setting(at_least=1)


@dataclass(frozen=True, kw_only=True)
class AsGood(CheckedConfig):
    """Whether the other is shown to be at most `margin` worse. bound: it is at most so much worse, with 97.5 % confidence;
    None where nothing bounds it.

    failing of groups: how many it loses altogether; failing_at_most: the share of groups, 0 to 1, of which these data cannot
    exclude that it loses them so, which the bound holds as well. None where the score is no share, which knows no such loss.
    """

    margin: float = setting(above=0)
    bound: float | None
    shown: bool
    failing: int | None = setting(None, at_least=0)
    groups: int | None = setting(None, at_least=0)
    failing_at_most: float | None = setting(None, at_least=0, at_most=1)


@dataclass(frozen=True, kw_only=True)
class SystemComparison(CheckedConfig):
    """Scores of the other minus those of one, the reference, paired by case and by training.

    verdict: of the other, by the interval, which has to lie clear of 0, and by holm_p, which has to lie below the level of the
    record. p_value goes with the interval; holm_p is that value, adjusted for all comparisons.
    smallest_difference: the true one that such data show in 80 % of studies; None where one group tells nothing, or where both
    have the very same scores. silent: whether most trainings of one of the two predict nothing at all, so that nothing is
    shown. extremes: the cases that differ most.
    """

    one: str
    other: str
    verdict: SystemVerdict
    difference: Interval
    p_value: float = setting(at_least=0, at_most=1)
    holm_p: float = setting(at_least=0, at_most=1)
    smallest_difference: float | None = setting(at_least=0)
    sentence: str
    as_good: AsGood | None = None
    needed: tuple[Needed, ...] = ()
    silent: bool = False
    extremes: tuple[CaseDifference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LeftOut(CheckedConfig):
    """A case, or one label of it, that no system was compared on, and why. label: "" for the whole case."""

    case: str
    why: str
    fold: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord(CheckedConfig, Record):
    """All that a comparison found. metric, better: what the scores are, and which end of them is the good one.

    reference: the system that all others are compared with. sentence: the answer; notes: what the scores cannot tell; methods:
    a paragraph for a paper; coverage: how often such intervals hold the truth, as simulated. empty: what a case without the
    object counts, "" where the scores do not tell. endpoint: as a job has it, "" of another metric than Dice.

    strata: by the names of `records.outcome.strata.STRATA`, their arms the systems; none where nothing tells which cases have
    the object. all_cases: Dice of all cases, where the metric is that of some. claim: whom the intervals speak for; overlap:
    the share of what two folds were trained on which they are widened for; looks: at these scores; family: how many comparisons
    the p-values are adjusted for.
    """

    made_by = "`focalseg compare`"
    again = "run `focalseg compare` again"

    schema: int = 1
    metric: str
    better: Better
    reference: str
    sentence: str
    comparisons: tuple[SystemComparison, ...]
    systems: Mapping[str, SystemSummary]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    methods: str = ""
    coverage: str = ""
    empty: str = ""
    endpoint: Literal["dice_with_object", "dice", ""] = ""
    strata: Mapping[str, Stratum] = field(default_factory=dict)
    all_cases: Stratum | None = None
    claim: Claim = "new_data"
    overlap: float = setting(0.0, at_least=0, at_most=1)
    looks: Looks = ONE_LOOK
    family: int = setting(1, at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        named = {name for pair in self.comparisons for name in (pair.one, pair.other)} | {self.reference}
        if missing := sorted(named - self.systems.keys()):
            raise SettingError(f"systems lacks {', '.join(missing)[:200]}; expected every system that is compared.")

    def save(self, path: str | Path) -> None:
        """Writes the comparison as JSON."""
        write_record(Path(path), self)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        names = {name: show_name(name) for name in self.systems}
        widest = max(map(len, names.values()))
        yield self.sentence
        yield ""
        yield f"mean {show_name(self.metric)} with 95 % interval ({self.better} is better)"
        for name, system in self.systems.items():
            noise = system.seed_noise.deviation if system.seed_noise else None
            told = "" if noise is None else f", another seed changes it by {noise:.3f} (standard deviation)"
            yield f"  {names[name]:<{widest}}  {Interval.__str__(system)}{told}"
        yield ""
        for pair in self.comparisons:
            smallest = "unknown" if pair.smallest_difference is None else f"{pair.smallest_difference:.3f}"
            holm = f", Holm {show_p(pair.holm_p)}" if self.family > 1 else ""
            pair_name = f"{names[pair.other]} - {names[pair.one]}"
            yield f"{pair_name}: {pair.difference}, {show_p(pair.p_value)}{holm}, smallest to be seen {smallest}"
            yield from (f"  {line}" for line in describe_needed(pair, trainings=self.systems[pair.other].trainings))
            for case in pair.extremes:
                fold = f" (fold {show_name(case.fold)})" if case.fold else ""
                yield f"  {case.difference:+z.3f}  {show_name(case.case)}{fold}: {case.one:.3f} and {case.other:.3f}"
        yield from self._list_strata(names)
        yield from (f"note: {note}" for note in self.notes)
        if self.coverage:
            yield f"coverage: {self.coverage}"
        yield f"methods: {self.methods}"

    def _list_strata(self, names: Mapping[str, str]) -> Iterator[str]:
        """What every system reaches on each kind of case, with the difference from the reference."""
        widest = max(map(len, names.values()))
        for title, stratum in self.titled_strata.items():
            yield f"{title}, {counted(stratum.cases, 'case')}"
            for name, shown in names.items():
                found = stratum.find(name, self.reference)
                change = f"  {show_stratum(found, signs=True)}" if found else ""
                yield f"  {shown:<{widest}}  {show_stratum(stratum.arms[name])}{change}"
        if self.strata:
            yield ""

    @property
    def titled_strata(self) -> dict[str, Stratum]:
        """Every kind of case under what it is called, all cases last."""
        return titled(self.strata) | ({ALL_CASES: self.all_cases} if self.all_cases else {})


def show_p(value: float) -> str:
    """A p-value with its name: p = 0.034, or p < 0.001."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def describe_needed(pair: SystemComparison, *, trainings: int) -> Iterator[str]:
    """How many trainings or cases it would take, a sentence for each difference. trainings: of every fold, as there are."""
    for needed in pair.needed:
        if pair.smallest_difference is not None and needed.difference >= pair.smallest_difference:
            yield f"Such data as these show a difference of {needed.difference:.3f} in 80 % of studies already."
            continue
        more = [] if needed.trainings is None else [f"{needed.trainings} trainings of each system on these cases"]
        more += [] if needed.cases is None else [f"{needed.cases} cases with trainings as these"]
        found = f"it takes {' or '.join(more)}" if more else "neither more trainings nor more cases alone are enough"
        unknown = "; how many trainings, one training cannot tell" if trainings == 1 else ""
        yield f"To show a difference of {needed.difference:.3f} in 80 % of studies {found}{unknown}."
