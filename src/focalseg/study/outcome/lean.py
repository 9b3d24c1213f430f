"""The lean network as a folder to take away: weights, what builds the network, and a model card."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from focalseg.configuration import from_mapping, to_mapping
from focalseg.evaluation.verdict import Verdict
from focalseg.files import write_whole
from focalseg.findings import counted
from focalseg.inference.folders import LEAN_CONFIG, TUNED_THRESHOLD, WEIGHTS_DIGEST
from focalseg.labels import THRESHOLD
from focalseg.records.outcome.strata import LEFT_EMPTY, MISSED, WITH_OBJECT, Stratum
from focalseg.records.placement import PLACED, ArmSummary
from focalseg.records.record import write_json
from focalseg.records.result import WEIGHTS
from focalseg.records.seals import hash_file
from focalseg.records.site_decision import SiteDecision
from focalseg.study.outcome.card import Card, write_card
from focalseg.study.outcome.wording import describe_verdict
from focalseg.study.running.folder import read_config
from focalseg.training.run import RunConfig


def write_lean(
    folder: Path,
    run: Path,
    verdict: Verdict,
    arm: ArmSummary,
    parameters: int,
    *,
    threshold: float | None = None,
    sites: Sequence[SiteDecision] = (),
    strata: Mapping[str, Stratum] = MappingProxyType({}),
) -> None:
    """Copies a run's network, of that arm and with so many parameters, into a folder with `model.safetensors`, `config.json`
    and `README.md`. threshold: tuned on its validation cases; None where it was scored at 0.5 alone. sites: what was decided on
    each, of which the card gives the reasons for those that the network has. strata: what the arms reach on each kind of case,
    of which the card gives what was placed."""
    config = from_mapping(RunConfig, read_config(run))
    with (run / WEIGHTS).open("rb") as weights:
        write_whole(folder / WEIGHTS, lambda file: shutil.copyfileobj(weights, file))
    tuned = {} if threshold is None else {TUNED_THRESHOLD: threshold}
    digest = {WEIGHTS_DIGEST: hash_file(folder / WEIGHTS)}
    write_json(folder / LEAN_CONFIG, {**to_mapping(config), **tuned, **digest}, indent=2)
    told = f"{arm.dice:.3f} (95 % interval {arm.low:.3f} to {arm.high:.3f}), {arm.cases} cases in {arm.groups} groups"
    trainings = counted(arm.trainings, "training") + (f" on each of {arm.folds} folds" if arm.folds > 1 else "")
    labels = {f"test Dice of {label}": dice for label, dice in arm.dice_per_label.items()} if len(config.labels) > 1 else {}
    card = Card(
        title=f"Lean network for {config.data}",
        lead=describe_verdict(verdict),
        note="The weights are of one training, the one with the best validation score; the test Dice is the mean over all.",
        rows=[
            ("test Dice", f"{told}, {trainings}"),
            *((name, f"{dice:.3f}") for name, dice in labels.items()),
            *_list_strata(strata),
            *([("test surfaces", str(arm.distances))] if arm.distances else []),
            *([("threshold", f"{THRESHOLD}; on its validation cases {threshold:g} was the best")] if tuned else []),
            ("parameters", f"{parameters:,}"),
            *((f"why {one.site}", one.why) for one in sites if one.site in config.attention),
        ],
        dice={"test Dice": arm.dice, **labels},
    )
    write_card(folder, config, card)


def _list_strata(strata: Mapping[str, Stratum]) -> Iterator[tuple[str, str]]:
    """What was placed reaches on images with the object and without, where there are both, and how many objects it misses."""
    titles = {MISSED: "objects missed altogether"}
    if LEFT_EMPTY in strata:
        titles = {WITH_OBJECT: "test Dice of images with the object"} | titles | {LEFT_EMPTY: "images without it left empty"}
    for name, title in titles.items():
        if name in strata and PLACED in strata[name].arms:
            found = strata[name].arms[PLACED]
            known = found.low is not None and found.high is not None
            interval = f" (95 % interval {found.low:.3f} to {found.high:.3f})" if known else ""
            yield title, f"{found.value:.3f}{interval}, {counted(found.cases, 'case')}"
