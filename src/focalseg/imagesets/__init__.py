"""Image sets on disk: how they are recognised, read, checked, split and mended. Nothing here knows of torch or attention."""
