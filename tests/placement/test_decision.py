"""From evidence to a placement, over one training or several; and to a file and back."""

import json
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalseg.configuration import to_mapping
from focalseg.errors import SettingError
from focalseg.evaluation.statistics import estimate_mean
from focalseg.placement.decision import decide
from focalseg.placement.policies import POLICIES
from focalseg.records.evidence import Evidence, PathPoint, SiteEvidence
from focalseg.records.placement import Placement, read_placement
from focalseg.records.site_decision import SiteDecision


def site(
    name: str,
    *,
    gate: str = "se",
    gamma: float = 1.0,
    spread: float = 0.1,
    costs: tuple[float, ...] = (0.0, 0.0),
    joint: tuple[float, ...] = (),
) -> SiteEvidence:
    return SiteEvidence(site=name, gate=gate, gamma=gamma, spread=spread, case_costs=costs, joint_case_costs=joint)


@pytest.fixture
def evidence() -> Evidence:
    return Evidence(
        sites=(
            site("encoder.0", gamma=2.5, spread=0.36, costs=(0.3, 0.1) * 20),
            site("bottleneck", gamma=1.5, spread=0.02, costs=(0.25, -0.25) * 20),
            site("skip.0", gate="ag", gamma=0.5, spread=0.2, costs=(0.0, 0.04) * 20),
        )
    )


def test_removal_keeps_what_hurts_when_taken_away(evidence: Evidence) -> None:
    placement = decide(evidence, policy="removal")
    assert placement.layout == {"encoder.0": "se", "skip.0": "ag"}
    assert [one.removal_cost for one in placement.sites] == pytest.approx([0.2, 0.0, 0.02])
    measured = r"Dice \(1 training, 40 validation cases\); it is expected to be worth"
    reasons = [
        rf"taking it away costs 0\.200 {measured} 0\.1\d\d \(.*\), at least 0\.01",
        rf"taking it away costs 0\.000 {measured} 0\.000 \(.*\), less than 0\.01",
        rf"taking it away costs 0\.020 {measured} 0\.01\d \(.*\), at least 0\.01",
    ]
    assert all(re.fullmatch(reason, one.why) for reason, one in zip(reasons, placement.sites, strict=True))


@pytest.mark.parametrize("policy", ["removal", "gamma_threshold"])
def test_what_stands_beside_a_decision_is_of_the_cases_that_it_rests_on(evidence: Evidence, policy: str) -> None:
    """Cases without the object have a cost as well, of false alarms: 0.3 of the first site here, 0.1 on the others."""
    placement = decide(replace(evidence, with_object=(False, True) * 20), policy=policy)
    first = placement.sites[0]
    assert (first.removal_cost, first.removal_cases) == (pytest.approx(0.1), (20,))
    assert first.removal_costs == pytest.approx((0.1,))
    if policy == "removal":
        assert first.why.startswith("taking it away costs 0.100 Dice (1 training, 20 validation cases)")


def test_the_gamma_threshold_keeps_what_grew(evidence: Evidence) -> None:
    placement = decide(evidence, policy="gamma_threshold")
    assert placement.layout == {"encoder.0": "se", "bottleneck": "se"}
    assert [one.why for one in placement.sites] == [
        "its gamma grew to 2.50, above 1.0",
        "its gamma grew to 1.50, above 1.0",
        "its gamma is 0.50, not above 1.0",
    ]


def test_removal_is_the_policy_unless_another_is_named(evidence: Evidence) -> None:
    assert decide(evidence) == decide(evidence, policy="removal")
    assert decide(evidence, policy="gamma_threshold").policy == "gamma_threshold"


def test_a_placement_by_removal_says_whether_the_network_had_learned_to_do_without_its_sites(evidence: Evidence) -> None:
    dropout = replace(evidence, exponents="dropout")
    assert decide(dropout, policy="removal").policy == "removal"
    assert decide(evidence, policy="removal").policy == "removal_from_all"
    assert decide(evidence, policy="removal") == decide(evidence, policy="removal_from_all")
    assert decide(dropout, policy="removal").sites == decide(evidence, policy="removal").sites


@pytest.mark.parametrize(
    ("policy", "given", "wanted"),
    [
        ("removal", "path", "dropout"),
        ("removal", "hard_concrete", "dropout"),
        ("removal_from_all", "dropout", "free"),
        ("gamma_threshold", "dropout", "free"),
        ("gamma_path", "free", "path"),
        ("hard_concrete", "path", "hard_concrete"),
    ],
)
def test_evidence_of_a_regime_is_not_taken_for_that_of_another(
    evidence: Evidence, policy: str, given: str, wanted: str
) -> None:
    with pytest.raises(SettingError) as raised:
        decide(add_other_evidence(evidence, given), policy=policy)
    assert str(raised.value) == refusal(policy, wanted)


