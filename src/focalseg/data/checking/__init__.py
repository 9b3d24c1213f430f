"""Every case looked at once, by itself and beside the others."""
