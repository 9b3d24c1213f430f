"""From a data set and settings to runs that can start."""
