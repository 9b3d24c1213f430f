"""Inside nnU-Net: the network that its plans can name, plans with a placement, and a trainer that gathers evidence."""

from pathlib import Path

from focalseg.nnunet.factory import build as build  # nnU-Net looks for the text "focalseg.nnunet.build"

TRAINERS = Path(__file__).parent / "trainer"
"""The folder to name in nnUNet_extTrainer, where nnU-Net finds `-tr nnUNetTrainerFocal`."""
