"""Where attention can stand: host networks, their sites, and how attention is put in, switched, saved and taken out."""
