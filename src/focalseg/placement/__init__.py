"""Sites, evidence, decisions and what they do to a network."""
