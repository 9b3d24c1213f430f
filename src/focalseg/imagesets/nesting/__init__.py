"""Folders inside a set's folders: what they stand for."""
