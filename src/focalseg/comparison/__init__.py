"""Paired comparison of any systems from their scores. It knows no torch."""
