"""What a score is where a mask is empty: an argument with a printed name, and never an epsilon."""

from typing import Literal, get_args

from focalseg.errors import SettingError

Empty = Literal["one", "zero", "leave-out"]
"""one: nothing to find and nothing found is perfect; zero: it is the worst there is. With both, one empty mask of the two is
the worst there is: a score of 0, and for a distance the image diagonal. leave-out: what its formula does not define is nan and
stays out of every mean. That is any distance with an empty mask, precision of an empty prediction, recall of an empty
reference, and Dice, IoU and surface Dice of two empty masks; of one empty mask these three are 0 by their formulas."""
DEFAULT_EMPTY: Empty = "one"


class Emptiness:
    """Base of what is said of two masks: whether they hold anything."""

    true_pixels: int
    predicted_pixels: int

    @property
    def both_empty(self) -> bool:
        """Whether there was nothing to find and nothing was found."""
        return self.true_pixels == self.predicted_pixels == 0

    @property
    def one_empty(self) -> bool:
        """Whether exactly one of the masks is empty."""
        return (self.true_pixels == 0) != (self.predicted_pixels == 0)


def check_empty(empty: str) -> None:
    """Raises SettingError for a policy that there is not."""
    if empty not in get_args(Empty):
        raise SettingError(f'empty is {empty!r}; expected one of {", ".join(map(repr, get_args(Empty)))}, such as empty="one".')


def settle_empty(formula: float, *, best: float, worst: float, first: int, second: int, empty: Empty) -> float:
    """A score under a policy. formula: its value by the formula, nan where that is 0 / 0. best, worst: its ends. first, second:
    the sizes of the two masks."""
    if empty == "leave-out" or (first and second):
        return formula
    if first or second:
        return worst
    return best if empty == "one" else worst
