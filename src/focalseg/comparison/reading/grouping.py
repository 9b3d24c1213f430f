"""What belongs together, found in the names of cases."""

from collections.abc import Sequence

from focalseg.comparison.systems import System


def group_by_pattern(systems: Sequence[System], pattern: str) -> dict[str, str]:
    """The group of every case: what a regular expression finds in its name. Raises SettingError where it finds nothing."""
    from focalseg.imagesets.splits import regroup  # with what it needs, only where somebody asks

    names = list(dict.fromkeys(case for system in systems for training in system.trainings for case in training.scores))
    return regroup(names, [], pattern=pattern)
