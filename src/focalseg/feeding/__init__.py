"""What a network is fed: cases prepared, augmented and dealt into batches."""