def test_evidence_of_two_regimes_is_not_decided_on_together(evidence: Evidence) -> None:
    with pytest.raises(SettingError) as raised:
        decide([evidence, replace(evidence, exponents="dropout")])
    assert str(raised.value) == (
        "The exponents trained under dropout and free; expected the same training.exponents in every training. "
        "Decide on those of one regime."
    )


def test_several_trainings_are_averaged_before_the_decision() -> None:
    trainings = [
        Evidence(sites=(site("encoder.0", gamma=2.0, spread=0.1, costs=(0.08, 0.04)), site("bottleneck", gamma=0.2))),
        Evidence(sites=(site("encoder.0", gamma=0.4, spread=0.3), site("bottleneck", gamma=1.0, costs=(0.02, 0.004)))),
        Evidence(sites=(site("encoder.0", gamma=0.3, spread=0.2, costs=(-0.02, 0.02)), site("bottleneck", gamma=2.4))),
    ]
    by_removal, by_gamma = decide(trainings), decide(tuple(trainings), policy="gamma_threshold")
    first, second = by_removal.sites
    assert (first.gamma, first.spread, first.removal_cost) == pytest.approx((0.9, 0.2, 0.02))
    assert (second.gamma, second.spread, second.removal_cost) == pytest.approx((1.2, 0.1, 0.004))
    assert by_removal.layout == {"encoder.0": "se"}
    assert by_gamma.layout == {"bottleneck": "se"}


@pytest.mark.parametrize("groups", [(), ("a", "a", "b", "c")])
def test_the_intervals_of_a_removal_cost_are_over_groups_of_cases_for_the_trainings_there_are(groups: tuple[str, ...]) -> None:
    costs = np.array([[0.3, 0.1, 0.0, 0.2], [0.1, 0.2, -0.1, 0.3]])
    trainings = [Evidence(sites=(site("skip.0", costs=tuple(row)),), groups=groups) for row in costs.tolist()]
    (one,) = decide(trainings).sites
    named = groups or ("0", "1", "2", "3")
    expected = estimate_mean(costs.mean(axis=0), named, span=(-1.0, 1.0))
    assert (one.removal_cost, one.removal_low, one.removal_high) == (expected.mean, expected.low, expected.high)
    assert one.removal_cost == pytest.approx(costs.mean())
    assert one.removal_low < one.removal_cost < one.removal_high
    assert list(one.each_removal) == [estimate_mean(row, named, span=(-1.0, 1.0)) for row in costs]
    assert one.removal_costs == pytest.approx([0.15, 0.125])
    assert one.removal_cases == (4, 4)


def test_two_trainings_that_differ_do_not_make_an_interval_that_spans_the_scale() -> None:
    costs = np.random.default_rng(0).normal((0.1, 0.33), 0.02, (40, 2)).T
    (one,) = decide([Evidence(sites=(site("skip.0", costs=tuple(row)),)) for row in costs.tolist()]).sites
    assert one.removal_high - one.removal_low < 0.02  # over both trainings as well it would be 2 wide
    assert one.removal_costs == pytest.approx([0.1, 0.33], abs=0.01)
    assert "in 2 trainings, 40 validation cases); it is expected to be worth 0.2" in one.why
    assert one.why.endswith(", at least 0.01")


def test_a_removal_cost_of_one_case_is_known_to_no_better_than_a_score_can_differ() -> None:
    (one,) = decide(Evidence(sites=(site("skip.0", costs=(0.3,)),))).sites
    assert (one.removal_low, one.removal_cost, one.removal_high) == (-1.0, 0.3, 1.0)


def test_the_joint_cost_of_a_placement_is_the_mean_over_cases_and_trainings() -> None:
    trainings = [Evidence(sites=(site("skip.0", costs=(0, 0), joint=joint),)) for joint in ((0.1, 0.3), (0.0, 0.2))]
    assert decide(trainings).sites[0].joint_cost == pytest.approx(0.15)


def test_a_list_of_one_training_is_that_training(evidence: Evidence) -> None:
    assert decide([evidence]) == decide(evidence)


def test_nothing_kept_is_a_placement_too() -> None:
    assert decide(Evidence(sites=(site("skip.0"), site("skip.1")))).layout == {}


