"""What a finished job found, in numbers, sentences and files."""
