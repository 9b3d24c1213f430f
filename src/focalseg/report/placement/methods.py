"""The methods paragraph of a job, as a paper has it: every number in it is one of the job's files."""

from collections.abc import Iterator
from pathlib import Path

from focalseg.configuration import from_mapping
from focalseg.errors import SettingError
from focalseg.evaluation.wording import describe_intervals
from focalseg.findings import counted
from focalseg.losses.unified_focal_config import UnifiedFocalConfig
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, WITH_OBJECT_DICE
from focalseg.records.placement import ALL, ARMS, NONE, PLACED, PLACEMENT, ArmSummary
from focalseg.records.record import read_json
from focalseg.records.result import CONFIG
from focalseg.records.scores.emptiness import describe_empty
from focalseg.records.seals import WRITER
from focalseg.report.lettering import show_characters
from focalseg.report.placement.answers.claims import explain_claim, explain_failures, explain_looks
from focalseg.report.placement.contents import PlacementContents
from focalseg.report.placement.naming import TRAINED_WITH, describe_network, name_arm, name_gate
from focalseg.report.placement.tables import common_measure, define_distances
from focalseg.report.wording import listed
from focalseg.study.presets import Settings
from focalseg.training.training_config import TrainingConfig
from focalseg.yaml_files import read_yaml

_POLICY = "(the policy `one` of focalseg.metrics)"
EMPTY = f"Empty masks of a label: {describe_empty()} {_POLICY}."
EMPTY_OVERLAP = f"Empty masks of a label: {describe_empty(distances=False)} {_POLICY}."


def describe_job(folder: Path, contents: PlacementContents) -> str:
    """What was done, in one paragraph. Of a job by an earlier version what its files do not tell is left out."""
    settings = _read_settings(folder / CONFIG)
    sentences = [
        *_describe_data(contents),
        *_describe_trainings(contents, settings),
        *_describe_arms(contents),
        *_describe_choice(contents),
        *_describe_scores(contents),
        *_describe_statistics(contents),
    ]
    writer = _read_writer(folder / PLACEMENT)
    return " ".join([*sentences, f"Computed with focalseg{f' {writer}' if writer else ''}."])


def _read_settings(path: Path) -> Settings | None:
    """The settings of the job; None where no file holds them, or another version wrote them in its own way."""
    try:
        return from_mapping(Settings, read_yaml(path).get("settings", {})) if path.is_file() else None
    except SettingError:
        return None


def _read_writer(path: Path) -> str:
    """The version that wrote a record, empty where it did not say."""
    content = read_json(path, "a record of ours.")
    return show_characters(str(content.get(WRITER, "")))[:40] if isinstance(content, dict) else ""


def _describe_data(contents: PlacementContents) -> Iterator[str]:
    """The cases, their groups, and how they were split."""
    splits, folds = contents.splits, contents.record.folds
    labels = listed([show_characters(label) for label in contents.labels])
    kind = "label" if len(contents.labels) == 1 else "labels"
    if splits is None:
        yield f"The data were {show_characters(contents.data) or 'the cases named in the files of the job'} ({kind} {labels})."
        return
    groups = len(set(splits.groups.values()))
    of = f" in {counted(groups, 'group')}" if splits.grouped else ""
    yield f"The data were {show_characters(contents.data)}: {counted(len(splits.groups), 'case')}{of} ({kind} {labels})."
    tested = {fold.fold for fold in folds}
    chosen = next((split for split in splits.folds if not tested or split.fold in tested), splits.folds[0])
    parts = f"{len(chosen.train)} training, {len(chosen.validation)} validation and {counted(len(chosen.test), 'test case')}"
    kept = "; cases of one group were kept together" if splits.grouped else ""
    if len(folds) > 1:
        yield f"They were split into folds, of which {len(folds)} were tested in turn (the first has {parts}){kept}."
    else:
        yield f"They were split once, into {parts}{kept}."


def _describe_trainings(contents: PlacementContents, settings: Settings | None) -> Iterator[str]:
    """The network, and how it was trained."""
    network = f"The network was a {describe_network(contents.network)}" if contents.network else "Every network"
    if settings is None:
        if contents.network:
            yield f"{network}."
        return
    joint = ", " if contents.network else " was "
    yield f"Images were shrunk until no side was longer than {settings.data.longest_side} {contents.element}s."
    yield f"{network}{joint}trained {_describe_steps(settings.training)} with the {_describe_loss(settings.loss)}."


def _describe_steps(training: TrainingConfig) -> str:
    most = "at most " if training.early_stopping_patience is not None else ""
    kept = "; the weights of the best validation Dice were kept" if training.keep_best else ""
    return (
        f"for {most}{counted(training.steps, 'step')} of {counted(training.batch_size, 'case')} by AdamW (one-cycle learning "
        f"rate of at most {training.learning_rate:g}, weight decay {training.weight_decay:g}{kept})"
    )


def _describe_loss(loss: UnifiedFocalConfig) -> str:
    boundary = (
        f", focal distance penalty of weight {loss.boundary_weight:g} and gamma {loss.boundary_gamma:g}"
        if loss.boundary_weight
        else ""
    )
    values = f"overlap weight {loss.overlap_weight:g}, delta {loss.delta:g}, gamma {loss.gamma:g}"
    return f"Unified Focal loss (Yeung et al. 2022; {loss.form}, {values}{boundary})"


