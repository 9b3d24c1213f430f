"""From prepared cases to batches: kept, cut, augmented."""
