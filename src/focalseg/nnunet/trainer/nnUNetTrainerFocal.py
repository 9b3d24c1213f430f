"""nnU-Net's trainer with every site filled, so that its trainings tell which sites they need: `-tr nnUNetTrainerFocal`.

nnU-Net (2.8 or newer) finds it in the folders of its environment variable nnUNet_extTrainer. It trains as the stock trainer
does, but that sites are left out at random after two fifths of the steps, that exponents have a rate of their own and no decay,
and that nothing is compiled. After nnU-Net's own validation it writes `evidence.json` into the folder of the fold.
"""

from pathlib import Path
from typing import Any

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # type: ignore[import-not-found]
from torch import nn

from focalseg.errors import SettingError
from focalseg.hosts.gammas import read_gammas
from focalseg.nnunet.search import PreparedCases, fill_everywhere, group_parameters, restore_rates, witness
from focalseg.placement.exponents import REGIMES
from focalseg.records.evidence import EVIDENCE
from focalseg.records.record import write_record


class nnUNetTrainerFocal(nnUNetTrainer):  # type: ignore[misc]  # noqa: N801 - the name is what nnU-Net looks for
    """The stock trainer, with gates at all sites, site dropout and evidence at the end. For another kind of gate derive from it
    and set `focal_gates`."""

    focal_gates = ("se", "ag")

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: Any,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The network of the plans with a gate at every site; nnU-Net's inference calls this as well."""
        network: nn.Module = super().build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        fill_everywhere(network, (num_input_channels, *configuration_manager.patch_size), cls.focal_gates)
        return network

    def initialize(self) -> None:
        """As nnU-Net's. Raises SettingError for what the search is not made for."""
        found = "several GPUs" if self.is_ddp else "regions" if self.label_manager.has_regions else ""
        found = found or ("a cascade" if self.is_cascaded else "")
        if found:
            raise SettingError(f"nnUNetTrainerFocal was given {found}; expected labels, one GPU and no cascade.")
        super().initialize()
        steps = self.num_epochs * self.num_iterations_per_epoch
        self.site_dropout = REGIMES["dropout"](self.network, steps=steps, seed=self.fold if isinstance(self.fold, int) else 0)

    def _do_i_compile(self) -> bool:
        return False  # every new set of acting sites would compile anew

    def configure_optimizers(self) -> tuple[Any, Any]:
        """nnU-Net's optimiser and scheduler, with a group of its own for the exponents."""
        optimiser, scheduler = super().configure_optimizers()
        groups = group_parameters(self.network, learning_rate=self.initial_lr, weight_decay=self.weight_decay)
        optimiser.param_groups.clear()
        for group in groups:
            optimiser.add_param_group(group)
        return optimiser, scheduler

    def on_train_epoch_start(self) -> None:
        """Begins an epoch; its first step follows from how many there were."""
        super().on_train_epoch_start()
        restore_rates(self.optimizer)
        self.step = self.current_epoch * self.num_iterations_per_epoch

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A step in which some sites are left out."""
        self.site_dropout.begin_step(self.step)
        done: dict[str, Any] = super().train_step(batch)
        self.site_dropout.end_step(self.step, self.optimizer)
        self.step += 1
        return done

    def on_validation_epoch_start(self) -> None:
        """Lets every site act."""
        super().on_validation_epoch_start()
        self.site_dropout.begin_validation()

    def on_train_end(self) -> None:
        """Lets every site act from now on, and tells the exponents."""
        self.site_dropout.finish()
        self.print_to_log_file("exponents:", read_gammas(self.network))
        super().on_train_end()

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """nnU-Net's validation, and then the evidence on the same cases."""
        super().perform_actual_validation(save_probabilities)
        self.site_dropout.begin_validation()
        training, validation = (
            PreparedCases(cases, cases.identifiers, window=self.configuration_manager.patch_size, device=self.device)
            for cases in self.get_tr_and_val_datasets()
        )
        evidence = witness(
            self.network, validation, training, ignore_index=self.label_manager.ignore_label, tell=self.print_to_log_file
        )
        write_record(Path(self.output_folder) / EVIDENCE, evidence)
        self.print_to_log_file(f"evidence on {len(evidence.sites)} sites: {Path(self.output_folder) / EVIDENCE}")
