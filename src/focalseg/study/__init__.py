"""Jobs of many runs: the main job, one training, and what both share."""
