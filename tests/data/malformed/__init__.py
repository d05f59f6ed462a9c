"""A table of malformed files, each with the error it gives and what a run leaves out.

`test_malformed` runs the rows, which the modules named ``..._cases`` hold by source;
`test_mutations` reads sound files that are spoilt at random.
"""
