"""What is in a folder by names and tables alone."""
