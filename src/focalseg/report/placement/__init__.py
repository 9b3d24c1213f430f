"""The page of a placement or a run."""
