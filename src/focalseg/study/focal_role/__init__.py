"""The role of the focal parameter: its curves, its maps on one image, and its effect on trainings."""
