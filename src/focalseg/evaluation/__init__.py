"""Scores of cases, intervals and tests of differences, and the verdict."""
