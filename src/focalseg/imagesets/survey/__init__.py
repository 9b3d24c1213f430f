"""Every case read once: what it holds, and what is wrong or noteworthy."""
