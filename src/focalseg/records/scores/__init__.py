"""Records of what was scored: two folders of masks, systems compared, a job on another set."""
