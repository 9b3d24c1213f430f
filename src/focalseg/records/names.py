"""Names in the folder of a job: its arms, and files that tell what a folder is. They load nothing, so that looking is cheap."""

PLACEMENT = "placement.json"
RESULT = "result.json"
NONE, ALL, PLACED = "none", "all", "placed"
ARMS = (NONE, ALL, PLACED)
"""Those that every job has, in the order they are shown in."""
RANDOM = "random"
"""The arm, where a job has it, with as many sites as were placed, drawn at random."""
