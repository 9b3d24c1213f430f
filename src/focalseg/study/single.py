"""One network, trained and scored."""

from dataclasses import replace
from pathlib import Path

from focalseg.attention import GATES
from focalseg.errors import SettingError
from focalseg.placement.decision import read_placement
from focalseg.study.examples import write_examples
from focalseg.study.output import hold_folder
from focalseg.study.planning import Tell, Watch, claim_split, ignore, plan_attention, plan_run
from focalseg.study.presets import Settings
from focalseg.study.runs import RunPlan, RunResult, execute, read_result
from focalseg.training.run import Device, RunConfig, build_network
from focalseg.yaml_files import write_yaml


def train_one(
    source: str,
    folder: Path,
    settings: Settings,
    *,
    attention: str,
    seed: int,
    device: Device,
    watch: Watch,
    tell: Tell = ignore,
) -> RunResult:
    """Trains and scores one network in `folder`; attention as `read_layout` takes it. Goes on after an interruption."""
    base, split = plan_run(source, settings, seed, device)
    config = replace(base, attention=read_layout(attention, base, settings, tell))
    build_network(config)
    plan = RunPlan(arm=attention, config=config, split=split, folder=folder, device=device)
    with hold_folder(folder, write_yaml(config)), watch("training one network", [plan]):
        claim_split(folder, source, split)
        execute(plan)
        result = read_result(folder)
        write_examples(folder, {"run": folder}, result, own_network=config.network.name)
    return result


def read_layout(attention: str, base: RunConfig, settings: Settings, tell: Tell) -> dict[str, str]:
    """Kind of gate by site from `none`, `all`, a kind of gate, or the path of a placement.json."""
    if attention == "none":
        return {}
    if attention == "all" or attention in GATES:
        return plan_attention(base, settings.gates if attention == "all" else (attention,), tell)[0]
    if not Path(attention).exists():
        known = ", ".join(["none", "all", *GATES])
        raise SettingError(
            f"--attention was {attention!r}; expected {known}, or the path of a placement.json that is there. Two kinds: "
            "--attention all --set 'gates=[cbam, focus]'."
        )
    return read_placement(Path(attention)).layout
