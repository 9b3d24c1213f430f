"""nnU-Net's plans with a placement in them: `nnUNetv2_train ... -p nnUNetPlans_focal` trains the placed network.

Of the plans only the architecture of a configuration and the name change, so that data which nnU-Net has preprocessed stay
in use. Plans are nnU-Net's since release 2.4: configurations > NAME > architecture, with network_class_name, arch_kwargs and
_kw_requires_import; a configuration without an architecture takes that of the one it inherits from.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from focalseg.catalogue import unknown_name_message
from focalseg.errors import FocalsegError, SettingError, SiteError
from focalseg.files import write_text
from focalseg.findings import counted, show_value
from focalseg.hosts.finding import sites
from focalseg.hosts.instrument import build_site
from focalseg.hosts.libraries.nnunet import FAMILY, build_nnunet
from focalseg.hosts.site import Site, count_levels, select_sites
from focalseg.nnunet.factory import BUILD
from focalseg.nnunet.placed import Placed, read_placed
from focalseg.records.record import read_json

SUFFIX = "_focal"
ALL = "all"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,100}")
_EXPECTED = "plans that nnUNetv2_plan_and_preprocess wrote, such as nnUNetPlans.json. Give that file."
_MOST_STAGES, _MOST_BLOCKS = 20, 100
_FAINT = 0.1
"""An exponent at which coefficients are so near to 1 that a gate that is fixed there hardly acts."""
_COUNTS = ("n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder")


def export_plans(model_folder: Path, plans: Path, out: Path, configurations: Sequence[str] | None = None) -> list[str]:
    """Writes OUT/NAME_focal.json, nnU-Net's plans NAME with a placement in them, and returns what a person should know of it.

    model_folder: the folder of a job, its folder `lean`, or a placement.json. configurations: those that get gates, such as
    2d; None or `all`: every one that has an architecture of its own. Raises SettingError, and SiteError for a site that a
    network of the plans does not have; nothing is written then.
    """
    return write_plans(plans, read_placed(model_folder), out, configurations)


def write_plans(plans: Path, placed: Placed, out: Path, configurations: Sequence[str] | None = None) -> list[str]:
    """As `export_plans`, for a placement that was read."""
    content = _read_plans(plans)
    known: dict[str, Any] = content["configurations"]
    chosen = _choose_configurations(plans, known, configurations)
    written, remarks = copy.deepcopy(content), list[str]()
    for name in chosen:
        merged = _resolve(plans, known, name)
        architecture, said = _place(f"{plans}, configuration {name}", name, merged, placed)
        written["configurations"][name]["architecture"] = architecture
        remarks += said
    followed = {name: _find_followed(plans, known, name, chosen) for name in known if name not in chosen}
    remarks += [f"{name} inherits from {parent} and gets the same gates." for name, parent in followed.items() if parent]
    if others := [name for name, parent in followed.items() if not parent]:
        remarks.append(f"Without gates: {', '.join(others)}.")
    written["plans_name"] = f"{content['plans_name']}{SUFFIX}"
    target = out / f"{written['plans_name']}.json"
    _refuse_foreign_file(target)
    write_text(target, json.dumps(written, indent=4) + "\n")
    remarks.append(
        f"Put {target.name} beside {content['plans_name']}.json in nnUNet_preprocessed, and train with `nnUNetv2_train DATASET "
        f"{chosen[0]} FOLD -p {written['plans_name']}`; data that were preprocessed stay in use. focalseg has to be installed "
        "where nnU-Net runs, in training and in prediction."
    )
    return remarks


def _read_plans(path: Path) -> dict[str, Any]:
    """The plans, whose name and configurations are what they should be."""
    content: Any = read_json(path, _EXPECTED)
    known = content.get("configurations") if isinstance(content, dict) else None
    if not isinstance(known, dict) or not known or not all(isinstance(one, dict) for one in known.values()):
        raise SettingError(f"{path} has no configurations by name; expected {_EXPECTED}")
    name = content.get("plans_name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(f"{path}: plans_name was {show_value(name)}; expected a name for a file, as in {_EXPECTED}")
    return dict(content)


def _choose_configurations(path: Path, known: Mapping[str, Any], wanted: Sequence[str] | None) -> list[str]:
    """Those that are to get gates, in the order of the plans."""
    if wanted is None or ALL in wanted:
        own = [name for name, one in known.items() if "architecture" in one or "inherits_from" not in one]
        return own or list(known)
    if not wanted:
        raise SettingError(f"No configuration was named; expected some of {', '.join(known)}, or {ALL}.")
    for name in wanted:
        if name not in known:
            raise SettingError(f"{path}: {unknown_name_message('configuration', name, known)}")
    return [name for name in known if name in wanted]


def _resolve(path: Path, known: Mapping[str, Any], name: str, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """A configuration with what it inherits, as nnU-Net resolves it."""
    if name in seen:
        raise SettingError(f"{path}: configuration {name} inherits from itself; expected {_EXPECTED}")
    one = known[name]
    parent = one.get("inherits_from")
    if parent is None:
        return dict(one)
    if not isinstance(parent, str) or parent not in known:
        raise SettingError(
            f"{path}: configuration {name} inherits from {show_value(parent)}, which is none; expected {_EXPECTED}"
        )
    return {**_resolve(path, known, parent, (*seen, name)), **one}


def _find_followed(path: Path, known: Mapping[str, Any], name: str, chosen: Sequence[str]) -> str:
    """That of the chosen configurations which another one has its architecture from; empty where it is none of them."""
    while "architecture" not in known[name] and "inherits_from" in known[name]:
        _resolve(path, known, name)
        name = known[name]["inherits_from"]
        if name in chosen:
            return name
    return ""


def _place(where: str, name: str, configuration: Mapping[str, Any], placed: Placed) -> tuple[dict[str, Any], list[str]]:
    """The architecture of a configuration with the gates in it, and the remarks on it. where: for messages."""
    architecture = configuration.get("architecture")
    if "UNet_class_name" in configuration and architecture is None:
        raise SettingError(
            f"{where} was planned by nnU-Net before 2.4 and names no architecture; expected plans of 2.4 or newer. "
            "Run nnUNetv2_plan_experiment -d DATASET again; the preprocessed data may stay."
        )
    architecture, kind = _check_architecture(where, architecture)
    arguments = architecture["arch_kwargs"]
    patch_size = configuration.get("patch_size")
    if not isinstance(patch_size, list) or not 1 <= len(patch_size) <= 3 or not all(map(_is_size, patch_size)):
        raise SettingError(f"{where}: patch_size was {show_value(patch_size)}; expected one to three lengths. {_EXPECTED}")
    candidates = _find_sites(where, kind, arguments, patch_size)
    _check_layout(where, name, candidates, placed)
    added = {
        "host": architecture["network_class_name"],
        "attention": dict(placed.layout),
        "gammas": dict(placed.gammas),
        "standardise_logits": placed.standardise,
        "patch_size": patch_size,
    }
    changed = {**architecture, "network_class_name": BUILD, "arch_kwargs": {**arguments, **added}}
    return changed, _remark(name, kind, candidates, placed)


def _check_architecture(where: str, architecture: Any) -> tuple[dict[str, Any], str]:
    """The architecture, and the name of its class. Raises SettingError for an architecture that is none of nnU-Net's."""
    name = architecture.get("network_class_name") if isinstance(architecture, dict) else None
    if name == BUILD:
        raise SettingError(f"{where} has a placement already; expected nnU-Net's own plans. Give the file without {SUFFIX}.")
    kind = name.rpartition(".")[2] if isinstance(name, str) and name.startswith("dynamic_network_architectures.") else ""
    if kind not in FAMILY:
        raise SettingError(
            f"{where}: network_class_name was {show_value(name)}; expected {' or '.join(FAMILY)} of "
            "dynamic_network_architectures, whose sites are known. Choose another configuration or other plans."
        )
    arguments = architecture.get("arch_kwargs")
    stages = arguments.get("n_stages") if isinstance(arguments, dict) else None
    if not isinstance(arguments, dict) or not _is_size(stages) or not 2 <= int(str(stages)) <= _MOST_STAGES:
        raise SettingError(f"{where}: n_stages was {show_value(stages)}; expected 2 to {_MOST_STAGES}, as in {_EXPECTED}")
    for count in _COUNTS:
        given = arguments.get(count, 1)
        if not all(_is_size(one) and one <= _MOST_BLOCKS for one in (given if isinstance(given, list) else [given])):
            raise SettingError(f"{where}: {count} was {show_value(given)}; expected 1 to {_MOST_BLOCKS} a stage.")
    return dict(architecture), kind


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _find_sites(where: str, kind: str, arguments: Mapping[str, Any], patch_size: Sequence[int]) -> tuple[Site, ...]:
    """The sites of the network that the plans describe, which is made without memory for its weights."""
    try:
        with torch.device("meta"):
            host = build_nnunet(kind, spatial_dims=len(patch_size), in_channels=1, classes=2, arguments=arguments)
            return sites(host, (1, *patch_size))
    except FocalsegError as error:
        raise SettingError(f"{where}: {error}") from error
    except Exception as error:
        said = str(error).strip()[:160]
        raise SettingError(f"{where}: {kind} refuses its arch_kwargs ({said}); expected {_EXPECTED}") from error


