"""How intervals come about, as a paper says it: the one source for every paragraph of methods."""

from focalseg.evaluation.statistics import REPLICATES


def describe_intervals(*, grouped: bool, folds: int = 1, trainings: bool = True) -> str:
    """What intervals and p-values rest on. grouped: whether several cases are of one group. trainings: whether other trainings
    are spoken of, too; of given predictions only other cases are, and nothing is tested."""
    cases = "groups" if grouped else "cases"
    if not trainings:
        return (
            f"95 % intervals are from a bootstrap over {cases} ({REPLICATES} draws), stretched to the standard error of the "
            "jackknife and Student's t."
        )
    own = "" if folds == 1 else ", or to that of the folds where it is wider"
    return (
        f"95 % intervals are from a hierarchical bootstrap over trainings and {cases} ({REPLICATES} draws), stretched to the "
        "standard error of the two-way variance (jackknife, Cameron et al. 2011) and Student's t with Satterthwaite's degrees "
        f"of freedom{own}; p-values are two-sided, from the same standard error."
    )
