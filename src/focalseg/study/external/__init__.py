"""A finished job on another set of images: its trainings predict it as they are, and the verdict is asked again there."""
