"""One run from its plan to its files: training, scores of every case, evidence."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from focalseg.counting import Advance, ignore
from focalseg.errors import Interrupted, SettingError
from focalseg.evaluation.metrics import Distances, measure_distances
from focalseg.evaluation.thresholds import ThresholdCounts, count_at_thresholds, tune_threshold
from focalseg.feeding.feed import Feed, open_feed
from focalseg.feeding.store import remove_leftovers
from focalseg.files import write_text, write_whole
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.costs import count_flops, count_parameters, measure_costs
from focalseg.imagesets.masks import find_judged
from focalseg.inference.loading import load
from focalseg.inference.prediction import Member, keep_quiet, predict_graded
from focalseg.labels import THRESHOLD
from focalseg.networks.state import read_state
from focalseg.placement.evidence import gather_evidence
from focalseg.records.costs import COSTS, CostTable
from focalseg.records.evidence import EVIDENCE, Evidence, PathPoint
from focalseg.records.placement import SHUT
from focalseg.records.record import read_record, write_record
from focalseg.records.result import CONFIG, RESULT, WEIGHTS, Result, check_run_file
from focalseg.records.seals import hash_file
from focalseg.records.splits import Split
from focalseg.study.running.cases import CaseDigests, digest_split, read_same_case
from focalseg.study.running.cores import limit_threads
from focalseg.study.running.folder import claim_folder
from focalseg.study.running.progress_file import EVIDENCE_PASSES, SCORING, ProgressFile
from focalseg.study.running.scores import CaseScore, format_scores, read_scores
from focalseg.study.running.stopping import STOP
from focalseg.training.loop import GAMMA_COLUMN, METRICS, Run, StopRequested, TrainingData, train
from focalseg.training.metrics_log import Row
from focalseg.training.run import RunConfig
from focalseg.training.threads import kept_threads
from focalseg.training.training_config import Device
from focalseg.yaml_files import write_yaml

CASES = "cases.csv"
VALIDATION, TEST = "validation", "test"
WHOLE_FRAME = ", whole frame"
"""Added to the name of a part for scores that count outside of the field of view as well."""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """A run, the split it trains on and the folder it fills.

    arm: its name in a comparison. groups: by case, what a split kept together and a score counts as one; those of the data set
    for cases that are not named. case_digests: of the cases as the job began with them. cache_mib: memory for its prepared
    cases; beyond it they are kept on disk. testifies: whether evidence on its sites is gathered and their cost measured.
    scored: the parts of the split whose cases are scored.
    """

    arm: str
    config: RunConfig
    split: Split
    folder: Path
    device: Device = "auto"
    cache_mib: int = 2048
    groups: Mapping[str, str] = field(default_factory=dict)
    case_digests: CaseDigests = field(default_factory=dict)
    testifies: bool = True
    scored: tuple[str, ...] = (VALIDATION, TEST)

    @property
    def leaves_evidence(self) -> bool:
        """Whether it testifies, and has sites to testify on and cases to testify with."""
        sites = any(gate != SHUT for gate in self.config.attention.values())
        return self.testifies and sites and bool(self.split.validation)

    @property
    def is_finished(self) -> bool:
        """Whether all that it leaves is in its folder, as it was written by this version or an earlier one."""
        return self._find_result() is not None

    @property
    def is_tuned(self) -> bool:
        """Whether it is finished and its cases are scored at a tuned threshold, too, which earlier versions did not do."""
        result = self._find_result()
        return result is not None and result.threshold is not None

    def _find_result(self) -> Result | None:
        """result.json of a finished run."""
        try:
            result = read_record(Result, self.folder / RESULT)
            for name in (*result.files, *([EVIDENCE] if self.leaves_evidence else [])):
                result.check_file(self.folder / name)
        except SettingError:
            return None
        return result if result.data in ("", self.data_digest) else None

    @property
    def data_digest(self) -> str:
        """The digest of the split, its groups and its cases, empty where nobody keeps one."""
        return digest_split(self.split, self.groups, self.case_digests)

    @property
    def scored_cases(self) -> tuple[tuple[str, str], ...]:
        """The part and the name of every case that is scored."""
        names = {VALIDATION: self.split.validation, TEST: self.split.test}
        return tuple((part, name) for part in self.scored for name in names[part])


@dataclass(frozen=True, kw_only=True)
class RunResult(Result):
    """What a finished run cost and scored."""

    scores: tuple[CaseScore, ...]

    @property
    def collapsed(self) -> bool:
        """Whether the network predicts nothing at all on validation cases that do hold something."""
        scores = self.scores_of(VALIDATION)
        return any(score.true_pixels for score in scores) and not any(score.predicted_pixels for score in scores)

    @property
    def at_tuned(self) -> "RunResult":
        """The same run with its scores at the tuned threshold in place of those at 0.5, for whatever takes a run. Raises
        ValueError where its cases were not scored there, its threshold being None."""
        return replace(self, scores=tuple(score.at_tuned for score in self.scores))

    def scores_of(self, part: str) -> tuple[CaseScore, ...]:
        """Scores of the validation or the test cases, in the order of the split; none where that part was not scored."""
        return tuple(score for score in self.scores if score.part == part)


def execute(plan: RunPlan) -> None:
    """Trains, scores and writes the files of a run; whatever of it is already there is not done again.

    A run that ended without the evidence that is asked of it now is completed from its checkpoint, without training anew; one
    that an earlier version finished is scored at its tuned threshold besides, from its weights.

    Raises Interrupted, with the state saved, when a stop was asked for, and SettingError for a folder of another run.
    """
    claim_folder(plan.folder, write_yaml(plan.config))
    remove_leftovers(plan.folder)
    if plan.is_finished:
        if not plan.is_tuned:
            with kept_threads():
                limit_threads()
                _add_tuned_scores(plan)
        return
    with kept_threads(), load_training_data(plan) as data:
        limit_threads()
        with STOP.deferring():
            try:
                run = train(plan.config, data, plan.folder, device=plan.device, should_stop=STOP.is_requested)
            except StopRequested:
                raise Interrupted(STOP.requested) from None
        _write_results(plan, run)


def _write_results(plan: RunPlan, run: Run) -> None:
    """Weights, scores, costs and evidence of a finished training; result.json last, which says that all of it is there."""
    network = run.network
    open_probabilities = run.regime.finish()
    run.settle_norms()
    write_whole(plan.folder / WEIGHTS, lambda file: file.write(save(read_state(network))))
    run.log.write()
    progress = ProgressFile(plan.folder)
    threshold, scores = score_at_full_size(plan, network, progress.count(SCORING))
    write_text(plan.folder / CASES, format_scores(scores))
    files = [CONFIG, METRICS, WEIGHTS, CASES]
    if plan.leaves_evidence:
        write_record(plan.folder / COSTS, measure_costs(network, plan.config.image_shape))
        groups = tuple(score.group for score in scores if score.part == VALIDATION)
        evidence = _collect_evidence(run, open_probabilities, groups, progress.count(EVIDENCE_PASSES))
        write_record(plan.folder / EVIDENCE, evidence)
        files += [COSTS, EVIDENCE]
    image = torch.zeros(1, *plan.config.image_shape, device=next(network.parameters()).device)
    result = Result(
        modules=len(attention_sites(network)),
        parameters=count_parameters(network),
        flops=count_flops(network.eval(), image),
        seconds=round(run.seconds, 2),
        step_seconds=None if run.step_seconds is None else round(run.step_seconds / run.step, 6),
        data=plan.data_digest,
        files={name: hash_file(plan.folder / name) for name in files},
        threshold=threshold,
    )
    write_record(plan.folder / RESULT, result)
    progress.remove()


def _add_tuned_scores(plan: RunPlan) -> None:
    """Scores the cases of a run that an earlier version finished at its tuned threshold; what it scored at 0.5 stays."""
    finished, before = read_record(Result, plan.folder / RESULT), read_scores(plan.folder / CASES)
    progress = ProgressFile(plan.folder)
    network = load(plan.folder, device=plan.device, own_network=plan.config.network.name).network
    threshold, again = score_at_full_size(plan, network, progress.count(SCORING), with_distances=False)
    tuned = {(score.case, score.part): score.tuned for score in again}
    if threshold == THRESHOLD:  # the very same, even where this machine rounds otherwise than the one that trained
        tuned = {(score.case, score.part): score.overlaps for score in before}
    scores = [replace(score, tuned=tuned[score.case, score.part]) for score in before]
    with STOP.deferring():
        # Killed in between, the run is as finished as it was and is scored again: it may have no checkpoint to go back to.
        others = {name: digest for name, digest in finished.files.items() if name != CASES}
        write_record(plan.folder / RESULT, replace(finished, files=others))
        write_text(plan.folder / CASES, format_scores(scores))
        files = {**finished.files, CASES: hash_file(plan.folder / CASES)} if finished.files else {}
        write_record(plan.folder / RESULT, replace(finished, threshold=threshold, files=files))
        progress.remove()


@contextmanager
def load_training_data(plan: RunPlan) -> Iterator[TrainingData]:
    """Prepared training and validation cases, in memory or in a file in the run's folder while the context is open."""
    preparation = plan.config.preparation

    def open_side(names: Sequence[str], most_bytes: int) -> AbstractContextManager[Feed]:
        cases = (read_same_case(plan.config.data, name, plan.case_digests) for name in names)
        return open_feed(cases, len(names), preparation, most_bytes=most_bytes, folder=plan.folder)

    budget = plan.cache_mib * 2**20
    with (
        open_side(plan.split.train, budget) as train_side,
        open_side(plan.split.validation, budget - train_side.bytes_in_memory) as validation_side,
    ):
        yield TrainingData(train=train_side, validation=validation_side, digest=plan.data_digest)


