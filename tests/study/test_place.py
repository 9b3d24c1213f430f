"""The main job on a small folder: what it decides from, what it writes, what it never does."""

import json
import math
import re
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import focalseg
from damage import read_unsealed
from focalseg.errors import SettingError
from focalseg.evaluation.metrics import measure_labels, measure_overlap
from focalseg.hosts.attachment import attention_sites
from focalseg.imagesets.opening import open_dataset
from focalseg.inference.loading import load_lean
from focalseg.inference.prediction import Member, predict_mask
from focalseg.placement.policies import POLICIES
from focalseg.records.costs import COSTS
from focalseg.records.evidence import EVIDENCE, Evidence, SiteEvidence
from focalseg.records.placement import read_placement
from focalseg.study.arms import search as search_module
from focalseg.study.budget.fitting import Forecast
from focalseg.study.place import place
from focalseg.study.running.listeners import Listeners
from focalseg.study.running.runs import RunResult, read_evidence
from focalseg.study.running.scores import CaseScore, read_scores
from focalseg.study.train import train_one
from focalseg.training.run import build_network
from focalseg.yaml_files import read_yaml

pytestmark = pytest.mark.slow


def fixed_evidence(*kept, shut=()):
    """Evidence that makes the removal policy keep just those sites, and shut those skips."""

    def read(folder):
        found = read_evidence(folder)
        costs = {record.site: 0.5 if record.site in (*kept, *shut) else 0.0 for record in found.sites}
        records = [
            SiteEvidence(
                site=one.site,
                gate=one.gate,
                gamma=one.gamma,
                spread=one.spread,
                case_costs=(costs[one.site],),
                shut_case_costs=(0.0,) if one.site in shut else (),
            )
            for one in found.sites
        ]
        return Evidence(sites=tuple(records))

    return read


@pytest.fixture(scope="module")
def placed(tmp_path_factory, write_folder, tiny_settings):
    """A finished job that keeps one site of each kind: its result and its folder, whose data lies beside it."""
    out = tmp_path_factory.mktemp("placed") / "out"
    data = write_folder(out.parent / "data", count=15)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "read_evidence", fixed_evidence("encoder.0", "skip.0"))
        return place(str(data), out, tiny_settings, seed=3, device="cpu", workers=1), out


