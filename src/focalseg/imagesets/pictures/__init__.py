"""PNG, JPEG, TIFF, BMP and GIF: whole or not at all."""
