"""The lean network as a folder to take away: weights, what builds the network, and a model card."""

import json
import shutil
from pathlib import Path
from typing import Any

from torch import nn

from focalseg.configuration import from_mapping, to_mapping
from focalseg.evaluation.verdict import Verdict
from focalseg.files import write_text, write_whole
from focalseg.study.output import CONFIG
from focalseg.study.runs import WEIGHTS, rebuild_network
from focalseg.training.run import RunConfig
from focalseg.yaml_files import read_yaml

LEAN_CONFIG = "config.json"
CARD = """# Lean network for {data}

{sentence}

| | |
|---|---|
| network | U-Net, widths {widths}, {norm} norm |
| attention | {attention} |
| input | {channels} channel(s), resized to {height} x {width} pixels |
| normalisation | minus {mean}, divided by {deviation}, a channel each |
| output | one logit a pixel; foreground where its sigmoid is above 0.5 |
| test Dice | {dice:.3f} (95 % interval {low:.3f} to {high:.3f}), {cases} cases in {groups} groups, {trainings} training(s) |
| parameters | {parameters:,} |

The weights are of one training, the one of {trainings} with the best validation score; the test Dice is the mean over all.
Trained on the data named above and on nothing else. For research; not a medical device.

```python
from pathlib import Path
from focalseg.data.folder import read_image
from focalseg.inference.prediction import predict_mask
from focalseg.study.lean import load_lean

config, network = load_lean({folder!r})
mask = predict_mask(network, config.preparation, read_image(Path("image.png")))
```
"""


def write_lean(folder: Path, run: Path, verdict: Verdict, summary: dict[str, Any]) -> None:
    """Copies a run's network into a folder with `model.safetensors`, `config.json` and `README.md`."""
    config = from_mapping(RunConfig, read_yaml(run / CONFIG))
    with (run / WEIGHTS).open("rb") as weights:
        write_whole(folder / WEIGHTS, lambda file: shutil.copyfileobj(weights, file))
    write_text(folder / LEAN_CONFIG, json.dumps(to_mapping(config), indent=2) + "\n")
    preparation = config.preparation
    card = CARD.format(
        data=config.data,
        sentence=verdict.sentence(),
        widths="-".join(str(width) for width in config.network.widths),
        norm=config.network.norm,
        attention=", ".join(f"{gate} at {site}" for site, gate in config.attention.items()) or "none",
        channels=config.network.in_channels,
        height=preparation.height,
        width=preparation.width,
        mean=", ".join(f"{value:.1f}" for value in preparation.mean),
        deviation=", ".join(f"{value:.1f}" for value in preparation.standard_deviation),
        folder=folder.as_posix(),
        **{name: summary[name] for name in ("dice", "low", "high", "cases", "groups", "trainings", "parameters")},
    )
    write_text(folder / "README.md", card)


def load_lean(folder: str | Path) -> tuple[RunConfig, nn.Module]:
    """The lean network, on the CPU and in evaluation mode, with the config of its run."""
    folder = Path(folder)
    return rebuild_network(json.loads((folder / LEAN_CONFIG).read_text(encoding="utf-8")), folder / WEIGHTS)