def test_every_file_of_the_contract_is_there(placed):
    _, out = placed
    for arm, seeds in (("none", (3, 4)), ("all", (3, 4)), ("placed", (3, 4)), ("probe_dropout", (1003, 1004))):
        for seed in seeds:
            names = {path.name for path in (out / "runs" / arm / "fold_0" / f"seed_{seed}").iterdir()}
            assert {"config.yaml", "metrics.csv", "cases.csv", "last.ckpt", "model.safetensors"} <= names
    assert {path.name for path in (out / "lean").iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert not list(out.rglob("*.partial"))


def test_the_placement_file_says_what_the_contract_says(placed):
    result, out = placed
    content = json.loads((out / "placement.json").read_text(), parse_constant=pytest.fail)
    assert content["schema"] == 1
    assert content["verdict"] == result.verdict.outcome
    assert content["difference"].keys() == {"dice", "low", "high"}
    assert content["arms"].keys() == {"none", "all", "placed"}
    for arm, modules in (("none", 0), ("all", 4), ("placed", 2)):
        summary = content["arms"][arm]
        assert summary["modules"] == modules
        assert summary["low"] <= summary["dice"] <= summary["high"]
        assert summary["flops"] > 0
        assert summary["seconds"] > 0
    assert (
        content["arms"]["none"]["parameters"] < content["arms"]["placed"]["parameters"] < content["arms"]["all"]["parameters"]
    )
    for site in content["sites"]:
        assert site.keys() >= {"site", "gate", "gamma", "removal_cost", "spread", "kept", "why"}
        assert site["kept"] == (site["site"] in ("encoder.0", "skip.0"))
        assert math.isfinite(site["gamma"])


def test_the_verdict_rests_on_paired_test_scores_alone(placed):
    result, out = placed

    def dice(arm, seed):
        scores = read_scores(out / "runs" / arm / "fold_0" / f"seed_{seed}" / "cases.csv")
        return {score.case: score.dice for score in scores if score.part == "test"}

    split = json.loads((out / "splits.json").read_text())["folds"][0]
    differences = [dice("placed", seed)[case] - dice("none", seed)[case] for seed in (3, 4) for case in split["test"]]
    assert result.verdict.difference.mean == pytest.approx(np.mean(differences), abs=1e-6)


def test_no_case_is_on_two_sides_and_scores_name_their_side(placed):
    _, out = placed
    split = json.loads((out / "splits.json").read_text())["folds"][0]
    parts = [set(split[part]) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 15
    for path in out.rglob("cases.csv"):
        scores = read_scores(path)
        searched = path.parts[-4].startswith("probe_")
        assert {score.case for score in scores if score.part == "validation"} == parts[1]
        assert {score.case for score in scores if score.part == "test"} == (set() if searched else parts[2])


@pytest.mark.parametrize("policy", list(POLICIES))
def test_what_looks_for_sites_predicts_no_test_case(policy, make_folder, tiny_settings, tmp_path):
    seen = []
    listeners = Listeners(watch=lambda _title, plans: seen.extend(plans) or nullcontext())
    settings = replace(tiny_settings, seeds=1, policy=policy, training=replace(tiny_settings.training, steps=1))
    place(str(make_folder()), tmp_path / "out", settings, device="cpu", workers=1, listeners=listeners)
    for plan in seen:
        parts = {score.part for score in read_scores(plan.folder / "cases.csv")}
        assert parts == ({"validation", "test"} if plan.arm in ("none", "all", "placed") else {"validation"})


def test_the_lean_network_loads_and_predicts_what_was_scored(placed):
    _, out = placed
    config, network = load_lean(out / "lean")
    assert set(attention_sites(network)) == {"encoder.0", "skip.0"}
    scored = read_scores(out / "runs" / "placed" / "fold_0" / f"seed_{config.seed}" / "cases.csv")
    dataset = open_dataset(config.data)
    for score in scored:
        case = dataset.read_case(dataset.names.index(score.case))
        mask = predict_mask([Member(network, config.preparation)], case.image)
        overlap = measure_labels(mask, case.mask, 1)[0]
        assert overlap.dice == pytest.approx(score.dice, abs=1e-6)
        if score.part == "validation":
            assert not score.distances
            continue
        expected = focalseg.metrics.measure(mask, case.mask, labels=(1,), spacing_mm=case.spacing_mm)[1]
        for name in ("nsd", "hd95", "assd"):
            assert score.average(name) == pytest.approx(getattr(expected, name), abs=1e-6)
        assert (score.distances["foreground"].unit, score.distances["foreground"].tolerance) == ("pixels", 1.0)
    assert "U-Net, widths 4-8" in (out / "lean" / "README.md").read_text()


def test_the_model_of_a_job_is_the_mean_of_all_that_was_placed(placed):
    _, out = placed
    model = focalseg.load(out, device="cpu")
    lean = focalseg.load(out, one=True, device="cpu")
    runs = [focalseg.load(out / "runs" / "placed" / "fold_0" / f"seed_{seed}", device="cpu") for seed in (3, 4)]
    assert [config.seed for config in model.configs] == [lean.config.seed, 7 - lean.config.seed]
    image = open_dataset(model.config.data).read_case(0).image
    members = np.stack([run.predict_probabilities(image) for run in runs])
    np.testing.assert_allclose(model.predict_probabilities(image), members.mean(axis=0), atol=1e-6)
    assert np.array_equal(model.predict(image), (members.mean(axis=0)[0] > 0.5).astype(np.uint8))


def test_where_nothing_was_placed_the_plain_networks_are_the_model(make_folder, tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(search_module, "read_evidence", fixed_evidence())
    out = tmp_path / "out"
    settings = replace(tiny_settings, training=replace(tiny_settings.training, steps=1))
    record = place(str(make_folder()), out, settings, device="cpu", workers=1).record
    assert record.runs["placed"] == record.runs["none"]
    assert sorted(record.list_placed()) == list(record.runs["none"])
    assert all(run.startswith("runs/none/fold_0/") for run in record.list_placed())
    assert all(config.attention == {} for config in focalseg.load(out).configs)


def test_the_same_call_again_trains_nothing_and_changes_nothing(placed, tiny_settings, monkeypatch):
    _, out = placed
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.suffix != ".npz"}
    monkeypatch.setattr("focalseg.study.running.runs.train", pytest.fail)
    monkeypatch.setattr(search_module, "read_evidence", fixed_evidence("encoder.0", "skip.0"))
    place(str(out.parent / "data"), out, tiny_settings, seed=3, device="cpu", workers=1)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("able", [(True, False), (False, True)])
def test_a_job_keeps_the_precision_that_it_was_begun_with_on_another_machine(
    able, make_folder, tiny_settings, tmp_path, monkeypatch
):
    data, settings = str(make_folder()), replace(tiny_settings, seeds=1, policy="none")
    settings = replace(settings, training=replace(settings.training, steps=2, precision="auto"))
    for machine in able:
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda machine=machine: {"avx512_bf16": machine})
        place(data, tmp_path / "placed", settings, device="cpu", workers=1)
        train_one(data, tmp_path / "one", settings, attention="none", seed=0, device="cpu")
        monkeypatch.setattr("focalseg.study.running.runs.train", pytest.fail)
    begun = {"bf16-mixed" if able[0] else "32-true"}
    assert {read_yaml(path)["training"]["precision"] for path in tmp_path.glob("placed/runs/*/*/*/config.yaml")} == begun
    assert {read_yaml(tmp_path / "placed" / "config.yaml")["settings"]["training"]["precision"]} == begun


def test_another_data_set_or_seed_or_setting_does_not_mix_in(placed, make_folder, tiny_settings):
    _, out = placed
    other, same = make_folder(count=15), out.parent / "data"
    for source, settings, seed in (
        (other, tiny_settings, 3),
        (same, tiny_settings, 4),
        (same, replace(tiny_settings, seeds=3), 3),
    ):
        with pytest.raises(SettingError, match="was made with other settings"):
            place(str(source), out, settings, seed=seed, device="cpu", workers=1)


@pytest.mark.parametrize("hours", [None, 0.5])
def test_a_folder_of_another_job_is_refused_before_any_case_is_read(placed, tiny_settings, monkeypatch, hours):
    _, out = placed
    monkeypatch.setattr("focalseg.study.place.lay_groundwork", pytest.fail)
    before = (out / "config.yaml").read_bytes()
    with pytest.raises(SettingError) as raised:
        place(str(out.parent / "data"), out, tiny_settings, seed=4, device="cpu", workers=1, budget_hours=hours)
    names = "seed" if hours is None else "seed, budget_hours, asked"
    assert str(raised.value) == (
        f"{out} was made with other settings (see {out / 'config.yaml'}: {names}); give another --out, or remove it to start "
        "anew."
    )
    assert (out / "config.yaml").read_bytes() == before


def test_a_regime_of_the_exponents_is_the_policys_choice_and_no_setting_of_the_job(make_folder, tiny_settings, tmp_path):
    settings = replace(tiny_settings, training=replace(tiny_settings.training, exponents="dropout"))
    with pytest.raises(SettingError) as raised:
        place(str(make_folder()), tmp_path / "out", settings, device="cpu", workers=1)
    assert str(raised.value) == (
        "training.exponents was 'dropout'; expected 'free', since `focalseg place` trains exponents as its policy wants them. "
        "Take another policy, or train one network with `focalseg train`."
    )
    assert not (tmp_path / "out").exists()


def test_a_job_that_is_cut_to_its_hours_reads_the_data_once_and_is_the_job_of_those_settings(
    make_folder, tiny_settings, tmp_path, monkeypatch
):
    data = str(make_folder(count=15))
    asked = replace(tiny_settings, policy="none", split=replace(tiny_settings.split, test_folds=2))
    cut = replace(asked, seeds=1, split=tiny_settings.split, training=replace(asked.training, steps=3))
    monkeypatch.setattr("focalseg.study.place.plan_costs", lambda *_, **__: Forecast(settings=cut))
    titles = []

    @contextmanager
    def count(title):
        titles.append(title)
        yield lambda _done, _total: None

    listeners = Listeners(count=count)
    once, cutting = (
        place(data, tmp_path / "cut", asked, device="cpu", workers=1, listeners=listeners, budget_hours=1.0),
        titles[:],
    )
    titles.clear()
    place(data, tmp_path / "plain", cut, device="cpu", workers=1, listeners=listeners)
    assert cutting == titles == ["reading the cases", "comparing the images"]
    assert once.verdict.outcome == "no_difference_shown"
    for name in ("splits.json", "placement.json", "runs/none/fold_0/seed_0/config.yaml"):
        assert read_timeless(tmp_path / "cut" / name) == read_timeless(tmp_path / "plain" / name)


def read_timeless(path):
    """The text of a file without the lines that tell seconds, the seal over them, and the digest of the config."""
    return [line for line in path.read_text().splitlines() if not re.search(r'seconds"|"seal"|"config\.yaml"', line)]


def test_what_is_trained_after_the_decision_is_said_as_it_is(make_folder, tiny_settings, tmp_path, monkeypatch):
    titles = []
    listeners = Listeners(watch=lambda title, _plans: titles.append(title) or nullcontext())
    monkeypatch.setattr(search_module, "read_evidence", fixed_evidence("encoder.0"))
    settings = replace(tiny_settings, rivals=("random",))
    place(str(make_folder()), tmp_path / "out", settings, device="cpu", workers=1, listeners=listeners)
    assert titles == [
        "training the networks to compare with",
        "looking for the sites that are needed",
        "training what was placed, and its rivals",
    ]


def test_data_that_changed_since_is_refused(make_folder, tiny_settings, tmp_path):
    folder, out = make_folder(), tmp_path / "out"
    place(str(folder), out, tiny_settings, device="cpu", workers=1)
    before = (out / "splits.json").read_bytes()
    mask = folder / "masks" / "case_0.png"
    Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    with pytest.raises(SettingError, match="the data of .* has changed since; give another --out"):
        place(str(folder), out, tiny_settings, device="cpu", workers=1)
    assert (out / "splits.json").read_bytes() == before


def test_a_folder_in_use_by_another_process_is_refused(placed, tiny_settings):
    import fcntl

    _, out = placed
    with (out / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SettingError, match="is in use by another focalseg"):
            place(str(out.parent / "data"), out, tiny_settings, seed=3, device="cpu", workers=1)


def test_the_rest_of_a_killed_start_does_not_lock_the_folder(make_folder, tiny_settings, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.yaml.partial").write_text("cut")
    place(str(make_folder()), tmp_path / "out", tiny_settings, device="cpu", workers=1)
    assert not list((tmp_path / "out").rglob("*.partial"))
    assert not (tmp_path / "out" / ".lock").exists()


def test_a_training_that_predicts_nothing_is_seen_as_collapsed():
    def result(*areas):
        scores = tuple(
            CaseScore(case=str(number), group="g", part="validation", overlaps={"foreground": measure_overlap(predicted, true)})
            for number, (predicted, true) in enumerate(areas)
        )
        return RunResult(modules=0, parameters=1, flops=1, seconds=1, scores=scores)

    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert result((empty, full), (empty, empty)).collapsed
    assert not result((empty, full), (full, full)).collapsed
    assert not result((empty, empty)).collapsed


def test_nothing_kept_means_the_plain_network_is_the_lean_one(make_folder, tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(search_module, "read_evidence", fixed_evidence())
    result = place(str(make_folder()), tmp_path / "out", tiny_settings, device="cpu", workers=1)
    content = json.loads((tmp_path / "out" / "placement.json").read_text())
    assert result.verdict.outcome == "no_difference_shown"
    assert content["difference"] == {"dice": 0, "low": 0, "high": 0}
    assert content["arms"]["placed"] == content["arms"]["none"]
    assert not (tmp_path / "out" / "runs" / "placed").exists()
    config, network = load_lean(tmp_path / "out" / "lean")
    assert not config.attention
    assert not attention_sites(network)
    with np.load(tmp_path / "out" / "examples.npz") as arrays:  # not the same network twice
        shown = {name.removesuffix("_0") for name in arrays if name.endswith("_0")}
    assert shown == {"image", "mask", "none", "dice_none", "all", "dice_all"}


def test_everything_kept_means_the_network_with_all_sites_is_the_lean_one(make_folder, tiny_settings, tmp_path):
    result = place(str(make_folder()), tmp_path / "out", replace(tiny_settings, policy="all"), device="cpu", workers=1)
    content = json.loads((tmp_path / "out" / "placement.json").read_text())
    assert content["arms"]["placed"] == content["arms"]["all"]
    assert {path.name for path in (tmp_path / "out" / "runs").iterdir()} == {"none", "all"}
    config, network = load_lean(tmp_path / "out" / "lean")
    assert dict(config.attention) == result.placement.layout
    assert len(attention_sites(network)) == result.placement.modules == 4


def test_a_skip_that_is_to_be_shut_is_shut_in_the_lean_network_and_is_no_module(
    make_folder, tiny_settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(search_module, "read_evidence", fixed_evidence("encoder.0", shut=("skip.0",)))
    result = place(str(make_folder()), tmp_path / "out", tiny_settings, device="cpu", workers=1)
    assert result.placement.layout == {"encoder.0": "se", "skip.0": "shut"}
    content = json.loads((tmp_path / "out" / "placement.json").read_text())
    assert content["arms"]["placed"]["modules"] == 1
    config, network = load_lean(tmp_path / "out" / "lean")
    assert dict(config.attention) == result.placement.layout
    assert set(attention_sites(network)) == {"encoder.0"}


def test_arms_share_fresh_seeds_and_what_looks_for_sites_has_others(make_folder, tiny_settings, tmp_path):
    seen = []
    listeners = Listeners(watch=lambda _title, plans: seen.extend(plans) or nullcontext())
    settings = replace(tiny_settings, policy="one_at_a_time", training=replace(tiny_settings.training, steps=2))
    place(str(make_folder()), tmp_path / "out", settings, seed=7, device="cpu", workers=1, listeners=listeners)
    seeds = {}
    for plan in seen:
        seeds.setdefault(plan.arm, set()).add(plan.config.seed)
        assert plan.folder.name == f"seed_{plan.config.seed}"
    trials = {arm for arm in seeds if arm.startswith("trial_")}
    assert len(trials) == 5  # none, and each of four sites
    assert all(seeds[arm] == {1007, 1008} for arm in trials)
    assert {"none", "all"} <= seeds.keys() - trials <= {"none", "all", "placed"}
    assert all(seeds[arm] == {7, 8} for arm in seeds.keys() - trials)


@pytest.mark.parametrize(("policy", "telling"), [("removal", "probe_dropout"), ("none", "all")])
def test_evidence_is_gathered_on_the_networks_that_it_is_asked_of_alone(policy, telling, make_folder, tiny_settings, tmp_path):
    settings = replace(tiny_settings, seeds=1, policy=policy, training=replace(tiny_settings.training, steps=2))
    place(str(make_folder()), tmp_path / "out", settings, device="cpu", workers=1)
    found = sorted((tmp_path / "out").glob(f"runs/*/*/*/{EVIDENCE}"))
    assert {path.parents[2].name for path in found} == {telling}
    content = json.loads((tmp_path / "out" / "placement.json").read_text())
    assert content["costs"] == read_unsealed(found[0].parent / COSTS)


@pytest.mark.parametrize("policy", list(POLICIES))
def test_every_policy_comes_to_a_placement_and_a_lean_network(policy, make_folder, tiny_settings, tmp_path):
    settings = replace(tiny_settings, seeds=1, policy=policy, training=replace(tiny_settings.training, steps=2))
    result = place(str(make_folder()), tmp_path / "out", settings, device="cpu", workers=1)
    placement = read_placement(tmp_path / "out" / "placement.json")
    assert placement == result.placement
    assert placement.policy == policy
    assert len(placement.sites) == 4
    config, _ = load_lean(tmp_path / "out" / "lean")
    assert dict(config.attention) == placement.layout
    content = json.loads((tmp_path / "out" / "placement.json").read_text(), parse_constant=pytest.fail)
    assert content["arms"]["placed"]["modules"] == placement.modules


def test_two_workers_give_the_bits_of_one(make_folder, tiny_settings, tmp_path):
    folder = make_folder()
    assert torch.get_num_threads() == 1
    for name, workers in (("one", 1), ("two", 2)):
        place(str(folder), tmp_path / name, tiny_settings, device="cpu", workers=workers)
    for name in ("metrics.csv", "cases.csv", "model.safetensors"):
        for path in (tmp_path / "one" / "runs").rglob(name):
            other = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == other.read_bytes()


def test_grey_images_of_different_sizes_are_scored_at_their_own_size(tmp_path, tiny_settings):
    random = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    pixels = {}
    for number in range(8):
        shape = (20 + 3 * number, 40 - number)
        image = random.integers(0, 100, shape).astype(np.uint8)
        mask = np.zeros(shape, np.uint8)
        mask[5:15, 5:15] = 255
        image[mask > 0] = 200
        pixels[f"c{number}"] = int((mask > 0).sum())
        Image.fromarray(image).save(tmp_path / "data" / "images" / f"c{number}.png")
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"c{number}.png")
    place(str(tmp_path / "data"), tmp_path / "out", tiny_settings, device="cpu", workers=1)
    for path in (tmp_path / "out").rglob("cases.csv"):
        assert all(score.true_pixels == pixels[score.case] for score in read_scores(path))


def test_a_fresh_network_of_the_placed_arm_shares_the_host_with_the_plain_one(placed):
    _, out = placed
    config, _ = load_lean(out / "lean")
    plain = build_network(replace(config, attention={})).state_dict()
    lean = build_network(config).state_dict()
    assert all(torch.equal(tensor, lean[name]) for name, tensor in plain.items())
