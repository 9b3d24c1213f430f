"""Which test cases a report shows."""

import pytest

from focalseg.evaluation.metrics import Overlap
from focalseg.study.outcome.examples import GAINED, LOST, RANKS, choose_examples
from focalseg.study.running.runs import RunResult
from focalseg.study.running.scores import CaseScore


def make_result(dice: dict[str, float]) -> RunResult:
    def score(case: str, part: str, value: float) -> CaseScore:
        overlap = Overlap(dice=value, iou=value, precision=value, recall=value, true_pixels=10, predicted_pixels=9)
        return CaseScore(case=case, group=case, part=part, overlaps={"vein": overlap})

    other = score("not tested", "validation", 0.0)
    scores = (other, *(score(case, "test", value) for case, value in dice.items()))
    return RunResult(modules=0, parameters=1, flops=1, seconds=1.0, scores=scores)


DICE = {f"case {number}": number / 20 for number in range(21)}


def test_they_go_from_the_worst_by_the_median_to_the_best() -> None:
    roles = choose_examples(make_result(dict(reversed(DICE.items()))), {})
    assert roles == dict(zip(("case 0", "case 5", "case 10", "case 15", "case 20"), RANKS, strict=True))


def test_those_that_attention_changes_most_are_among_them_in_their_place() -> None:
    gains = dict.fromkeys(DICE, 0.01) | {"case 12": 0.4, "case 5": -0.3, "case 6": -0.2}
    roles = choose_examples(make_result(DICE), gains)
    assert list(roles) == ["case 0", "case 5", "case 10", "case 12", "case 15", "case 20"]
    assert roles["case 12"] == f"{GAINED} (+0.400)"
    assert roles["case 5"] == f"a quarter of the cases are lower; {LOST} (-0.300)"


def test_attention_that_changes_nothing_has_no_example() -> None:
    assert list(choose_examples(make_result(DICE), dict.fromkeys(DICE, 0.0)).values()) == list(RANKS)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_few_cases_are_shown_once_each(count: int) -> None:
    dice = dict(list(DICE.items())[:count])
    roles = choose_examples(make_result(dice), dict.fromkeys(dice, -0.1))
    assert len(roles) <= min(count, 7)
    assert roles["case 0"].startswith("lowest Dice")
    assert "highest Dice" in roles[f"case {count - 1}"]
