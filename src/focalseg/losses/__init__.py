"""Losses, from logits."""
