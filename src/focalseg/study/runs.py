"""One run from its plan to its files: training, scores of every case, evidence."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from focalseg.configuration import from_mapping
from focalseg.data.case import Case
from focalseg.data.reading import read_dataset
from focalseg.data.splits import Split
from focalseg.errors import DataError, Interrupted, SettingError
from focalseg.evaluation.metrics import measure_labels
from focalseg.files import write_text, write_whole
from focalseg.inference.prediction import predict_mask
from focalseg.networks.state import read_state, read_state_file, write_state
from focalseg.placement.costs import count_flops, count_parameters, measure_costs
from focalseg.placement.evidence import Evidence, SiteEvidence, gather_evidence
from focalseg.placement.gammas import read_gammas
from focalseg.placement.sites import attention_sites
from focalseg.study.output import CONFIG, claim_folder
from focalseg.study.scores import CaseScore, format_scores, read_scores
from focalseg.study.stopping import STOP
from focalseg.training.loop import Run, StopRequested, TrainingData, train
from focalseg.training.run import Device, RunConfig, build_network
from focalseg.yaml_files import read_yaml, write_yaml

CASES, WEIGHTS, RESULT = "cases.csv", "model.safetensors", "result.json"
EVIDENCE, COSTS = "evidence.json", "costs.json"
NORM_BATCHES = 8


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """A run, the split it trains on and the folder it fills. arm: its name in a comparison."""

    arm: str
    config: RunConfig
    split: Split
    folder: Path
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a finished run cost and scored. flops: multiply-adds counted as two, one image forward. seconds: training alone."""

    modules: int
    parameters: int
    flops: int
    seconds: float
    scores: tuple[CaseScore, ...]

    @property
    def collapsed(self) -> bool:
        """Whether the network predicts nothing at all on validation cases that do hold something."""
        scores = self.scores_of("validation")
        return any(score.true_pixels for score in scores) and not any(score.predicted_pixels for score in scores)

    def scores_of(self, part: str) -> tuple[CaseScore, ...]:
        """Scores of the validation or the test cases, in the order of the split."""
        return tuple(score for score in self.scores if score.part == part)


def execute(plan: RunPlan) -> None:
    """Trains, scores and writes the files of a run; whatever of it is already there is not done again.

    Raises Interrupted, with the state saved, when a stop was asked for, and SettingError for a folder of another run.
    """
    claim_folder(plan.folder, write_yaml(plan.config))
    if (plan.folder / RESULT).exists():
        return
    with STOP.deferring():
        try:
            run = train(plan.config, load_training_data(plan), plan.folder, device=plan.device, should_stop=STOP.is_requested)
        except StopRequested:
            raise Interrupted(STOP.requested) from None
    if STOP.is_requested():
        raise Interrupted(STOP.requested)
    network = run.network
    write_whole(plan.folder / WEIGHTS, lambda file: file.write(save(read_state(network))))
    scores = score_at_full_size(plan, network)
    write_text(plan.folder / CASES, format_scores(scores))
    if attention_sites(network):
        write_text(plan.folder / EVIDENCE, json.dumps(asdict(collect_evidence(run)), indent=1))
        costs = measure_costs(network, plan.config.image_shape)
        write_text(plan.folder / COSTS, json.dumps(asdict(costs), indent=1) + "\n")
    image = torch.zeros(1, *plan.config.image_shape, device=next(network.parameters()).device)
    result = {
        "modules": len(attention_sites(network)),
        "parameters": count_parameters(network),
        "flops": count_flops(network.eval(), image),
        "seconds": round(run.seconds, 2),
    }
    write_text(plan.folder / RESULT, json.dumps(result, indent=2) + "\n")


class Cases(dict[str, Case]):
    """Every case of a data set by name. labels: names of its foreground labels."""

    def __init__(self, cases: Mapping[str, Case], labels: Sequence[str]) -> None:
        super().__init__(cases)
        self.labels = tuple(labels)


@lru_cache(maxsize=1)
def read_cases(source: str) -> Cases:
    """Every case of a data set by name. Raises DataError with a line for each fault, and SettingError for no such data set."""
    dataset = read_dataset(source)
    cases: dict[str, Case] = {}
    faults: list[str] = []
    for number, name in enumerate(dataset.names):
        try:
            cases[name] = dataset.read_case(number)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return Cases(cases, dataset.labels)


