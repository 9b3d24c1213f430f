"""The tensors of a network as a file holds them: each once, however many names the network has for it."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from focalseg.errors import SettingError
from focalseg.records.seals import check_digest


def read_state(network: nn.Module) -> dict[str, Tensor]:
    """Every tensor of the state dict under the first of its names, on the CPU: MONAI's DynUNet holds its blocks twice."""
    first_names: dict[int, str] = {}
    state = network.state_dict(keep_vars=True)
    for name, tensor in state.items():
        first_names.setdefault(id(tensor), name)
    taken: set[int] = set()
    whole: dict[str, Tensor] = {}
    for name in first_names.values():
        tensor = state[name].detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        # Two tensors that only share memory are copied: a safetensors file holds each by itself and refuses shared memory.
        whole[name] = tensor.clone() if memory in taken else tensor
        taken.add(memory)
    return whole


def read_state_file(path: Path, *, sha256: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file. sha256: its digest, where one was kept. Executes nothing. Raises SettingError for a
    file that is missing or damaged."""
    if sha256:
        check_digest(path, sha256, "restore the file, or save it anew")
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise SettingError(f"No file {path}; expected weights as focalseg saved them. Restore the file.") from error
    except (OSError, ValueError, SafetensorError) as error:
        raise SettingError(
            f"{path} cannot be read ({type(error).__name__}); expected weights as focalseg saved them. Restore the file."
        ) from error


def write_state(network: nn.Module, state: Mapping[str, Tensor], source: object) -> None:
    """Puts the tensors into the network, in place. Raises SettingError, naming the source, where they do not fit it."""
    expected = read_state(network)
    fitting = expected.keys() == state.keys() and all(state[name].shape == tensor.shape for name, tensor in expected.items())
    if not fitting:
        missing, foreign = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
        example = (missing or foreign or ["a tensor of another shape"])[0]
        raise SettingError(
            f"{source} does not hold the weights of this network ({len(missing)} missing, {len(foreign)} foreign, such as "
            f"{example}); expected the file that was saved with its config."
        )
    network.load_state_dict(dict(state), strict=False)
