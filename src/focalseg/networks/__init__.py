"""Networks with named places for attention."""
