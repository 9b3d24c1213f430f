"""The page of a job's trainings on another set of images."""
