"""The main job: does attention help on this data, which kind, and where?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from focalseg.evaluation.verdict import Footing, Verdict
from focalseg.inference.folders import LEAN
from focalseg.records.outcome.claims import Claim
from focalseg.records.outcome.looks import LookHistory
from focalseg.records.placement import ALL, NONE, PLACED, PLACEMENT, JobRecord, LeanSource, Placement
from focalseg.records.record import write_record
from focalseg.records.result import CONFIG
from focalseg.records.seals import hash_file
from focalseg.records.splits import SPLITS, measure_overlap_of
from focalseg.study.arms.agreement import Decided, agree, choose_lean, decide_folds
from focalseg.study.arms.design import Design, plan_design, take_known
from focalseg.study.beginning import plan_job, recall_claim, recall_settings, refuse_place
from focalseg.study.budget.correction import correcting
from focalseg.study.budget.fitting import Forecast, plan_costs
from focalseg.study.looks.history import (
    NO_EXTENSION,
    Extension,
    apply_look,
    as_looks,
    begin_looks,
    check_first,
    claim_looks,
    finish_look,
    go_on,
    read_looks,
)
from focalseg.study.outcome.examples import EXAMPLES, write_examples
from focalseg.study.outcome.footing import SEARCHED, count_silence, read_rises
from focalseg.study.outcome.job_result import JobResult
from focalseg.study.outcome.lean import write_lean
from focalseg.study.outcome.summary import judge, record_results
from focalseg.study.planning.folds import remark_few_groups
from focalseg.study.planning.groundwork import lay_groundwork, plan_groundwork
from focalseg.study.planning.precision import settle_precision
from focalseg.study.planning.splits_file import claim_split
from focalseg.study.presets import Settings
from focalseg.study.running.folder import hold_folder
from focalseg.study.running.listeners import NOBODY, Listeners
from focalseg.study.running.runs import RunPlan, read_costs, read_result
from focalseg.training.training_config import Device
from focalseg.yaml_files import write_yaml


@dataclass(frozen=True, kw_only=True)
class PlaceResult:
    """What the main job found, and where its files are. placement: what all folds agree on; record: placement.json; results:
    what that was made of; looks: how often it was judged, this time included."""

    folder: Path
    verdict: Verdict
    placement: Placement
    record: JobRecord
    results: JobResult
    looks: LookHistory


def place(  # noqa: PLR0913 - the options of `focalseg place`
    source: str,
    folder: Path,
    settings: Settings,
    *,
    seed: int = 0,
    device: Device = "auto",
    workers: int | None = None,
    listeners: Listeners = NOBODY,
    budget_hours: float | None = None,
    extension: Extension = NO_EXTENSION,
    plan_most: Callable[[Forecast], int] | None = None,
) -> PlaceResult:
    """Decides where attention stays, then trains networks without it, with all of it and with what was decided, and compares.

    Sites are chosen on validation data alone, from trainings whose seeds are not used again; the networks are then compared,
    seed by seed, on test data that nothing else looks at. With several folds all of it is done on each, so that the comparison
    is one of the whole procedure. Resumes whatever an earlier call left unfinished.
    Everything about the data and the settings is checked before the first file is written. budget_hours: the settings are cut
    until the job is likely to take no longer; a job that goes on keeps to those that it was begun with. extension: of a
    finished job, which is then judged once more. plan_most: gives, of a job that begins, how many trainings per arm it is
    planned to go on to, from what it will take.
    """
    refuse_place(source, folder, settings, seed=seed, budget_hours=budget_hours, extension=extension)
    claim = settings.claim
    settings = recall_claim(settle_precision(settings, folder, device), folder)
    begun = recall_settings(folder, settings, budget_hours)
    first = begun or settings
    job = plan_job(source, folder, settings, seed=seed, budget_hours=budget_hours)
    before = read_looks(folder)
    history = go_on(folder, before, extension)
    if history:
        check_first(folder, history, first)
    chosen = apply_look(first, history.last) if history else first
    ground = lay_groundwork(source, chosen, seed, device, listeners)
    design = plan_design(
        *(ground, chosen, folder), device=device, workers=workers, listeners=listeners, deciding_seeds=first.seeds
    )
    forecast = Forecast(settings=chosen)
    if not (history and history.last.finished and (folder / PLACEMENT).exists()):
        hours = None if begun or history else budget_hours
        forecast = plan_costs(design, chosen, hours=hours, tell=listeners.tell, count=listeners.count)
    if (fitted := forecast.settings) != chosen:
        ground = plan_groundwork(ground, fitted, source=source, seed=seed)
        design = plan_design(ground, fitted, folder, device=device, workers=workers, listeners=Listeners(watch=listeners.watch))
        first = fitted
    history = history or begin_looks(first, plan_most(forecast) if plan_most else 0)
    with hold_folder(folder, write_yaml(replace(job, settings=first))):
        claim_split(folder, ground, listeners.tell)
        claim_looks(folder, before, history)
        for remark in remark_few_groups([fold.split for fold in ground.folds], ground.splits, ground.groups):
            listeners.tell(remark)
        watch = correcting(listeners.watch, forecast, listeners.tell)
        trainers = tuple(replace(trainer, watch=watch) for trainer in design.trainers)
        result = _train_and_judge(replace(design, trainers=trainers), folder, history, claim)
        return replace(result, looks=finish_look(folder, history, result.record))


def _train_and_judge(design: Design, folder: Path, history: LookHistory, claim: Claim) -> PlaceResult:
    """The job itself, in a folder that is held."""
    plans, decided = train_arms(design, [look.folds for look in history.looks])
    placements = decided.placements
    rests_on = {arm: [plan for fold in plans for plan in fold[arm]] for arm in (NONE, PLACED)}
    if rests_on[PLACED] == rests_on[NONE]:
        del rests_on[PLACED]  # nothing was placed: these are the very same trainings
    steps, searched = design.trainers[0].base.training.steps, [read_result(folder) for folder in decided.asked]
    results = JobResult(
        arms={arm: [[read_result(plan.folder) for plan in fold[arm]] for fold in plans] for arm in plans[0]},
        folds=tuple(trainer.split.fold for trainer in design.trainers),
        placements=placements,
        agreed=agree(placements),
        candidates=len(design.everywhere),
        search=decided.search,
        footing=Footing(steps=steps, rises=read_rises(rests_on), silences=(count_silence(SEARCHED, searched),)),
        overlap=measure_overlap_of([trainer.split for trainer in design.trainers], design.trainers[0].groups),
        claim=claim,
        looks=as_looks(history),
    )
    verdict = judge(results)
    fold, number = choose_lean(results.agreed, placements, placed=results.arms[PLACED], none=results.arms[NONE])
    shown = {arm: plans[fold][arm][number].folder for arm in (NONE, PLACED)}
    beside = shown if shown[NONE] != shown[PLACED] else {NONE: shown[NONE], ALL: plans[fold][ALL][number].folder}
    lean = results.arms[PLACED][fold][number]
    trainer = design.trainers[0]
    write_examples(folder, beside, lean, trainer.case_digests, own_network=trainer.base.network.name)
    record = record_results(
        verdict,
        results,
        lean=LeanSource(fold=results.folds[fold], seed=plans[fold][PLACED][number].config.seed),
        runs={
            arm: tuple(plan.folder.relative_to(folder).as_posix() for fold in plans for plan in fold[arm]) for arm in plans[0]
        },
        dead_sites=design.dead,
        costs=read_costs(decided.witness),
        files={name: hash_file(folder / name) for name in (CONFIG, SPLITS, EXAMPLES)},
    )
    write_record(folder / PLACEMENT, record)
    told: dict[str, Any] = {"threshold": lean.threshold, "sites": record.sites, "strata": record.strata}
    write_lean(folder / LEAN, shown[PLACED], verdict, record.arms[PLACED], lean.parameters, **told)
    return PlaceResult(folder=folder, verdict=verdict, placement=results.agreed, record=record, results=results, looks=history)


def train_arms(design: Design, folds: Sequence[int] = ()) -> tuple[list[dict[str, list[RunPlan]]], Decided]:
    """Trains every arm of every fold; the finished runs of each fold by arm, and what was placed there.

    folds: how many were tested at each look at the job, all of them at its only one. Each fold keeps the sites that were chosen
    when it came in: with others, the trainings of what was placed would be of several networks.
    """
    known = [design.plan_known(trainer) for trainer in design.trainers]
    design.run("training the networks to compare with", [plan for arms in known for plan in _list_runs(arms)])
    decided = _decide_at_looks(design, known, folds or [len(design.trainers)])
    chosen = [
        take_known(design.plan_decided(trainer, placement), arms)
        for trainer, placement, arms in zip(design.trainers, decided.placements, known, strict=True)
    ]
    if not any(placement.modules for placement in decided.placements):
        chosen = [{PLACED: arms[PLACED]} for arms in chosen]  # no site drawn at random is the plain network
    there = {plan.folder for arms in known for plan in _list_runs(arms)}
    if new := [plan for arms in chosen for plan in _list_runs(arms) if plan.folder not in there]:
        design.run("training what was placed, and its rivals", new)
    found = [arms | added for arms, added in zip(known, chosen, strict=True)]
    order = [arm for arm in (NONE, ALL, PLACED, *design.rivals) if arm in found[0]]
    return [{arm: arms[arm] for arm in order} for arms in found], decided


def _decide_at_looks(design: Design, known: Sequence[Mapping[str, Sequence[RunPlan]]], folds: Sequence[int]) -> Decided:
    """What is placed on each fold, each as it was decided at the look that it came in at. known: finished runs by arm."""
    placements: list[Placement] = []
    for count in sorted(set(folds)):
        there = [{arm: plans[: design.deciding_seeds] for arm, plans in arms.items()} for arms in known[:count]]
        decided = decide_folds(design.as_decided(count), there)
        placements += decided.placements[len(placements) :]
    return replace(decided, placements=tuple(placements))


def _list_runs(arms: Mapping[str, Sequence[RunPlan]]) -> list[RunPlan]:
    """The runs of all arms."""
    return [plan for plans in arms.values() for plan in plans]
