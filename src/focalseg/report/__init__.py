"""Pages: figures, tables and one self-contained file."""
