"""The arms that a job compares, and how sites are chosen over its folds."""
