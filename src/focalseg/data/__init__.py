"""From files or phantoms to tensors."""
