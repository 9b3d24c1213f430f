"""Saving and loading what was added to a network, and nothing of the host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from focalseg.attention.focal_site import AnySite, FocalSite
from focalseg.errors import SettingError, ShapeError, SiteError
from focalseg.files import write_whole
from focalseg.hosts.attachment import attach, occupied_sites, unwrap_to_fill
from focalseg.hosts.instrument import build_site
from focalseg.hosts.ports import Port
from focalseg.hosts.presence.container import CONTAINER, escape, find_container, take_trained_under
from focalseg.hosts.site import Site
from focalseg.hosts.tracing import guess_image_shape, trace
from focalseg.networks.state import read_state_file
from focalseg.records.record import Record, read_record, write_record
from focalseg.records.seals import hash_file

ATTENTION, WEIGHTS = "attention.json", "attention.safetensors"


@dataclass(frozen=True, kw_only=True)
class SavedSite:
    """One gate, where it stands, and whether its logits are standardised."""

    gate: str
    standardise: bool
    site: Site


@dataclass(frozen=True, kw_only=True)
class SavedAttention(Record):
    """attention.json: what was added to a network, of which attention.safetensors has the tensors.

    sha256: of that file; empty where the version that wrote it kept none.
    """

    made_by = "save_attention"
    again = "save it anew"

    schema: int = 1
    sites: tuple[SavedSite, ...]
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.sites or len({saved.site.name for saved in self.sites}) < len(self.sites):
            raise SettingError("sites has no site, or one twice; expected each site once.")


def save_attention(network: nn.Module, folder: str | Path) -> None:
    """Writes attention.json (sites and gates, and which skips are shut) and attention.safetensors (weights and gammas).

    Raises SiteError where nothing was added.

    >>> import focalseg, pathlib, tempfile
    >>> network = focalseg.UNet(widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     focalseg.save_attention(network, folder)
    ...     sorted(file.name for file in pathlib.Path(folder).iterdir())
    ['attention.json', 'attention.safetensors']
    """
    container = find_container(network)
    if container is None:
        raise SiteError(
            "The network has no attention to save; call instrument(network) first. Where a placement kept no site, the network "
            "is the plain one: save its weights as before."
        )
    saved = [
        SavedSite(
            gate=container.gates[name],
            standardise=bool(getattr(getattr(module, "gate", None), "standardise", False)),
            site=container.sites[name],
        )
        for name, module in container.standing().items()
    ]
    named = container.state_dict(prefix=f"{CONTAINER}.")  # as in the network's own state dict
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
    folder = Path(folder)
    write_whole(folder / WEIGHTS, lambda file: file.write(save(state)))
    write_record(folder / ATTENTION, SavedAttention(sites=tuple(saved), sha256=hash_file(folder / WEIGHTS)))


def load_attention(network: nn.Module, folder: str | Path) -> None:
    """Puts what `save_attention` wrote into a plain network of the same architecture, in place.

    Executes nothing that the files hold. Raises SettingError for a file that is missing, damaged or of another kind, and
    SiteError for places that the network does not have or where attention stands; a call that raises leaves it as it was.

    >>> import copy, focalseg, tempfile, torch
    >>> plain = focalseg.UNet(widths=(8, 16)).eval()
    >>> network, image = copy.deepcopy(plain), torch.rand(1, 3, 8, 8)
    >>> touched = focalseg.instrument(network)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     focalseg.save_attention(network, folder)
    ...     focalseg.load_attention(plain, folder)
    >>> torch.equal(plain(image), network(image))
    True
    """
    network, folder = unwrap_to_fill(network), Path(folder)
    if occupied := occupied_sites(network):
        raise SiteError(f"Attention already stands at {', '.join(occupied)}; take it out first.")
    record = read_record(SavedAttention, folder / ATTENTION)
    saved, state = record.sites, read_state_file(folder / WEIGHTS, sha256=record.sha256)
    trained_under = take_trained_under(state, f"{CONTAINER}.")
    built: dict[str, tuple[Site, str, AnySite]] = {}
    for one in saved:
        for port in one.site.ports:
            port.resolve(network)
        prefix = f"{CONTAINER}.{escape(one.site.name)}."
        part = {name.removeprefix(prefix): state.pop(name) for name in list(state) if name.startswith(prefix)}
        built[one.site.name] = (one.site, one.gate, _rebuild(one, part, folder))
    if state:
        raise _misfit(folder)
    _check_channels(network, [one.site for one in saved], folder)
    attach(network, built, list(built))
    if (container := find_container(network)) is not None:
        container.trained_under = trained_under


def _check_channels(network: nn.Module, saved: Sequence[Site], folder: Path) -> None:
    """Raises SiteError where the network has other numbers of channels than the network that was saved."""
    ports = {text: Port.parse(text) for site in saved for text in (site.features, site.signal) if text}
    try:
        passed = trace(network, ports.values(), guess_image_shape(network))
    except ShapeError:
        return  # it takes no such image, and what it takes is not known here
    for site in saved:
        for text, expected in ((site.features, site.shape.channels), (site.signal, site.shape.gating_channels)):
            shapes = passed[ports[text]].shapes if text else []
            if shapes and shapes[0][1] != expected:
                raise SiteError(
                    f"{shapes[0][1]} channels pass at {text} and {folder / ATTENTION} was saved where {expected} did; "
                    "expected a network of the same architecture."
                )


def _rebuild(saved: SavedSite, state: Mapping[str, Tensor], folder: Path) -> AnySite:
    """The site with the tensors of the file."""
    # Made on the meta device, which takes no memory, whatever size a hostile record claims; the tensors are then assigned.
    try:
        with torch.device("meta"):
            module = build_site(saved.gate, saved.site, standardise=saved.standardise)
        module.load_state_dict(dict(state), assign=True)
    except (ArithmeticError, KeyError, RuntimeError, TypeError) as error:
        raise _misfit(folder) from error
    gamma = float(module.gamma.detach()) if isinstance(module, FocalSite) else 0.0
    if not 0 <= gamma < float("inf"):
        raise SettingError(
            f"{folder / WEIGHTS} has gamma {gamma} for {saved.site.name}; expected a finite number at least 0. Save them again."
        )
    return module


def _misfit(folder: Path) -> SettingError:
    return SettingError(
        f"{folder / WEIGHTS} does not hold the weights that {ATTENTION} describes; expected both files of one network. "
        "Save them again."
    )
