"""Every record through its file and back, and what a file may not hold."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from focalseg.configuration import from_mapping, to_mapping
from focalseg.errors import SettingError
from focalseg.records.costs import CostTable, SiteCost
from focalseg.records.estimate import DiceInterval
from focalseg.records.evidence import Evidence, PathPoint, SiteEvidence
from focalseg.records.method import MethodFigure
from focalseg.records.outcome.claims import Looks, TotalEffect
from focalseg.records.outcome.strata import (
    ArmStratum,
    LabelStrata,
    Rescue,
    SizeStratum,
    Stratum,
    StratumDifference,
    Tuned,
)
from focalseg.records.placement import (
    ArmComparison,
    ArmSummary,
    Collapsed,
    FoldSummary,
    JobRecord,
    LeanSource,
    NonInferiority,
    Placement,
    SeedNoise,
    read_placement,
)
from focalseg.records.prediction import PredictionRecord
from focalseg.records.preprocessing import Preprocessing
from focalseg.records.record import Record, read_record, write_record
from focalseg.records.result import Result
from focalseg.records.scores.comparison import (
    AsGood,
    CaseDifference,
    ComparisonRecord,
    Interval,
    LeftOut,
    Needed,
    SystemComparison,
    SystemSummary,
)
from focalseg.records.scores.external import ExternalRecord, OwnCases, ScoredTraining
from focalseg.records.site_decision import SiteDecision
from focalseg.records.splits import Split, Splits

GAIN = DiceInterval(dice=0.1, low=-0.2, high=0.3)
SITE = SiteDecision(
    site="skip.0", gate="ag", gamma=1.5, removal_cost=0.1, spread=0.2, kept=True, why="so", removal_low=0.1, removal_high=0.2,
    joint_cost=0.0,
)  # fmt: skip
ARM = ArmSummary(
    dice=0.7, low=0.6, high=0.9, iou=0.5, precision=0.6, recall=0.7, modules=1, parameters=1000, flops=10**12, seconds=12.5,
    trainings=2, cases=3, groups=3, both_empty=0, one_empty=1, dice_per_training=(0.6, 0.8), dice_per_label={"vein": 0.7},
)  # fmt: skip
COSTS = CostTable(
    sites=(SiteCost(site="skip.0", gate="ag", parameters=3, flops=0, seconds=1e-5),), parameters=10, flops=20, seconds=0.5
)
PREPROCESSING = Preprocessing(
    channels=1, size=(32, 48), mean=(1.5,), standard_deviation=(2.0,), normalisation="image", activation="sigmoid",
    threshold=0.5, labels=("cyst",), window=(16, 16), overlap=0.5, window_sigma=0.125, window_stride=(1, 1),
    window_margin=(0, 0), spatial_multiple=8, opset=20, largest_difference=1e-6,
)  # fmt: skip
STRATUM = Stratum(
    arms={"none": ArmStratum(value=0.25, low=None, high=0.5, cases=3)},
    differences={"placed - none": StratumDifference(value=-0.1, low=-0.2, high=-0.05, cases=3, p_value=0.01, holm_p=0.02)},
    groups=2,
)
PLACEMENT = Placement(policy="removal", sites=(SITE,))
RECORDS: list[Record] = [
    PLACEMENT,
    JobRecord(
        policy="removal",
        sites=(SITE,),
        verdict="helps",
        sentence="It does.",
        difference=GAIN,
        all_minus_none=GAIN,
        comparisons=(ArmComparison(one="placed", other="none", dice=0.1, low=0.0, high=0.2, p_value=0.03, holm_p=0.06),),
        non_inferiority=NonInferiority(margin=0.01, bound=-0.2, shown=False),
        search=Collapsed(1, 4),
        seed_noise=SeedNoise(deviation=None, range_of_difference=None, trainings=1),
        arms={"none": ARM, "all": ARM, "placed": ARM},
        folds=(FoldSummary(fold=3, kept={"skip.0": "ag"}, shut=(), difference=GAIN),),
        lean=LeanSource(fold=3, seed=7),
        placed_runs=("runs/placed/fold_3/seed_7", "runs/none/fold_3/seed_8"),
        runs={"none": ("runs/none/fold_3/seed_7", "runs/none/fold_3/seed_8")},
        dead_sites={"decoder.9": "so"},
        costs=COSTS,
        total_effect=TotalEffect(mean=0.1, low=0.05, high=0.15, explained=True),
        endpoint="dice_with_object",
        difference_all_cases=GAIN,
        difference_where_placed=GAIN,
        strata={"missed": STRATUM},
        by_label=(LabelStrata(label="vein", strata={"left_empty": STRATUM}),),
        by_size=(SizeStratum(size="small", least_pixels=1, most_pixels=9, **vars(STRATUM)),),
        rescue=(
            Rescue(
                one="placed",
                other="none",
                difference=0.25,
                rescued=0.5,
                lost=-0.125,
                rest=-0.125,
                rescued_objects=3,
                lost_objects=1,
                objects=9,
            ),
        ),
        tuned=Tuned(**vars(STRATUM), thresholds={"none": (0.25, 0.5)}, calibration=("placed - none",)),
        looks=Looks(taken=2, tail=0.0125),
        overlap=0.625,
        claim="new_data",
    ),
    Splits(
        data="a folder", sha256="00", folds=(Split(fold=0, train=("a",), validation=("b",), test=("ü",)),), groups={"a": "g"}
    ),
    Evidence(
        sites=(SiteEvidence(site="skip.0", gate="ag", gamma=0.0, spread=0.1, case_costs=(0.1, -0.2), open_probability=0.5),),
        case_scores=(0.5, 1.0),
        groups=("a", "b"),
        path=(PathPoint(open=("skip.0",), dice=0.5), PathPoint(open=(), dice=0.4)),
        exponents="path",
    ),
    COSTS,
    MethodFigure(dice=0.1, low=-0.2, high=0.3, data="a folder", cases=3, groups=2, trainings=6),
    PredictionRecord(model="OUT", model_digest="00", networks=2, labels=("vein",), marks=("0", "255"), overlap=0.5, flips=True),
    ComparisonRecord(
        metric="Dice",
        better="higher",
        reference="plain",
        sentence="It is.",
        comparisons=(
            SystemComparison(
                one="plain",
                other="gated",
                verdict="better",
                difference=Interval(mean=0.1, low=0.05, high=None),
                p_value=0.03,
                holm_p=0.06,
                smallest_difference=None,
                sentence="It is.",
                as_good=AsGood(margin=0.01, bound=-0.05, shown=True),
                needed=(Needed(difference=0.01, trainings=None, cases=90),),
                extremes=(CaseDifference(case="ü", group="g", fold="0", one=0.5, other=0.75),),
            ),
        ),
        systems={
            name: SystemSummary(mean=0.5, low=0.25, high=0.75, cases=9, groups=3, folds=1, trainings=1)
            for name in ("plain", "gated")
        },
        left_out=(LeftOut(case="a", why="not in gated"),),
        notes=("One training.",),
    ),
    PREPROCESSING,
    ExternalRecord(
        job="OUT",
        data="a folder",
        verdict="helps",
        sentence="Attention helps: +0.100 Dice.",
        agreement="On the job's own test cases attention helps as well.",
        difference=GAIN,
        same_networks=False,
        own=OwnCases(
            data="another folder",
            verdict="helps",
            sentence="It does.",
            difference=GAIN,
            arms={"none": GAIN, "all": GAIN, "placed": GAIN},
            comparisons=(ArmComparison(one="placed", other="none", dice=0.1, low=0.0, high=0.2, p_value=0.03, holm_p=0.06),),
            cases=4,
            groups=4,
        ),
        labels=("vein",),
        cases=3,
        groups=3,
        arms={"none": ARM, "all": ARM, "placed": ARM},
        comparisons=(ArmComparison(one="placed", other="none", dice=0.1, low=0.0, high=0.2, p_value=0.03, holm_p=0.06),),
        non_inferiority=NonInferiority(margin=0.01, bound=-0.2, shown=False),
        seed_noise=SeedNoise(deviation=None, range_of_difference=None, trainings=1),
        folds=(FoldSummary(fold=3, kept={"skip.0": "ag"}, shut=(), difference=GAIN),),
        extremes=(CaseDifference(case="ü", group="g", fold="", one=0.5, other=0.75),),
        notes=("3 cases in 3 groups.",),
        left_out={"seen": "is case_1 of the job"},
        methods="So.",
    ),
    ScoredTraining(modules=1, parameters=2, flops=3, seconds=0.25, weights="00", labels=("vein",)),
    Result(modules=1, parameters=2, flops=3, seconds=0.25),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_from_its_file_with_its_fields_in_their_order(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, record)
    assert read_record(type(record), path) == record
    text = path.read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=pytest.fail)
    assert [*content] == [*record.__dataclass_fields__, "focalseg", "seal"]  # type: ignore[attr-defined]
    assert text == json.dumps(content, indent=record.indent) + "\n"


def test_a_placement_is_read_from_the_record_of_its_job(tmp_path: Path) -> None:
    write_record(tmp_path / "placement.json", RECORDS[1])
    assert read_placement(tmp_path / "placement.json") == dataclasses.replace(PLACEMENT, total_effect=RECORDS[1].total_effect)


def test_the_keys_of_a_comparison_and_a_fold_are_those_of_the_files_of_before() -> None:
    content = to_mapping(RECORDS[1])
    assert [*content["comparisons"][0]] == [
        "one", "other", "dice", "low", "high", "p_value", "holm_p", "permutation_p", "smallest_difference", "collapsed",
    ]  # fmt: skip
    assert [*content["folds"][0]] == ["fold", "kept", "shut", "difference"]
    assert [*content["non_inferiority"]] == [
        "of", "to", "margin", "bound", "shown", "failing", "groups", "failing_at_most",
    ]  # fmt: skip
    assert [*content["arms"]["none"]] == [
        "dice", "low", "high", "iou", "precision", "recall", "modules", "parameters", "flops", "seconds", "trainings", "folds",
        "collapsed", "cases", "groups", "both_empty", "one_empty", "dice_per_training", "dice_per_label",
        "step_seconds", "distances", "intervals",
    ]  # fmt: skip


LATER = (
    "total_effect", "endpoint", "difference_all_cases", "difference_where_placed", "strata", "by_label", "by_size", "rescue",
    "tuned", "looks", "overlap", "claim",
)  # fmt: skip


def test_a_job_of_before_strata_reads_as_what_it_said_then(tmp_path: Path) -> None:
    content = {name: value for name, value in to_mapping(RECORDS[1]).items() if name not in LATER}
    content["non_inferiority"] = {"of": "placed", "to": "all", "margin": 0.01, "bound": -0.2, "shown": False}
    path = tmp_path / "placement.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    found = read_record(JobRecord, path)
    assert (found.endpoint, found.claim, found.overlap, found.looks) == ("dice", "data_set", 0, Looks(taken=1, tail=0.025))
    assert (found.strata, found.by_label, found.by_size, found.rescue, found.tuned) == ({}, (), (), (), None)
    assert found.difference == GAIN


@pytest.mark.parametrize(
    ("strata", "fault"),
    [
        ({"found": to_mapping(STRATUM)}, "strata has the stratum 'found'; expected with_object, missed, left_empty."),
        (
            {"missed": to_mapping(STRATUM) | {"arms": {"some": to_mapping(STRATUM)["arms"]["none"]}}},
            "strata.missed has the arm 'some'; expected none, all, placed.",
        ),
    ],
)
def test_a_stratum_is_one_of_three_and_its_arms_are_those_of_the_job(strata: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingError) as raised:
        from_mapping(JobRecord, to_mapping(RECORDS[1]) | {"strata": strata})
    assert fault in str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_leaves_the_file_as_it_was(value: float, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    write_record(path, COSTS)
    before = path.read_bytes()
    with pytest.raises(SettingError) as raised:
        write_record(path, CostTable(sites=(), parameters=1, flops=1, seconds=value))
    assert str(raised.value) == f"{path} was to hold a number that is not finite; expected finite ones. Train anew."
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "content", "fault"),
    [
        (
            Result,
            {"modules": 1, "parameters": -2, "flops": 3, "seconds": 1},
            "parameters was -2; expected a finite number at least 0.",
        ),
        (Result, {"modules": 1.0, "parameters": 2, "flops": 3, "seconds": 1}, "modules was 1.0; expected a whole number."),
        (Splits, {"schema": 1, "data": "x", "folds": [], "groups": {}}, "folds was empty; expected at least one."),
        (
            Result,
            {"modules": 1, "parameters": 2, "flops": 3, "seconds": -(10**90)},
            "seconds was -1e+90; expected a finite number at least 0.",
        ),
        (Splits, {"schema": 2}, "schema was 2; this version reads 1."),
        (
            Evidence,
            {"sites": [{"site": "a", "gate": "se", "gamma": 1, "spread": 0, "case_costs": []}]},
            "sites[0].case_costs was empty; expected the cost on at least one validation case.",
        ),
        (Result, {"modules": 1, "parameters": 2, "flops": 3, "seconds": "1e3"}, "seconds was '1e3'; expected a number."),
        (Evidence, {"sites": [], "path": [{"open": "a", "dice": 1}]}, "path[0].open was 'a'; expected a list, each item text."),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_the_field_and_the_mend(
    kind: type[Record], content: Any, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SettingError) as raised:
        read_record(kind, path)
    assert str(raised.value).startswith(f"{path}: {fault}")
    assert str(raised.value).endswith(f". Restore the file, or {kind.again}.")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"sites": ' + "[" * 700 + "]" * 700 + "}", "is nested 701 levels deep"),
        ('{"modules": 1, "parameters": 2, "flops": 1, "flops": 3, "seconds": 1}', "the key 'flops' is given twice"),
        ('{"modules": 1, "parameters": 2, "flops": NaN, "seconds": 1}', "NaN is no number"),
        ('{"modules": 1', "JSONDecodeError"),
    ],
    ids=["deep", "a key twice", "no number", "cut"],
)
def test_a_file_that_is_no_strict_json_is_refused_in_one_line(text: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as raised:
        read_record(Result, path)
    assert str(raised.value) == (
        f"{path} cannot be read ({kind}); expected one that a finished training wrote. Restore the file, or run the command "
        "that made the folder again, which writes it anew from the checkpoint."
    )


def test_a_number_of_many_digits_is_not_repeated_whole() -> None:
    with pytest.raises(SettingError) as raised:
        from_mapping(Result, {"modules": 10**4000, "parameters": 2, "flops": 3, "seconds": 1.0})
    assert len(str(raised.value)) < 300


def test_a_file_of_a_later_version_may_say_more_at_its_top(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"modules": 1, "parameters": 2, "flops": 3, "seconds": 0.25, "sha256": "00"}))
    assert read_record(Result, path) == RECORDS[-1]


def test_records_are_read_without_torch_and_numpy() -> None:
    names = ("placement", "splits", "evidence", "costs", "scores.comparison", "scores.evaluation", "result")
    program = (
        f"import sys, {', '.join(f'focalseg.records.{name}' for name in names)}; print({{'torch', 'numpy'}} & {{*sys.modules}})"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "set()\n"


def test_what_was_placed_begins_with_the_training_of_the_lean_network() -> None:
    job = RECORDS[1]
    assert isinstance(job, JobRecord)
    assert job.list_placed() == job.placed_runs  # of an earlier version
    runs = tuple(f"runs/placed/fold_{fold}/seed_{seed}" for fold in (3, 4) for seed in (6, 7))
    lean_first = (runs[1], runs[0], runs[2], runs[3])
    assert dataclasses.replace(job, placed_runs=(), runs={"placed": runs}).list_placed() == lean_first
    assert dataclasses.replace(job, placed_runs=(), runs={"placed": runs}, lean=None).list_placed() == runs
