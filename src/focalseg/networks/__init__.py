"""Our U-Net, how deep it should be, and weights as files."""