class FullSizeScores(NamedTuple):
    """The scores of cases at 0.5 and at a tuned threshold; where that is None, at 0.5 alone."""

    threshold: float | None
    scores: list[CaseScore]


def score_at_full_size(
    plan: RunPlan, network: nn.Module, tell: Advance = ignore, *, threshold: float | None = None, with_distances: bool = True
) -> FullSizeScores:
    """Scores of all cases of the parts that are scored. Test cases decide nothing afterwards. tell: hears of every case.

    A case with a field of view is scored inside of it, and besides on the whole frame. What nobody judged counts in neither.
    Distances are measured on test cases, at 0.5: nothing is decided by those of others. The threshold is tuned on validation
    cases; where they are not scored it is the one that is given.
    """
    counted, scores = [], []
    for score, counts in _count_cases(plan, network, tell, with_distances=with_distances):
        scores.append(score)
        counted.append(counts)
    if VALIDATION in plan.scored:
        threshold = tune_threshold(counts for score, counts in zip(scores, counted, strict=True) if score.part == VALIDATION)
    if threshold is not None:
        labels = plan.config.labels
        scores = [
            replace(score, tuned=dict(zip(labels, counts.score(threshold), strict=True)))
            for score, counts in zip(scores, counted, strict=True)
        ]
    return FullSizeScores(threshold, scores)


