"""One run, resumable to the bit. Fabric is imported here alone."""
