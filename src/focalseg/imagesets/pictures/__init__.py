"""PNG, JPEG, TIFF, BMP and GIF files: read whole or not at all."""