def _count_cases(
    plan: RunPlan, network: nn.Module, tell: Advance, *, with_distances: bool
) -> Iterator[tuple[CaseScore, ThresholdCounts]]:
    """The scores at 0.5 of every case and view, and its counts at all thresholds."""
    labels, tolerance = plan.config.labels, plan.config.scores.tolerance
    member = Member(network, plan.config.preparation)
    for number, (part, name) in enumerate(plan.scored_cases, start=1):
        case = read_same_case(plan.config.data, name, plan.case_digests)
        graded = predict_graded([member], case.image, tell=keep_quiet)
        predicted = graded.at(THRESHOLD)
        views = {part: case.field_of_view}
        if case.field_of_view is not None:
            views[f"{part}{WHOLE_FRAME}"] = None
        for view, field_of_view in views.items():
            inside = find_counted(case.mask, field_of_view)
            counts = count_at_thresholds(graded, case.mask, len(labels), inside=inside)
            distances: Sequence[Distances] = ()
            if part == TEST and with_distances:
                masks, spacing = (predicted, case.mask, len(labels)), case.spacing_mm
                distances = measure_distances(*masks, inside=inside, spacing_mm=spacing, tolerance=tolerance)
            score = CaseScore(
                case=name,
                group=plan.groups.get(name, case.group),
                part=view,
                overlaps=dict(zip(labels, counts.score(THRESHOLD), strict=True)),
                distances=dict(zip(labels, distances, strict=False)),
            )
            yield score, counts
        tell(number, len(plan.scored_cases))


