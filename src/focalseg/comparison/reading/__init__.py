"""Scores that other programs, and ours, have left: recognised by what the files hold."""