def test_policies_that_train_are_no_way_to_decide_on_evidence_alone(evidence: Evidence) -> None:
    first = {  # how many layouts each asks for in its first question, of three sites
        "leave_one_out": 4,
        "one_at_a_time": 4,
        "greedy_forward": 4,
        "greedy_backward": 4,
        "deep_first": 4,
        "shallow_first": 4,
        "exhaustive": 8,
    }
    assert set(first) | set(ON_EVIDENCE) | set(ON_OTHER_EVIDENCE) == set(POLICIES)
    for policy, layouts in first.items():
        with pytest.raises(SettingError) as raised:
            decide(evidence, policy=policy)
        assert str(raised.value) == (
            f"policy '{policy}' would train {layouts} networks, which needs data; expected one that decides on evidence, such "
            f"as 'removal'. `focalseg place --set policy={policy}` does train them."
        )


ON_EVIDENCE = ("removal", "removal_from_all", "gamma_threshold", "random", "all", "none")
ON_OTHER_EVIDENCE = {"gamma_path": "path", "hard_concrete": "hard_concrete"}


REGIME_OF = {"removal": "dropout", **ON_OTHER_EVIDENCE}


def refusal(policy: str, regime: str) -> str:
    own_loop = ", in a loop of your own with focalseg.SiteDropout" if regime == "dropout" else ""
    return (
        f"policy '{policy}' decides on trainings with training.exponents={regime}; the evidence is of others, or not whole. "
        f"Train so with `focalseg train`{own_loop}, or take another policy."
    )


def add_other_evidence(found: Evidence, regime: str) -> Evidence:
    """As a training under that regime would have it, with what the path and switches show besides."""
    names = tuple(record.site for record in found.sites)
    return replace(
        found,
        exponents=regime,
        sites=tuple(replace(record, open_probability=0.75) for record in found.sites),
        path=(PathPoint(open=names, dice=0.8), PathPoint(open=names[:1], dice=0.8), PathPoint(open=(), dice=0.5)),
    )


@pytest.mark.parametrize(("policy", "regime"), ON_OTHER_EVIDENCE.items())
def test_policies_that_need_trainings_under_a_regime_refuse_evidence_without_what_it_alone_shows(
    evidence: Evidence, policy: str, regime: str
) -> None:
    bare = replace(evidence, exponents=regime)
    for trainings in ([bare], [add_other_evidence(evidence, regime), bare]):
        with pytest.raises(SettingError) as raised:
            decide(trainings, policy=policy)
        assert str(raised.value) == refusal(policy, regime)


@pytest.mark.parametrize("policy", [*ON_EVIDENCE, *ON_OTHER_EVIDENCE])
def test_every_policy_on_evidence_decides_on_every_site_in_order_with_a_reason(policy: str, evidence: Evidence) -> None:
    trainings = [add_other_evidence(evidence, REGIME_OF.get(policy, "free"))] * 2
    placement = decide(trainings, policy=policy)
    assert [(one.site, one.gate) for one in placement.sites] == [(one.site, one.gate) for one in evidence.sites]
    assert all(one.kept in (True, False) and one.why for one in placement.sites)
    assert placement == decide(trainings, policy=policy)
    for one, record in zip(placement.sites, evidence.sites, strict=True):
        assert (one.gamma, one.spread, one.removal_cost) == pytest.approx((record.gamma, record.spread, record.removal_cost))


def test_an_unknown_policy_is_an_error_that_offers_the_nearest(evidence: Evidence) -> None:
    with pytest.raises(SettingError) as raised:
        decide(evidence, policy="remove")
    assert str(raised.value) == f"No policy named 'remove'; known are {', '.join(POLICIES)}. Did you mean 'removal'?"


def test_trainings_that_differ_in_sites_or_gates_and_no_trainings_are_refused(evidence: Evidence) -> None:
    fewer = Evidence(sites=evidence.sites[:2])
    reordered = Evidence(sites=evidence.sites[::-1])
    other_gate = Evidence(sites=(*evidence.sites[:2], site("skip.0", gate="se")))
    for trainings in ([evidence, fewer], [evidence, reordered], [evidence, other_gate], []):
        with pytest.raises(SettingError) as raised:
            decide(trainings)
        assert str(raised.value) == (
            f"{len(trainings)} trainings were given; expected at least one, all with the same gates at the same sites."
        )


def test_trainings_that_were_measured_on_different_cases_are_refused(evidence: Evidence) -> None:
    other = Evidence(sites=tuple(replace(record, case_costs=(0.0, 0.1, 0.2)) for record in evidence.sites))
    with pytest.raises(SettingError) as raised:
        decide([evidence, other])
    assert str(raised.value) == (
        "The sites were measured on 3, 40 validation cases; expected the same cases in every training, such as those of one "
        "fold. Decide on each fold by itself."
    )


