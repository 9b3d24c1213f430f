"""A corrected copy."""
