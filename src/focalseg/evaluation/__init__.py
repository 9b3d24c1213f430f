"""Scores, intervals, verdicts."""
