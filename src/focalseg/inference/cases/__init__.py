"""Files of images in, files of masks out: what `focalseg predict` does besides predicting."""
