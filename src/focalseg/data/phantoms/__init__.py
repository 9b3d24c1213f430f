"""Built-in images, made by the project and seeded: three that look like a modality, three whose truth is known."""
