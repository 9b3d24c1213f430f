"""Pages: figures and tables in one self-contained HTML file."""
