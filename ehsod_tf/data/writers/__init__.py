"""`ImageSet` in, annotation files out: a module for each form."""
