"""What we write: one dataclass for each file, read and written by the same code. Pure data, without torch."""
