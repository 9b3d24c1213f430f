"""A corrected copy of a set."""
