"""Predicted masks against true ones: two folders, scored case by case. No model and no torch."""
