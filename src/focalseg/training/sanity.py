"""Whether a training still computes with numbers that mean something, and which setting to look at where it does not."""

from torch import nn

from focalseg.errors import SettingError
from focalseg.training.run import RunConfig

MOST_WEIGHT = 1e8
"""Beyond it a weight is an accident: a step of 1, the highest learning rate, would have to be taken a hundred million times."""


_STATISTICS = ("running_mean", "running_var")


def check_weights(network: nn.Module, config: RunConfig, where: str) -> None:
    """Raises SettingError for a trained weight that is not finite or past all use, and for such statistics of a norm.

    What does not train is let be: a mask may well hold infinity. where: the step and the folder, for the message.
    """
    for name, tensor in network.state_dict(keep_vars=True).items():
        if not (tensor.requires_grad or name.endswith(_STATISTICS)) or not tensor.numel():
            continue
        largest = float(tensor.detach().abs().max())  # nan where one is nan
        finite = largest - largest == 0
        if not finite or (tensor.requires_grad and largest > MOST_WEIGHT):
            expected = f"at most {MOST_WEIGHT:g}" if finite else "a finite number"
            raise SettingError(
                f"A number in {name} became {largest:g} {where}; expected {expected}. {advise(config)} and run again in a new "
                "folder."
            )


def advise(config: RunConfig) -> str:
    """`Lower training.learning_rate`, or the settings that are far above what is usual."""
    training, loss, augmentation = config.training, config.loss, config.training.augmentation
    found = {
        "training.learning_rate": training.learning_rate > 0.1,
        "training.gamma_learning_rate_factor": training.gamma_learning_rate_factor > 100,
        "training.weight_decay": training.weight_decay > 1,
        "loss.boundary_weight": loss.boundary_weight > 100,
        "loss.class_weights": max(loss.class_weights or (0.0,)) > 100,
        "training.augmentation.brightness": augmentation.brightness > 10,
        "training.augmentation.noise": augmentation.noise > 10,
        "training.augmentation.power_law": augmentation.power_law > 5,
    }
    suspects = [name for name, far_out in found.items() if far_out] or ["training.learning_rate"]
    return f"Lower {' and '.join(suspects)}"
