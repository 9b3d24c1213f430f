"""NIfTI volumes, in canonical axes."""
