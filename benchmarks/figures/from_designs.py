"""Blocks on what the designs of a job buy, and what looks cost."""

from figures.blocks import Writer
from figures.markdown import format_table, read_json

_SHOWN = ((1, 3), (4, 3), (5, 1), (5, 3), (10, 1), (10, 2), (10, 3))


def write_designs(_current: str) -> str:
    """A row per design, with the half-width and the power of each kind of data."""
    found = {(row["noise"], row["folds"], row["seeds"]): row for row in read_json("designs")["designs"]}
    noises = list(dict.fromkeys(noise for noise, *_ in found))
    rows = []
    for folds, seeds in _SHOWN:
        each = [found[noise, folds, seeds] for noise in noises]
        cells = [
            f"{row['half_width']:.3g} / {row['half_width_data_set']:.3g}; "
            + ", ".join(f"{p:.0f}" for p in row["power"].values())
            for row in each
        ]
        rows.append((f"{folds} x {seeds}", str(each[0]["trainings"]), *cells))
    named = [_name(noise, next(row["power"] for key, row in found.items() if key[0] == noise)) for noise in noises]
    return format_table(("folds x trainings", "trainings of the job", *named), rows)


def _name(noise: str, power: dict[str, float]) -> str:
    return f"{noise.split(':', maxsplit=1)[0]}: half-width for new data / this data set; power at {', '.join(power)} in %"


def write_looks(_current: str) -> str:
    """A row per plan, with false claims, claims of a true difference, and the trainings that they took."""
    found = read_json("designs")["looks"]
    cases = list(dict.fromkeys((row["noise"], row["folds"]) for row in found))
    rows = []
    for plan in dict.fromkeys(row["plan"] for row in found):
        cells = []
        for noise, folds in cases:
            none, some = (row for row in found if (row["noise"], row["folds"], row["plan"]) == (noise, folds, plan))
            cells.append(f"{none['claims']:.1f}; {some['claims']:.0f} with {some['trainings']:.1f}")
        rows.append((plan, *cells))
    named = [f"{noise.split(':')[0]}, {folds} fold{'s' if folds > 1 else ''}" for noise, folds in cases]
    return format_table(("false help in %; true help shown in %, with trainings", *named), rows)


FROM_DESIGNS: dict[str, Writer] = {"designs": write_designs, "looks": write_looks}
