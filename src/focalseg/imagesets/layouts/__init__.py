"""How sets lie on disk, a file each. A layout lists the cases of a set from names, folders and tables; it decodes nothing."""
