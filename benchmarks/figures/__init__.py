"""The blocks of figures in the README and the documentation, and what each is made from."""
