"""A corrected copy of an image set."""
