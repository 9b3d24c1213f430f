"""Many runs and what follows from them: the grid, its execution, the main job."""
