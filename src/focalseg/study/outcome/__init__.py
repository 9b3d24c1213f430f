"""What a finished job found, and the files that tell."""
