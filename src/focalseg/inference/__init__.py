"""Whole images through a trained network."""