def _check_layout(where: str, name: str, candidates: Sequence[Site], placed: Placed) -> None:
    """Raises SiteError for a site that the network does not have and for a gate that does not fit there."""
    levels = count_levels(site.name for site in candidates)
    try:
        with torch.device("meta"):
            for site in select_sites(candidates, placed.layout):
                build_site(placed.layout[site.name], site, standardise=placed.standardise)
    except FocalsegError as error:
        depth = f"The network has {counted(levels or 0, 'level')}" + (
            f", the one in which the sites were chosen has {placed.levels}." if placed.levels else "."
        )
        raise SiteError(
            f"{where}: {error} {depth} Leave {name} out by naming others with --configuration, or give another placement."
        ) from error


def _remark(name: str, kind: str, candidates: Sequence[Site], placed: Placed) -> list[str]:
    """What a person should know of a configuration's gates."""
    told = [
        f"{gate} at {site}" + (f" (exponent {placed.gammas[site]:.3g})" if site in placed.gammas else "")
        for site, gate in placed.layout.items()
    ]
    levels = count_levels(site.name for site in candidates) or 0
    remarks = [f"{name}: {kind} with {counted(levels, 'level')}: {', '.join(told)}. Exponents stay as they are in training."]
    faint = [site for site, gamma in placed.gammas.items() if gamma < _FAINT]
    if faint:
        remarks.append(f"{name}: the exponent at {', '.join(faint)} is so near to 0 that the gate hardly acts.")
    if placed.levels is None:
        remarks.append(
            f"{name}: nobody can tell how deep the network was in which the sites were chosen. Level 0 is the finest; "
            f"the bottleneck is level {levels - 1} here."
        )
    elif placed.levels != levels:
        remarks.append(_remark_on_depth(name, levels, placed.levels, placed.layout))
    return remarks


def _remark_on_depth(name: str, levels: int, before: int, layout: Mapping[str, str]) -> str:
    """The sentence for a network of another depth than the one in which the sites were chosen, which had so many before."""
    told = (
        f"{name}: the sites were chosen in a network with {counted(before, 'level')}, and this one has {levels}. They keep "
        "their names, level 0 being the finest"
    )
    if "bottleneck" in layout:
        told += f"; but the bottleneck, which was level {before - 1}, is level {levels - 1} here, another place"
    if levels > before:
        first, last = before - 1, levels - 2
        unknown = (
            f"Level {first}, which was not examined, has"
            if first == last
            else (f"Levels {first} to {last}, which were not examined, have")
        )
        return f"{told}. {unknown} no gate."
    return f"{told}."


def _refuse_foreign_file(path: Path) -> None:
    """Raises SettingError where something else stands in the place of the file."""
    if not path.exists():
        return
    content = read_json(path, "plans that focalseg wrote, which are written anew. Give another --out.")
    if f'"{BUILD}"' not in json.dumps(content):
        raise SettingError(f"{path} is there and was not written by focalseg; expected a new place. Give another --out.")
