"""What belongs together, found in the names of cases."""

from collections.abc import Sequence


def group_by_pattern(names: Sequence[str], pattern: str) -> dict[str, str]:
    """The group of every case: what a regular expression finds in its name. Raises SettingError where it finds nothing."""
    from focalseg.imagesets.splits import regroup  # with what it needs, only where somebody asks

    return regroup(names, [], pattern=pattern)
