"""Records of what a job's arms differ by: group by group of cases, and what a claim rests on."""
