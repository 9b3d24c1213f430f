"""What the trainings of the arms add up to: the verdict, and the content of placement.json."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from focalseg.evaluation.statistics import DIFFERENCE_SPAN, SCORE_SPAN, Estimate, estimate_mean
from focalseg.evaluation.verdict import Verdict, decide_verdict
from focalseg.placement.decision import Placement
from focalseg.study.runs import RunResult, dice_matrix
from focalseg.study.scores import count_empty

Arms = Mapping[str, Sequence[RunResult]]


def judge(arms: Arms, *, modules: int) -> Verdict:
    """The verdict from the paired test scores of the placed and the plain network."""
    collapsed = sum(result.collapsed for results in arms.values() for result in results)
    return decide_verdict(compare(arms, "placed", "none"), modules=modules, trainings=len(arms["none"]), collapsed=collapsed)


def compare(arms: Arms, one: str, other: str) -> Estimate:
    """Test Dice of one arm minus that of another, paired by case and by training in their order."""
    difference = dice_matrix(arms[one], "test") - dice_matrix(arms[other], "test")
    return estimate_mean(difference, groups_of_test_cases(arms[other]), span=DIFFERENCE_SPAN)


def summarise(results: Sequence[RunResult]) -> dict[str, Any]:
    """An arm in numbers: test Dice with its interval, what it costs, and what was measured."""
    groups = groups_of_test_cases(results)
    estimate = estimate_mean(dice_matrix(results, "test"), groups, span=SCORE_SPAN)
    scores = [score for result in results for score in result.scores_of("test")]
    return {
        **describe_estimate(estimate),
        **{name: float(np.mean([score.average(name) for score in scores])) for name in ("iou", "precision", "recall")},
        "modules": results[0].modules,
        "parameters": results[0].parameters,
        "flops": results[0].flops,
        "seconds": float(np.mean([result.seconds for result in results])),
        "trainings": len(results),
        "collapsed": sum(result.collapsed for result in results),
        "cases": len(groups),
        "groups": len(set(groups)),
        **count_empty(scores),
        "dice_per_training": dice_matrix(results, "test").mean(axis=1).tolist(),
        "dice_per_label": {
            label: float(np.mean([score.overlaps[label].dice for score in scores])) for label in scores[0].overlaps
        },
    }


def describe_placement(verdict: Verdict, arms: Arms, placement: Placement) -> dict[str, Any]:
    """The content of placement.json."""
    return {
        **placement.to_mapping(),
        "verdict": verdict.outcome,
        "sentence": verdict.sentence(),
        "difference": describe_estimate(verdict.difference),
        "all_minus_none": describe_estimate(compare(arms, "all", "none")),
        "arms": {name: summarise(results) for name, results in arms.items()},
    }


def describe_estimate(estimate: Estimate) -> dict[str, float]:
    """A mean Dice, or a difference of two, with its interval."""
    return {"dice": estimate.mean, "low": estimate.low, "high": estimate.high}


def groups_of_test_cases(results: Sequence[RunResult]) -> list[str]:
    """The group of every test case, in the order of the scores."""
    return [score.group for score in results[0].scores_of("test")]
