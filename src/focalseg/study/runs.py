"""One run from its plan to its files: training, scores of every case, evidence."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from focalseg.configuration import from_mapping
from focalseg.data.case import Case
from focalseg.data.reading import read_dataset
from focalseg.data.splits import Split
from focalseg.errors import DataError, Interrupted
from focalseg.evaluation.metrics import Overlap, measure_overlap
from focalseg.files import write_text, write_whole
from focalseg.inference.prediction import predict_mask
from focalseg.placement.evidence import Evidence, SiteEvidence, gather_evidence
from focalseg.placement.sites import attention_sites
from focalseg.study.output import CONFIG, claim_folder
from focalseg.study.stopping import STOP
from focalseg.training.loop import Run, StopRequested, TrainingData, train
from focalseg.training.run import Device, RunConfig, build_network
from focalseg.yaml_files import read_yaml, write_yaml

CASES, WEIGHTS, RESULT, EVIDENCE = "cases.csv", "model.safetensors", "result.json", "evidence.json"
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
class CaseScore:
    """Overlap of one case of the validation or test part, at the case's own resolution."""

    case: str
    group: str
    part: str
    overlap: Overlap


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
        overlaps = [score.overlap for score in self.scores_of("validation")]
        return any(one.true_pixels for one in overlaps) and not any(one.predicted_pixels for one in overlaps)

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
    write_whole(plan.folder / WEIGHTS, lambda file: file.write(save(_plain_state(network))))
    scores = score_at_full_size(plan, network)
    write_text(plan.folder / CASES, format_scores(scores))
    if attention_sites(network):
        write_text(plan.folder / EVIDENCE, json.dumps(asdict(collect_evidence(run)), indent=1))
    result = {
        "modules": len(attention_sites(network)),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "flops": count_flops(network, plan.config),
        "seconds": round(run.seconds, 2),
    }
    write_text(plan.folder / RESULT, json.dumps(result, indent=2) + "\n")


@lru_cache(maxsize=1)
def read_cases(source: str) -> dict[str, Case]:
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
    return cases


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
    cases = read_cases(plan.config.data)
    scores = []
    for part, names in (("validation", plan.split.validation), ("test", plan.split.test)):
        for name in names:
            predicted = predict_mask(network, plan.config.preparation, cases[name].image)
            overlap = measure_overlap(predicted, cases[name].mask)
            scores.append(CaseScore(case=name, group=cases[name].group, part=part, overlap=overlap))
    return scores


def collect_evidence(run: Run) -> Evidence:
    """Evidence on the validation cases, norms estimated on training cases spread evenly over all groups."""
    data = run.data
    count = min(NORM_BATCHES * run.config.training.batch_size, len(data.train_images))
    spread = torch.linspace(0, len(data.train_images) - 1, count).round().long()
    norm_batches = run.batches(data.train_images[spread], data.train_masks[spread])
    return gather_evidence(run.network, run.batches(data.validation_images, data.validation_masks), norm_batches=norm_batches)


def count_flops(network: nn.Module, config: RunConfig) -> int:
    """Floating-point operations of one image forward, convolutions and matrix products."""
    preparation, device = config.preparation, next(network.parameters()).device
    image = torch.zeros(1, config.network.in_channels, preparation.height, preparation.width, device=device)
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return int(counter.get_total_flops())


def format_scores(scores: Sequence[CaseScore]) -> str:
    """Scores as CSV text."""
    text = io.StringIO()
    columns = ["case", "group", "part", *Overlap.__dataclass_fields__]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for score in scores:
        numbers = {name: f"{value:.6f}" if isinstance(value, float) else value for name, value in asdict(score.overlap).items()}
        writer.writerow({"case": score.case, "group": score.group, "part": score.part, **numbers})
    return text.getvalue()


def read_scores(path: Path) -> tuple[CaseScore, ...]:
    """Scores from the CSV file of a run."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {name: field.type for name, field in Overlap.__dataclass_fields__.items()}
    return tuple(
        CaseScore(
            case=row["case"],
            group=row["group"],
            part=row["part"],
            overlap=Overlap(**{name: (float if kind is float else int)(row[name]) for name, kind in kinds.items()}),  # type: ignore[arg-type]
        )
        for row in rows
    )


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


def load_network(folder: Path) -> tuple[RunConfig, nn.Module]:
    """The trained network of a run folder, on the CPU and in evaluation mode, with its config."""
    return rebuild_network(read_yaml(folder / CONFIG), folder / WEIGHTS)


def rebuild_network(settings: dict[str, Any], weights: Path) -> tuple[RunConfig, nn.Module]:
    """The network that a run's settings describe, with its weights."""
    config = from_mapping(RunConfig, settings)
    network = build_network(config)
    network.load_state_dict(load_file(weights))
    return config, network.eval()


def dice_matrix(results: Sequence[RunResult], part: str) -> np.ndarray:
    """Dice (trainings, cases) of one part."""
    return np.array([[score.overlap.dice for score in result.scores_of(part)] for result in results])


def _plain_state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
