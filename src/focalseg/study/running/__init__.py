"""Runs, their folders and files, and how they are executed on this machine."""
