"""What the commands share of a terminal: streams, counting, progress."""
