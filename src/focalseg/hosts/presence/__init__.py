"""Whether attention that was put into a network still acts: what was added, what a pass has reached, and what has vanished."""