def load_training_data(plan: RunPlan) -> TrainingData:
    """Prepared tensors of the training and validation cases."""
    cases, preparation = read_cases(plan.config.data), plan.config.preparation

    def stack(names: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.stack([preparation.prepare_image(cases[name].image) for name in names])
        return images, torch.stack([preparation.prepare_mask(cases[name].mask) for name in names])

    train_images, train_masks = stack(plan.split.train)
    validation_images, validation_masks = stack(plan.split.validation)
    return TrainingData(
        train_images=train_images,
        train_masks=train_masks,
        validation_images=validation_images,
        validation_masks=validation_masks,
    )


def score_at_full_size(plan: RunPlan, network: nn.Module) -> list[CaseScore]:
    """Scores of all validation and test cases. Test cases decide nothing afterwards."""
    cases, labels = read_cases(plan.config.data), plan.config.labels
    scores = []
    for part, names in (("validation", plan.split.validation), ("test", plan.split.test)):
        for name in names:
            predicted = predict_mask(network, plan.config.preparation, cases[name].image)
            overlaps = measure_labels(predicted, cases[name].mask, len(labels))
            by_label = dict(zip(labels, overlaps, strict=True))
            scores.append(CaseScore(case=name, group=cases[name].group, part=part, overlaps=by_label))
    return scores


def collect_evidence(run: Run) -> Evidence:
    """Evidence on the validation cases, norms estimated on training cases spread evenly over all groups."""
    data = run.data
    count = min(NORM_BATCHES * run.config.training.batch_size, len(data.train_images))
    spread = torch.linspace(0, len(data.train_images) - 1, count).round().long()
    norm_batches = run.batches(data.train_images[spread], data.train_masks[spread])
    return gather_evidence(run.network, run.batches(data.validation_images, data.validation_masks), norm_batches=norm_batches)


def read_result(folder: Path) -> RunResult:
    """What `execute` wrote."""
    content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return RunResult(**content, scores=read_scores(folder / CASES))


def read_evidence(folder: Path) -> Evidence:
    """Evidence of a run with attention."""
    content: dict[str, Any] = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
    return Evidence(
        sites=tuple(SiteEvidence(**{**record, "case_costs": tuple(record["case_costs"])}) for record in content["sites"])
    )


def read_costs(folder: Path) -> dict[str, Any]:
    """What the sites of a run with attention cost, as `measure_costs` found it."""
    content: dict[str, Any] = json.loads((folder / COSTS).read_text(encoding="utf-8"))
    return content


def load_network(folder: Path, *, own_network: str = "") -> tuple[RunConfig, nn.Module]:
    """The trained network of a run folder, on the CPU and in evaluation mode, with its config; raises as rebuild_network."""
    return rebuild_network(read_yaml(folder / CONFIG), folder / WEIGHTS, own_network=own_network)


def rebuild_network(settings: dict[str, Any], weights: Path, *, own_network: str = "") -> tuple[RunConfig, nn.Module]:
    """The network that a run's settings describe, with its weights.

    own_network: `package.module:function`, where the run has a network of the person's own. A file alone does not make us
    import anything: raises SettingError unless both name the same.
    """
    config = from_mapping(RunConfig, settings)
    if not config.network.built_in and config.network.name != own_network:
        raise SettingError(
            f"{weights.parent} has the network {config.network.name!r}, no part of focalseg; loading it would run that "
            f"function. Say that you trust it with own_network={config.network.name!r}."
        )
    network = build_network(config)
    write_state(network, read_state_file(weights), weights)
    for name, gamma in read_gammas(network).items():
        if not 0 <= gamma < float("inf"):
            raise SettingError(f"{weights} has gamma {gamma} at {name}; expected a finite number at least 0. Restore the file.")
    return config, network.eval()


def dice_matrix(results: Sequence[RunResult], part: str) -> np.ndarray:
    """Dice (trainings, cases) of one part."""
    return np.array([[score.dice for score in result.scores_of(part)] for result in results])