def _describe_arms(contents: PlacementContents) -> Iterator[str]:
    """What was compared, with how many trainings."""
    record, arms = contents.record, contents.arms
    gates = [name_gate(gate) for gate in dict.fromkeys(site.gate for site in record.sites)]
    kept = [f"{name_gate(site.gate)} at {show_characters(site.site)}" for site in record.sites if site.kept]
    shut = [show_characters(site.site) for site in record.sites if site.shut]
    several = " in at least half of the folds" if len(record.folds) > 1 else ""
    placed = f"the sites that were chosen{several} (placed: {listed(kept) or 'none'}"
    placed += f"; the skips {listed(shut)} shut)" if shut else ")"
    rivals = [f"{show_characters(name_arm(name))}" for name in arms if name not in ARMS]
    yield (
        f"Networks without attention ({NONE}), with focal attention ({listed(gates) or 'no gate'}) at all "
        f"{counted(len(record.sites), 'candidate site')} ({ALL}), and at {placed} were compared"
        f"{f', besides {listed(rivals)}' if rivals else ''}, each trained from scratch with the same budget."
    )
    seeds = sorted({log.seed for log in contents.logs.get(NONE, ())})
    named = f" (seeds {listed([str(seed) for seed in seeds])})" if len(seeds) > 1 else ""
    trainings = arms[NONE].trainings
    yield (
        f"There was one training per arm{_and_fold(arms[NONE])}."
        if trainings == 1
        else f"There were {trainings} trainings per arm{_and_fold(arms[NONE])} that differ in their seed{named}."
    )


def _and_fold(arm: ArmSummary) -> str:
    return " and fold" if arm.folds > 1 else ""


def _describe_choice(contents: PlacementContents) -> Iterator[str]:
    """How sites were chosen."""
    policy = show_characters(contents.record.policy)
    if contents.probed:
        number = counted(len(contents.probes), "separate training")
        how = f", {TRAINED_WITH[contents.regime]}" if contents.regime in TRAINED_WITH else ""
        yield (
            f"Sites were chosen by the policy {policy} of focalseg on validation cases alone, from {number} with attention at "
            f"every site{how}."
        )
    else:
        yield f"Sites were chosen by the policy {policy} of focalseg on validation cases alone."


def _describe_scores(contents: PlacementContents) -> Iterator[str]:
    """The endpoint, the other scores, and what they are where a mask is empty."""
    yield from _describe_endpoint(contents)
    measured = common_measure(contents.arms)
    if measured is None:
        yield f"Secondary scores were IoU, precision and recall. {EMPTY_OVERLAP}"
        return
    distances = define_distances(measured)
    told = "; ".join(f"{name}: {definition}" for name, definition in distances.items())
    yield f"Secondary scores were IoU, precision and recall, and {listed([*distances])} ({told})."
    why = "by the spacing that the images state" if measured.unit == "mm" else "since the images state no spacing"
    weight = "area" if contents.element == "voxel" else "length"
    yield (
        f"Surfaces are the contours between {contents.element}s, weighted by their {weight} (Nikolov et al. 2018); lengths are "
        f"in {measured.unit}, {why}."
    )
    yield EMPTY


def _describe_endpoint(contents: PlacementContents) -> Iterator[str]:
    """What the verdict rests on, and what was told of the kinds of cases."""
    record, several = contents.record, len(contents.labels) > 1
    if record.endpoint != WITH_OBJECT_DICE:
        over = ", the mean over its labels" if several else ""
        yield (
            "The endpoint was the Dice of a test case at its own resolution"
            f"{over}, averaged over cases and trainings; test cases decided nothing else."
        )
        return
    over, which = (", the mean over the labels that it has", "have any of them") if several else ("", "have the object")
    yield (
        "The endpoint, fixed beforehand, was the Dice of a test case at its own resolution"
        f"{over}, averaged over the cases that {which} and over trainings; test cases decided nothing else."
    )
    if MISSED in record.strata:
        what = "labels of these cases" if several else "these cases"
        yield f"Beside it stands the share of {what} of which no {contents.element} was found (missed)."
    if LEFT_EMPTY in record.strata:
        number = counted(record.strata[LEFT_EMPTY].cases, "test case")
        yield (
            f"Of the {number} without the object the share on which nothing was predicted is given apart (left empty, the "
            "specificity per image)."
        )
    if record.tuned is not None:
        yield (
            "The threshold was 0.5; the endpoint is given besides at a threshold that was tuned for each training on its "
            "validation cases that have the object (0.05 to 0.95 in steps of 0.05)."
        )


def _describe_statistics(contents: PlacementContents) -> Iterator[str]:
    record, plain = contents.record, contents.arms[NONE]
    yield f"Differences such as {PLACED} - {NONE}, which the verdict rests on, are paired by case and by training."
    yield describe_intervals(grouped=plain.groups < plain.cases, folds=plain.folds)
    if len(record.comparisons) > 1:
        others = " and on the kinds of cases" if record.strata else " of Dice"
        yield f"The p-values of the {len(record.comparisons)} comparisons{others} were adjusted (Holm), those of others not."
    if record.non_inferiority is not None:
        found = record.non_inferiority
        one_sided = f"one-sided, {100 * record.looks.tail:.3g} %"
        yield f"That {found.of} is as good as {found.to} was tested with a margin of {found.margin:g} Dice ({one_sided})."
        yield from filter(None, [_to_plain_text(explain_failures(found, record.looks))])
    yield from (_to_plain_text(sentence) for sentence in (explain_claim(record), explain_looks(record.looks)) if sentence)
    if plain.trainings == 1 and plain.folds == 1:
        yield "With one training per arm the intervals do not hold what another seed would change."


def _to_plain_text(sentence: str) -> str:
    """Without the spaces that a page keeps together."""
    return sentence.replace("\N{NO-BREAK SPACE}", " ")
