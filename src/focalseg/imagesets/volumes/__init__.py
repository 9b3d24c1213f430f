"""NIfTI volumes, read in canonical axes."""
