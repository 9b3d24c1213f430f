"""costs.json: what each filled site costs, and the whole network beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from focalseg.configuration import setting
from focalseg.records.record import FROM_CHECKPOINT, Record

COSTS = "costs.json"


@dataclass(frozen=True, kw_only=True)
class SiteCost:
    """The cost of one site that holds attention, for one image.

    flops: those of the forward pass in convolutions and matrix products (not in the product with the features); a multiply-add
    counts as two. seconds: the median time of a forward and backward pass of the site alone; nan on the meta device.
    """

    site: str
    gate: str
    parameters: int = setting(at_least=0)
    flops: int = setting(at_least=0)
    seconds: float = setting(at_least=0)


@dataclass(frozen=True, kw_only=True)
class CostTable(Record):
    """The costs of all sites that hold attention, and beside them those of the whole network."""

    made_by = "a training with attention"
    again = FROM_CHECKPOINT

    sites: tuple[SiteCost, ...]
    parameters: int = setting(at_least=0)
    flops: int = setting(at_least=0)
    seconds: float = setting(at_least=0)

    def misfit(self, sites: Iterable[str]) -> Iterator[str]:
        """A fault for each of these sites that it has no cost of."""
        priced = {cost.site for cost in self.sites}
        return (f"sites has no cost of {site!r}; expected one of every site." for site in sites if site not in priced)

    def __str__(self) -> str:
        rows = [("site", "gate", "parameters", "MFLOPs", "ms")]
        rows += [
            (one.site, one.gate, f"{one.parameters:,}", f"{one.flops / 1e6:.2f}", f"{1e3 * one.seconds:.2f}")
            for one in self.sites
        ]
        rows.append(("network", "", f"{self.parameters:,}", f"{self.flops / 1e6:.2f}", f"{1e3 * self.seconds:.2f}"))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return "\n".join(
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
            + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True))
            for row in rows
        )


NOT_MEASURED = CostTable(sites=(), parameters=0, flops=0, seconds=0.0)
"""What a folder says that was made before costs were measured."""
