"""What a folder holds, by names and tables alone."""
