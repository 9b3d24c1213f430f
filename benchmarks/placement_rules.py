"""Rules for removal costs beside one another, on a truth table that is there and on the probes that are at hand.

`python benchmarks/placement.py --out RUNS --truths benchmarks/results/placement.json` starts it. RUNS holds the trainings of
that benchmark, or some of them: every two probes of a task that are finished make a decision. Compared are the rule as it is,
the point means that it was before, and the same rule on other stand-ins for a site that is taken away, where the probes tell.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from focalseg.placement.policies import POLICIES
from focalseg.placement.policies.questions import SMALLEST_WORTH, Choice, Course, Probe, Search
from focalseg.placement.total import judge_total, pool_joint_costs
from focalseg.placement.worth import CostTable
from focalseg.records.evidence import EVIDENCE, Evidence
from focalseg.study.arms.search import PROBE_COUNT
from focalseg.study.running.runs import read_evidence, read_result
from machine import describe_machine
from truth_table import Policy, Sites, TableSearch, Truth, judge_policy, repeat_policy

RESULTS = Path(__file__).parent / "results" / "placement_rules"


def compare_rules(truths: Path, out: Path, needs: Mapping[str, tuple[Sites, ...]]) -> None:
    """Writes the table of rules. truths: placement.json of the whole benchmark. out: where the probes are. needs: by task."""
    stored = json.loads(truths.read_text())
    found: dict[str, Any] = {}
    for name, needed in needs.items():
        probes = read_probes(out / name.replace(",", "").replace(" ", "_"))
        if len(probes) >= PROBE_COUNT:
            found[name] = judge_task(read_truth(name, stored[name], needed), probes)
    RESULTS.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    RESULTS.with_suffix(".md").write_text(format_page(found))


def read_truth(name: str, stored: Mapping[str, Any], needed: tuple[Sites, ...]) -> Truth:
    """The truth of a task as the results hold it."""

    def read(part: str) -> dict[Sites, np.ndarray]:
        return {
            frozenset() if sites == "none" else frozenset(sites.split("+")): np.array(own)
            for sites, own in stored[part].items()
        }

    return Truth(name=name, everywhere=stored["candidates"], needed=needed, validation=read("validation"), test=read("dice"))


def read_probes(task: Path) -> list[Evidence | None]:
    """The evidence of the finished probes of a task under site dropout, by their seeds; None of one that collapsed."""
    folders = sorted((task / "runs" / "probe_dropout" / "fold_0").glob("seed_*"), key=lambda folder: int(folder.name[5:]))
    finished = [folder for folder in folders if (folder / "result.json").exists() and (folder / EVIDENCE).exists()]
    return [None if read_result(folder).collapsed else read_evidence(folder) for folder in finished]


def judge_task(truth: Truth, probes: Sequence[Evidence | None]) -> dict[str, Any]:
    """The figures of every rule that these probes can answer, as plain data."""
    rules: dict[str, Policy] = {"removal": POLICIES["removal"], "point means": choose_by_means}
    if all(one is None or all(site.other_case_costs for site in one.sites) for one in probes):
        rules["removal, coefficients of other cases"] = choose_by_others
    found: dict[str, Any] = {"probes": len(probes), "needed": [sorted(need) for need in truth.needed], "rules": {}}
    for name, rule in rules.items():
        decisions = repeat_policy(rule, truth, {"dropout": probes}, probes_each=PROBE_COUNT)
        judged = judge_policy(truth, decisions)
        found["rules"][name] = {key: value for key, value in judged.items() if key != "samples"}
    found["unexplained"] = count_unexplained(truth, probes)
    return found


def count_unexplained(truth: Truth, probes: Sequence[Evidence | None]) -> int:
    """Decisions whose sites would not account for the total effect, which is taken here without any noise: the harder test."""
    everything, nothing = frozenset(truth.everywhere), frozenset[str]()
    gain = truth.validation[everything] - truth.validation[nothing]
    count = 0
    for number in range(len(probes) // PROBE_COUNT):
        search = TableSearch(truth=truth, probes={"dropout": probes}, probes_each=PROBE_COUNT, layouts_each=1, number=number)
        total = CostTable(folds=(np.full((1, 2), float(gain.mean())),), groups=(("one", "other"),))
        count += not judge_total(total, pool_joint_costs(search.choose("removal")), price=SMALLEST_WORTH).explained
    return count


def choose_by_others(search: Search) -> Course:
    """The rule as it is, where a site that is taken away has the coefficients of other cases."""
    course = POLICIES["removal"](search)
    evidence: tuple[Evidence, ...] = yield next(course)  # type: ignore[misc]
    borrowed = tuple(
        replace(one, sites=tuple(replace(site, case_costs=site.other_case_costs) for site in one.sites)) for one in evidence
    )
    return _finish(course, borrowed)


def choose_by_means(search: Search) -> Course:
    """The rule before noise had a part in it: what costs 0.01 on average, alone or jointly, is kept."""
    evidence: tuple[Evidence, ...] = yield Probe("dropout")
    costs = {name: fmean(one.sites[place].removal_cost for one in evidence) for place, name in enumerate(search.everywhere)}
    missed = {name for name, cost in costs.items() if cost >= SMALLEST_WORTH}
    sets = [frozenset(site.site for site in one.sites if site.joint_cost >= SMALLEST_WORTH) for one in evidence]
    others = [[site.joint_cost for site in one.sites if site.site not in missed] for one in evidence]
    stands_in = fmean(max(own, default=0.0) for own in others) >= SMALLEST_WORTH
    telling = [one for one in sets if one - missed] if stands_in else sets
    together = max(telling, key=lambda one: (fmean(_overlap(one, other) for other in telling), -len(one)))
    needed = [name for name in search.everywhere if name in missed or name in together]
    closing = {
        name: fmean(fmean(one.sites[place].shut_case_costs or (1.0,)) for one in evidence)
        for place, name in enumerate(search.everywhere)
        if name in needed
    }
    shut = [name for name in needed if closing[name] == min(closing.values()) < SMALLEST_WORTH][:1]
    kept = tuple(name for name in needed if name not in shut)
    return Choice(kept=kept, shut=tuple(shut), reasons=dict.fromkeys(search.everywhere, ""), evidence=evidence)


def _overlap(one: Sites, other: Sites) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def _finish(course: Course, answer: Any) -> Choice:
    """The choice of a policy that asks no more."""
    try:
        course.send(answer)
    except StopIteration as end:
        choice: Choice = end.value
        return choice
    raise RuntimeError("The policy asked again; expected one that asks once.")


def format_page(found: Mapping[str, Any]) -> str:
    """All tasks as Markdown."""
    lines = [
        "# Rules for removal costs on the truth table",
        "",
        "`python benchmarks/placement.py --out RUNS --truths benchmarks/results/placement.json`,",
        describe_machine(),
        "Regret, needs and the like as in placement.md; each decision rests on two probes of its own.",
        "",
        "| task | rule | decisions | regret | served | modules | chosen |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, task in found.items():
        for rule, own in task["rules"].items():
            chosen = ", ".join(f"{sites} {count}" for sites, count in own["chosen"].items())
            cells = (
                name,
                rule,
                own["decisions"],
                f"{own['regret']['policy']:.4f}",
                own["served"],
                f"{own['modules']:.2f}",
                chosen,
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "Decisions whose sites do not account for the total effect, taken without noise:", ""]
    lines += [f"- {name}: {task['unexplained']} of {task['probes'] // PROBE_COUNT}" for name, task in found.items()]
    return "\n".join(lines) + "\n"
