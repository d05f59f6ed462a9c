"""Annotation files in, `ImageSet` out: a module for each form, and for mixtures."""
