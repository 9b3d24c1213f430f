"""Built-in images, made by the project and seeded: three that look like a modality, the others with a known truth."""
