"""One network, trained and scored."""

from dataclasses import replace
from pathlib import Path

from focalseg.attention import GATES
from focalseg.hosts.building import build_host
from focalseg.placement.applying import compare_levels
from focalseg.records.method import METHOD, find_method
from focalseg.records.placement import read_placement
from focalseg.records.record import write_record
from focalseg.study.beginning import NOT_KEPT, ForKeeps, refuse_train
from focalseg.study.budget.fitting import forecast_run
from focalseg.study.outcome.examples import write_examples
from focalseg.study.outcome.run_card import write_run_card
from focalseg.study.planning.attention import plan_attention, plan_single_kind
from focalseg.study.planning.groundwork import lay_groundwork
from focalseg.study.planning.precision import settle_precision
from focalseg.study.planning.splits_file import claim_split
from focalseg.study.presets import Settings
from focalseg.study.running.folder import hold_folder
from focalseg.study.running.listeners import NOBODY, Listeners, Tell
from focalseg.study.running.runs import RunPlan, RunResult, execute, read_result
from focalseg.study.start import check_start, find_start, tell_of_learned
from focalseg.training.run import RunConfig, build_network, find_candidates
from focalseg.training.training_config import Device
from focalseg.yaml_files import write_yaml


def train_one(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    attention: str,
    seed: int,
    device: Device,
    listeners: Listeners = NOBODY,
    keep: ForKeeps = NOT_KEPT,
) -> RunResult:
    """Trains and scores one network in `folder`, on the first fold. attention: as `read_layout` takes it. Goes on after an
    interruption."""
    refuse_train(source, folder, settings, attention=attention, seed=seed, keep=keep)
    settings = settle_precision(settings, folder, device)
    settings = replace(settings, split=replace(settings.split, test_folds=1))
    start = None if keep.start_from is None else find_start(keep.start_from, folder)
    ground = lay_groundwork(source, settings, seed, device, listeners, all_data=keep.all_data)
    layout = read_layout(attention, ground.config, settings, listeners.tell)
    config = replace(ground.config, attention=layout, all_data=keep.all_data, start_from=start.config if start else None)
    network = build_network(config)
    if start:
        check_start(start, config, network, listeners.tell)
        tell_of_learned(start, {name: ground.case_digests[name] for name in ground.split.test}, listeners.tell)
    plan = RunPlan(
        arm=attention,
        config=config,
        split=ground.split,
        folder=folder,
        device=device,
        cache_mib=settings.data.cache_mib,
        groups=ground.groups,
        case_digests=ground.case_digests,
    )
    with hold_folder(folder, write_yaml(config)):
        claim_split(folder, ground, listeners.tell)
        forecast_run(plan, settings, listeners.tell)
        with listeners.watch("training one network", [plan]):
            execute(plan)
        result = read_result(folder)
        if keep.all_data:
            _quote_method(folder, attention)
        else:
            write_examples(folder, {"run": folder}, result, ground.case_digests, own_network=config.network.name)
        write_run_card(folder, config, result, cases=len(ground.split.train))
    return result


def _quote_method(folder: Path, attention: str) -> None:
    """Keeps what the job reached that the placement comes from, where it comes from one."""
    method = find_method(Path(attention)) if attention not in ("none", "all", *GATES) else None
    if method is not None:
        write_record(folder / METHOD, method)


def read_layout(attention: str, base: RunConfig, settings: Settings, tell: Tell) -> dict[str, str]:
    """Kind of gate by site from `none`, `all`, a kind of gate, or the path of a placement.json."""
    if attention == "none":
        return {}
    if attention == "all":
        return plan_attention(base, settings.gates, tell)[0]
    if attention in GATES:
        return plan_single_kind(base, attention, tell)
    placement = read_placement(Path(attention))
    if remark := compare_levels(placement, [site.name for site in find_candidates(base, build_host(base.network))]):
        tell(remark)
    return placement.layout
