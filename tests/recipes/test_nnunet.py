"""The recipe for nnU-Net: from the evidence that its trainer writes to plans that its stock trainer takes."""

import json
import runpy
import sys
from pathlib import Path

import pytest

import focalseg
from focalseg.hosts.attachment import filled_sites
from focalseg.records.evidence import EVIDENCE, Evidence, SiteEvidence
from focalseg.records.record import write_record
from nnunet.architectures import build_as_nnunet, describe

RECIPE = Path(__file__).parents[2] / "docs" / "recipes" / "nnunet.py"
CASES = 40
COSTS = {"encoder.0": (0.0, 0.001), "bottleneck": (0.05, 0.07), "skip.0": (0.04, 0.02)}  # by turns


def test_it_goes_from_evidence_to_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search, prepared = tmp_path / "nnUNetTrainerFocal__nnUNetResEncUNetMPlans__2d", tmp_path / "prepared"
    (search / "fold_0").mkdir(parents=True)
    prepared.mkdir()
    sites = tuple(
        SiteEvidence(
            site=site,
            gate="ag" if site.startswith("skip") else "se",
            gamma=1.25,
            spread=0.1,
            case_costs=costs * (CASES // 2),
            joint_case_costs=costs * (CASES // 2),
            shut_case_costs=(0.3,) * CASES if site.startswith("skip") else (),
        )
        for site, costs in COSTS.items()
    )
    write_record(search / "fold_0" / EVIDENCE, Evidence(sites=sites, exponents="dropout", groups=tuple(map(str, range(CASES)))))
    configuration = {"patch_size": [32, 32], "architecture": describe("ResidualEncoderUNet", 2)}
    plans = {"plans_name": "nnUNetResEncUNetMPlans", "configurations": {"2d": configuration}}
    (prepared / "nnUNetResEncUNetMPlans.json").write_text(json.dumps(plans), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["nnunet.py", str(search), str(prepared)])
    runpy.run_path(str(RECIPE), run_name="__main__")
    assert focalseg.read_placement(search / "placement.json").layout == {"bottleneck": "se", "skip.0": "ag"}
    written = json.loads((prepared / "nnUNetResEncUNetMPlans_focal.json").read_text(encoding="utf-8"))
    network = build_as_nnunet(written["configurations"]["2d"]["architecture"])
    assert {site: gate for site, (_, gate) in filled_sites(network).items()} == {"bottleneck": "se", "skip.0": "ag"}
    assert "-p nnUNetResEncUNetMPlans_focal" in capsys.readouterr().out


def test_it_is_short() -> None:
    assert len(RECIPE.read_text(encoding="utf-8").splitlines()) <= 30
