"""The page of a comparison of systems."""
