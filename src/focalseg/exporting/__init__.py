"""Models for other programs: ONNX and MONAI bundles, each compared with the model it was made of before it is called done."""