def find_counted(mask: np.ndarray, view: np.ndarray | None) -> np.ndarray | None:
    """Where a case is scored, (*spatial) bool: where somebody judged it, within its field of view; None for everywhere."""
    judged = find_judged(mask)
    if judged is None or view is None:
        return view if judged is None else judged
    counted: np.ndarray = judged & view
    return counted


def _collect_evidence(run: Run, open_probabilities: Mapping[str, float], groups: tuple[str, ...], tell: Advance) -> Evidence:
    """Evidence on the validation cases. groups: of these, those that their scores count with. tell: hears how far it is."""
    config = run.config
    evidence = gather_evidence(
        run.network,
        run.batches(run.data.validation),
        norm_batches=run.read_norm_batches(),
        window=config.preparation.patch,
        exponents=config.training.exponents,
        progress=tell,
        ignore_index=config.loss.ignore_index,
    )
    return replace(
        evidence,
        sites=tuple(replace(site, open_probability=open_probabilities.get(site.site)) for site in evidence.sites),
        groups=groups,
        path=trace_path(run.log.rows) if run.regime.witnesses_path else (),
    )


def trace_path(rows: Sequence[Row]) -> tuple[PathPoint, ...]:
    """Which exponents were above 0 at each validation of a training, and its Dice."""
    return tuple(
        PathPoint(
            open=tuple(
                name.removeprefix(GAMMA_COLUMN)
                for name, value in row.items()
                if name.startswith(GAMMA_COLUMN) and float(value) > 0
            ),
            dice=float(row["validation_dice"]),
        )
        for row in rows
        if row["validation_dice"]
    )


def read_result(folder: Path) -> RunResult:
    """What `execute` wrote. Raises SettingError for a file that is missing or was altered since."""
    result = read_record(Result, folder / RESULT)
    return RunResult(**vars(result), scores=read_scores(result.check_file(folder / CASES)))


def read_evidence(folder: Path) -> Evidence:
    """Evidence of a run with attention. Raises SettingError as `read_result` does."""
    return read_record(Evidence, check_run_file(folder / EVIDENCE))


def read_costs(folder: Path) -> CostTable:
    """What the sites of a run with attention cost. Raises SettingError as `read_result` does."""
    return read_record(CostTable, check_run_file(folder / COSTS))


def dice_matrix(results: Sequence[RunResult], part: str) -> np.ndarray:
    """Dice (trainings, cases) of one part."""
    return score_matrix(results, part, "dice")


def score_matrix(results: Sequence[RunResult], part: str, score: str) -> np.ndarray:
    """A score (trainings, cases) of one part, by its name as `CaseScore.average` takes it: `dice`, or `tuned_dice` for the same
    at each training's tuned threshold, nan where an earlier version scored it at 0.5 alone."""
    return np.array([[one.average(score) for one in result.scores_of(part)] for result in results])
