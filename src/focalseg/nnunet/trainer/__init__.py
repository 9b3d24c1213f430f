"""The folder for nnU-Net's environment variable nnUNet_extTrainer: a file per trainer, named after it."""