def test_a_placement_prints_as_a_table_with_reasons(evidence: Evidence) -> None:
    placement = decide(evidence)
    encoder, bottleneck, skip = (one.why for one in placement.sites)
    assert str(placement) == (
        "site         gate   gamma  removal  spread  decision (removal_from_all)\n"
        f"encoder.0    se      2.50   +0.200   0.360  kept: {encoder}\n"
        f"bottleneck   se      1.50   +0.000   0.020  dropped: {bottleneck}\n"
        f"skip.0       ag      0.50   +0.020   0.200  kept: {skip}"
    )


def test_a_placement_is_a_frozen_record(evidence: Evidence) -> None:
    placement = decide(evidence)
    with pytest.raises(FrozenInstanceError):
        placement.policy = "other"
    with pytest.raises(FrozenInstanceError):
        placement.sites[0].kept = False
    assert placement != decide(evidence, policy="gamma_threshold")


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes bytes, text or anything for JSON as a placement file."""

    def write(content: Any) -> Path:
        path = tmp_path / "placement.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("policy", ON_EVIDENCE)
def test_a_placement_saved_and_read_is_the_same_placement(evidence: Evidence, tmp_path: Path, policy: str) -> None:
    placement = decide([evidence, evidence, evidence], policy=policy)
    path = tmp_path / "placement.json"
    placement.save(path)
    assert read_placement(path) == placement
    assert read_placement(path).layout == placement.layout


def test_an_empty_placement_saved_and_read_is_empty(tmp_path: Path) -> None:
    Placement(policy="removal", sites=()).save(tmp_path / "placement.json")
    assert read_placement(tmp_path / "placement.json") == Placement(policy="removal", sites=())


def test_the_file_has_the_schema_and_the_fields_of_the_contract(evidence: Evidence, tmp_path: Path) -> None:
    decide(evidence).save(tmp_path / "placement.json")
    content = json.loads((tmp_path / "placement.json").read_text(encoding="utf-8"))
    assert content["schema"] == 1
    assert content["policy"] == "removal_from_all"
    contract = {"site", "gate", "gamma", "removal_cost", "spread", "kept", "why"}
    added = {
        "removal_low",
        "removal_high",
        "joint_cost",
        "shut",
        "removal_costs",
        "removal_lows",
        "removal_highs",
        "removal_cases",
    }
    assert [set(record) for record in content["sites"]] == [contract | added] * 3
    assert [record["kept"] for record in content["sites"]] == [True, False, True]


def test_what_the_main_job_writes_beside_the_sites_does_not_disturb_the_reader(
    evidence: Evidence, save: Callable[[Any], Path]
) -> None:
    content = {**to_mapping(decide(evidence)), "verdict": "helps", "difference": {"dice": 0.1}, "arms": {"none": {}}}
    assert read_placement(save(content)) == decide(evidence)


MEND = "Restore the file, or make the placement anew with `focalseg place`."
GOOD = {"site": "skip.0", "gate": "ag", "gamma": 1.5, "removal_cost": 0.1, "spread": 0.2, "kept": True, "why": "because"}


def test_a_file_with_the_fields_of_the_contract_alone_is_read_and_saved_again(save: Callable[[Any], Path]) -> None:
    path = save({"schema": 1, "sites": [GOOD]})
    placement = read_placement(path)
    (one,) = placement.sites
    assert placement.layout == {"skip.0": "ag"}
    assert (one.removal_low, one.removal_high, one.joint_cost, one.shut) == (None, None, None, False)
    assert str(placement).splitlines()[1] == "skip.0       ag      1.50   +0.100   0.200  kept: because"
    placement.save(path)
    assert read_placement(path) == placement


def test_a_shut_skip_is_in_the_layout_and_is_no_module(save: Callable[[Any], Path]) -> None:
    shut = {**GOOD, "kept": False, "shut": True}
    placement = read_placement(
        save({"schema": 1, "sites": [shut, {**GOOD, "site": "skip.1"}, {**GOOD, "site": "x", "kept": False}]})
    )
    assert placement.layout == {"skip.0": "shut", "skip.1": "ag"}
    assert placement.modules == 1
    assert [line.split()[5] for line in str(placement).splitlines()[1:]] == ["shut:", "kept:", "dropped:"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", " cannot be read (JSONDecodeError); expected one that `focalseg place` wrote."),
        ('{"schema": 1, "policy": "removal", "sites": [', " cannot be read (JSONDecodeError); expected one that"),
        (b"\xff\xfe\x00", " cannot be read (UnicodeDecodeError); expected one that `focalseg place` wrote."),
        ([GOOD], ": The whole was [{'site': 'skip.0', 'gate': 'ag', "),
        (None, ": The whole was None; expected fields as `name: value`."),
        ({}, ": schema was None; this version reads 1."),
        ({"policy": "removal", "sites": [GOOD]}, ": schema was None; this version reads 1."),
        ({"schema": 1, "policy": "removal"}, ": The field sites is missing; give it a value."),
        ({"schema": 1, "sites": None}, ": sites was None; expected a list, each item named values."),
        ({"schema": 1, "sites": [{"site": "skip.0"}]}, ": The field sites[0].gate is missing; give it a value."),
        ({"schema": 1, "sites": [{**GOOD, "surprise": 1}]}, ": No field named 'sites[0].surprise'; known are sites[0].site, "),
        ({"schema": 1, "sites": ["skip.0"]}, ": sites[0] was 'skip.0'; expected fields as `name: value`."),
    ],
)
def test_a_file_that_is_no_placement_is_an_error_that_names_it_the_fault_and_the_mend(
    save: Callable[[Any], Path], content: Any, fault: str
) -> None:
    path = save("null" if content is None else content)
    with pytest.raises(SettingError) as raised:
        read_placement(path)
    assert str(raised.value).startswith(f"{path}{fault}")
    assert str(raised.value).endswith(f" {MEND}")


def test_of_a_file_with_many_faults_three_are_told(save: Callable[[Any], Path]) -> None:
    path = save({"schema": 1, "sites": [{**GOOD, "gamma": "high", "kept": 1, "gate": None, "shut": 3}]})
    with pytest.raises(SettingError) as raised:
        read_placement(path)
    assert [line.split(" was ")[0] for line in str(raised.value).splitlines()] == [
        f"{path}: sites[0].{name}" for name in ("gate", "gamma", "kept")
    ]


@pytest.mark.parametrize(
    "sites",
    [
        [{**GOOD, "kept": "false"}],
        [{**GOOD, "kept": None}],
        [{**GOOD, "gamma": "high"}],
        [{**GOOD, "site": 3}],
        [{**GOOD, "gate": None}],
        [{**GOOD, "joint_cost": "high"}],
        [{**GOOD, "shut": "no"}],
        [GOOD, GOOD],
        {},
        "",
    ],
)
def test_a_file_with_values_that_no_placement_has_is_refused(save: Callable[[Any], Path], sites: Any) -> None:
    path = save({"schema": 1, "policy": "removal", "sites": sites})
    with pytest.raises(SettingError, match=re.escape(str(path))):
        read_placement(path)


def test_a_file_of_another_schema_is_an_error_with_both_numbers(save: Callable[[Any], Path]) -> None:
    path = save({"schema": 2, "policy": "removal", "sites": []})
    with pytest.raises(SettingError) as raised:
        read_placement(path)
    assert str(raised.value) == f"{path}: schema was 2; this version reads 1. {MEND}"


def test_a_file_that_is_not_there_is_an_error_that_says_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "placement.json"
    with pytest.raises(SettingError) as raised:
        read_placement(path)
    assert str(raised.value) == f"No file {path}; expected one that `focalseg place` wrote. {MEND}"


def test_a_folder_is_no_placement(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as raised:
        read_placement(tmp_path)
    assert str(raised.value) == f"{tmp_path} is a folder; expected one that `focalseg place` wrote. {MEND}"


def test_the_layout_names_the_gate_of_every_kept_site_and_of_no_other() -> None:
    numbers = {"gamma": 1.0, "removal_cost": 0.0, "spread": 0.0, "why": "by hand"}
    placement = Placement(
        policy="by hand",
        sites=(
            SiteDecision(site="skip.0", gate="se", kept=True, **numbers),
            SiteDecision(site="skip.1", gate="ag", kept=False, **numbers),
        ),
    )
    assert placement.layout == {"skip.0": "se"}


def test_sites_that_stand_in_for_one_another_are_not_both_dropped() -> None:
    def record(name: str, alone: float, together: float) -> SiteEvidence:
        return SiteEvidence(site=name, gate="se", gamma=1.0, spread=0.1, case_costs=(alone,), joint_case_costs=(together,))

    found = Evidence(sites=(record("encoder.0", 0.004, 0.004), record("bottleneck", 0.005, 0.3), record("decoder.0", 0, 0)))
    placement = decide(found)
    assert placement.layout == {"bottleneck": "se"}
    costs = "taking it away costs 0.005 Dice (1 training, 1 validation case)"
    assert placement.sites[1].why == f"{costs}, but 0.300 with those that cost less"
