"""What a job costs before it starts, and how it is made to fit into hours."""
