"""Families of networks, one file each: how one is chosen, planned and built, and where attention can stand in it."""
