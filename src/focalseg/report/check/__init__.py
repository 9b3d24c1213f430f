"""The page of `focalseg check`."""
