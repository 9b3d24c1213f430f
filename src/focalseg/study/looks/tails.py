"""What error each look at a job's test scores may make, so that all of them together make no more than one look would.

A look is paid for out of an error of 2.5 % on either side. How much of it is spent up to a look is settled by the number of
looks or of trainings alone, never by what was found (Lan and DeMets 1983).

- Planned: the person said beforehand up to how many trainings the job may go (`looks.most_trainings`). O'Brien and Fleming's
  type of spending, by the share of those trainings that are there: little early, all of it at the end.
- Not planned: nobody knows how many looks there will be. Each spends four fifths of what is left, so that something always is:
  2.0 % at the first look, 0.4 % at the second, 0.08 % at the third.
"""

from collections.abc import Sequence

from focalseg.evaluation.spending import find_tails, spend_error
from focalseg.records.outcome.claims import TAIL

ERROR = TAIL
"""On either side, of all looks together."""
SHARE = 0.8
"""Of what is left, that a look spends which nobody planned."""


def share_error(trainings: Sequence[int], most: int) -> tuple[float, ...]:
    """What may have been spent by the end of each look, made with so many trainings. most: as planned, 0 for not planned."""
    if most:
        return tuple(spend_error(min(count / most, 1.0), error=ERROR) for count in trainings)
    # Rounded, so that the first is 0.02 and no 0.020000000000000004 in the files that people read.
    return tuple(round(ERROR * (1 - (1 - SHARE) ** number), 12) for number in range(1, len(trainings) + 1))


def plan_tails(trainings: Sequence[int], most: int) -> tuple[float, ...]:
    """The error on either side that each look's own interval may make.

    Looks are taken to be as alike as the trainings that they share make them. They are more so, since they also share the test
    cases: their common error is then smaller still.
    """
    spent = share_error(trainings, most)
    if len(spent) == 1:
        return spent
    return find_tails([count / trainings[-1] for count in trainings], spent=spent)


def has_error_left(trainings: Sequence[int], most: int) -> bool:
    """Whether a further look could claim anything."""
    return not most or trainings[-1] < most
