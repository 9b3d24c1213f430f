"""The other house: image sets on disk, recognised, read, checked, split and mended. It knows no torch and no attention."""
