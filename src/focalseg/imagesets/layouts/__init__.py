"""How sets lie on disk: one file per layout, which lists the cases from names, folders and tables and decodes nothing."""
