"""How sets lie on disk, one file per layout: it lists cases from names, folders and tables, and decodes nothing."""
