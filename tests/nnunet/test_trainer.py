"""The trainer for nnU-Net on a stand-in of the trainer that it derives from, with its hooks in the order nnU-Net calls them.

benchmarks/nnunet_factory.py runs it in nnU-Net itself.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.attachment import attention_sites, filled_sites
from focalseg.hosts.gammas import gamma_parameters
from focalseg.nnunet import TRAINERS
from focalseg.placement.decision import decide
from focalseg.records.evidence import Evidence
from focalseg.records.record import read_record
from nnunet.architectures import build_as_nnunet, describe

pytestmark = pytest.mark.slow

HOME = "nnunetv2.training.nnUNetTrainer.nnUNetTrainer"
PATCH = (16, 8)


class Cases:
    """Two prepared cases of one slice."""

    identifiers = ("one", "two")

    def load_case(self, identifier: str) -> tuple[Any, Any, None, dict[str, Any]]:
        random = np.random.default_rng(self.identifiers.index(identifier))
        image = random.normal(size=(2, 1, 20, 10)).astype(np.float32)
        return image, (image[:1] > 0.5).astype(np.int8), None, {}


class Scheduler:
    """Sets the rate of every group, as nnU-Net's PolyLRScheduler does."""

    def __init__(self, optimiser: torch.optim.Optimizer) -> None:
        self.optimiser = optimiser

    def step(self, epoch: int) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = 0.01 / (1 + epoch)


class StandIn:
    """What nnUNetTrainer of release 2.8.1 has, as far as a trainer that derives from it meets it."""

    def __init__(self, folder: Path, *, regions: bool = False) -> None:
        self.is_ddp, self.is_cascaded, self.fold, self.device = False, False, 3, torch.device("cpu")
        self.label_manager = SimpleNamespace(has_regions=regions, ignore_label=None)
        self.configuration_manager = SimpleNamespace(patch_size=list(PATCH))
        self.initial_lr, self.weight_decay, self.current_epoch = 0.01, 3e-5, 0
        self.num_epochs, self.num_iterations_per_epoch = 2, 5
        self.output_folder, self.told = str(folder), list[str]()

    def initialize(self) -> None:
        self.network = self.build_network_architecture(None, self.configuration_manager, 2, 3, True)
        self.optimizer, self.lr_scheduler = self.configure_optimizers()

    @staticmethod
    def build_network_architecture(
        _plans: Any, _configuration: Any, inputs: int, outputs: int, deep_supervision: bool = True
    ) -> nn.Module:
        architecture = describe("PlainConvUNet", 2)
        return build_as_nnunet(architecture, inputs=inputs, outputs=outputs, deep_supervision=deep_supervision)

    def configure_optimizers(self) -> tuple[Any, Any]:
        optimiser = torch.optim.SGD(self.network.parameters(), 0.01, weight_decay=3e-5, momentum=0.99, nesterov=True)
        return optimiser, Scheduler(optimiser)

    def on_train_epoch_start(self) -> None:
        self.network.train()
        self.lr_scheduler.step(self.current_epoch)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        self.optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.network(batch["data"])[0], batch["target"])
        loss.backward()
        self.acting.append([site.stand_in is None for site in attention_sites(self.network).values()])
        self.optimizer.step()
        return {"loss": loss.detach()}

    def on_validation_epoch_start(self) -> None:
        self.network.eval()

    def on_train_end(self) -> None:
        self.told.append("saved")

    def run_training(self) -> None:
        self.acting: list[list[bool]] = []
        image = torch.randn(2, 2, *PATCH, generator=torch.Generator().manual_seed(0))
        for epoch in range(self.num_epochs):
            self.current_epoch = epoch
            self.on_train_epoch_start()
            for _ in range(self.num_iterations_per_epoch):
                self.train_step({"data": image, "target": (image[:, 0] > 0.5).long()})
            self.on_validation_epoch_start()
        self.on_train_end()

    def get_tr_and_val_datasets(self) -> tuple[Cases, Cases]:
        return Cases(), Cases()

    def perform_actual_validation(self, _save_probabilities: bool = False) -> None:
        self.told.append("validated")

    def print_to_log_file(self, *words: Any) -> None:
        self.told.append(" ".join(map(str, words)))


@pytest.fixture
def trainer_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class in the file, found as nnU-Net finds it: by the name of the file, from its folder."""
    names = [".".join(HOME.split(".")[: count + 1]) for count in range(4)]
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[HOME].nnUNetTrainer = StandIn  # type: ignore[attr-defined]
    monkeypatch.syspath_prepend(str(TRAINERS))
    yield import_module("nnUNetTrainerFocal").nnUNetTrainerFocal
    sys.modules.pop("nnUNetTrainerFocal", None)


def test_a_search_leaves_sites_out_keeps_exponents_and_writes_evidence(trainer_class: Any, tmp_path: Path) -> None:
    trainer = trainer_class(tmp_path)
    trainer.initialize()
    assert {gate for _, gate in filled_sites(trainer.network).values()} == {"se", "ag"}
    assert trainer._do_i_compile() is False
    trainer.run_training()
    assert all(all(acting) for acting in trainer.acting[:4])  # two fifths of ten steps
    assert not all(all(acting) for acting in trainer.acting[4:])
    assert all(site.stand_in is None for site in attention_sites(trainer.network).values())
    assert [group["lr"] for group in trainer.optimizer.param_groups] == [0.005, 0.05]
    assert all(gamma >= 0 for gamma in gamma_parameters(trainer.network))
    assert any(gamma != 1 for gamma in gamma_parameters(trainer.network))
    trainer.perform_actual_validation()
    evidence = read_record(Evidence, tmp_path / "evidence.json")
    assert (evidence.exponents, evidence.groups) == ("dropout", ("one", "two"))
    assert [site.site for site in evidence.sites] == list(filled_sites(trainer.network))
    assert decide(evidence).policy == "removal"
    assert trainer.told.index("saved") < trainer.told.index("validated")
    assert trainer.network.decoder.deep_supervision


def test_the_fold_and_the_step_decide_what_is_left_out_so_that_a_resumed_search_draws_the_same(
    trainer_class: Any, tmp_path: Path
) -> None:
    whole, resumed = trainer_class(tmp_path), trainer_class(tmp_path)
    for trainer in (whole, resumed):
        trainer.initialize()
    whole.run_training()
    resumed.current_epoch, resumed.acting = 1, []
    resumed.on_train_epoch_start()
    image = torch.zeros(2, 2, *PATCH)
    for _ in range(5):
        resumed.train_step({"data": image, "target": (image[:, 0] > 0.5).long()})
    assert resumed.acting == whole.acting[5:]


def test_inference_builds_the_same_sites_by_the_class_and_a_derived_class_other_gates(trainer_class: Any) -> None:
    manager = SimpleNamespace(patch_size=list(PATCH))
    network = trainer_class.build_network_architecture(None, manager, 2, 3, enable_deep_supervision=False)
    assert network(torch.zeros(1, 2, *PATCH)).shape == (1, 3, *PATCH)
    derived = type("Derived", (trainer_class,), {"focal_gates": ("cbam",)})
    other = derived.build_network_architecture(None, manager, 2, 3, False)
    assert {gate for _, gate in filled_sites(other).values()} == {"cbam"}


def test_regions_are_refused(trainer_class: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as raised:
        trainer_class(tmp_path, regions=True).initialize()
    assert str(raised.value) == "nnUNetTrainerFocal was given regions; expected labels, one GPU and no cascade."
