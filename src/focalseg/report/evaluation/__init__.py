"""The page of an evaluation of masks."""
