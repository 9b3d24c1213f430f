"""What placement.json says of the arms: their scores, how they compare, and what every fold found."""

import math
from collections.abc import Collection

from focalseg.errors import SettingError
from focalseg.evaluation.significance import NonInferiority
from focalseg.evaluation.statistics import Estimate, SeedNoise
from focalseg.evaluation.verdict import Collapsed
from focalseg.report.lettering import show_characters
from focalseg.report.placement.contents import Arm, ArmComparison, FoldFinding
from focalseg.report.placement.record import MEND, Record
from focalseg.study.arms.design import ALL, NONE, PLACED

ARMS = (NONE, ALL, PLACED)
"""Those that every job has, in the order they are shown in."""


def read_arms(record: Record) -> tuple[Arm, ...]:
    """Every arm, those of `ARMS` first. Raises SettingError where one of them is missing, or where labels differ."""
    arms = tuple(_read_arm(show_characters(name), record.record(name)) for name in dict.fromkeys((*ARMS, *record.content)))
    for arm in arms[1:]:
        if set(arm.dice_per_label) != set(arms[0].dice_per_label):
            raise SettingError(
                f"{record.place}: {arm.name}: dice_per_label has the labels {', '.join(arm.dice_per_label)[:80]}; expected "
                f"those of {arms[0].name}, {', '.join(arms[0].dice_per_label)[:80]}. {MEND}"
            )
    return arms


def read_estimate(record: Record) -> Estimate:
    """A mean Dice, or a difference of two, with its interval."""
    estimate = Estimate(mean=record.number("dice"), low=record.number("low"), high=record.number("high"))
    if not estimate.low <= estimate.mean <= estimate.high:
        raise SettingError(f"{record.place} has {estimate}; expected a mean within its interval. {MEND}")
    return estimate


def read_comparisons(record: Record, arms: Collection[str]) -> tuple[ArmComparison, ...]:
    """How arms compare, in the order of the file; none in a file made before they were written."""
    if "comparisons" not in record.content:
        return ()
    return tuple(
        ArmComparison(
            one=_read_arm_name(comparison, "one", arms),
            other=_read_arm_name(comparison, "other", arms),
            difference=read_estimate(comparison),
            holm_p=comparison.share("holm_p"),
            smallest_difference=comparison.amount("smallest_difference") if comparison.holds("smallest_difference") else None,
            collapsed="collapsed" in comparison.content and comparison.truth("collapsed"),
        )
        for comparison in record.records("comparisons")
    )


def read_non_inferiority(record: Record) -> NonInferiority | None:
    """Whether placed is as good as all."""
    if "non_inferiority" not in record.content:
        return None
    claim = record.record("non_inferiority")
    for field, arm in (("of", PLACED), ("to", ALL)):
        _read_arm_name(claim, field, (arm,))
    return NonInferiority(margin=claim.amount("margin"), bound=claim.number("bound"), shown=claim.truth("shown"))


def read_seed_noise(record: Record) -> SeedNoise | None:
    """What the seed does to the plain network; nan where one training cannot tell."""
    if "seed_noise" not in record.content:
        return None
    noise = record.record("seed_noise")
    trainings = noise.count("trainings")
    fields = ("deviation", "range_of_difference")
    deviation, reach = (noise.amount(field) if trainings > 1 else math.nan for field in fields)
    return SeedNoise(deviation=deviation, range_of_difference=reach, trainings=trainings)


def read_search(record: Record) -> Collapsed:
    """How many of how many trainings that sites were chosen with collapsed; none of none in a file that does not say."""
    if "search" not in record.content:
        return Collapsed(0, 0)
    search = record.record("search")
    return Collapsed(search.count("collapsed"), search.count("trainings"))


def read_folds(record: Record, sites: Collection[str]) -> tuple[FoldFinding, ...]:
    """What every fold found. Raises SettingError for a fold that speaks of a site without evidence."""
    if "folds" not in record.content:
        return ()
    folds = []
    for fold in record.records("folds"):
        kept = fold.record("kept")
        gates = {show_characters(site): kept.text(site) for site in kept.content}
        shut = tuple(show_characters(str(site)) for site in fold.items("shut"))
        for site in (*gates, *shut):
            if site not in sites:
                raise SettingError(f"{fold.place} has the site {site[:40]!r}; expected one of those under sites. {MEND}")
        difference = read_estimate(fold.record("difference"))
        folds.append(FoldFinding(fold=fold.count("fold"), kept=gates, shut=shut, difference=difference))
    return tuple(folds)


def _read_arm(name: str, record: Record) -> Arm:
    counts = ("modules", "parameters", "flops", "trainings", "cases", "groups", "both_empty", "one_empty")
    later = [field for field in ("folds", "collapsed") if field in record.content]
    numbers = ("iou", "precision", "recall", "seconds")
    trainings, labels = record.items("dice_per_training"), record.record("dice_per_label")
    return Arm(
        name=name,
        dice=read_estimate(record),
        dice_per_training=tuple(Record({"dice": value}, record.place).number("dice") for value in trainings),
        dice_per_label={label: labels.number(label) for label in labels.content},
        **{field: record.number(field) for field in numbers},  # type: ignore[arg-type]
        **{field: record.count(field) for field in (*counts, *later)},
    )


def _read_arm_name(record: Record, field: str, arms: Collection[str]) -> str:
    name = show_characters(record.text(field))
    if name not in arms:
        raise SettingError(f"{record.place}: {field} is {name[:40]!r}; expected {', '.join(arms)[:200]}. {MEND}")
    return name
