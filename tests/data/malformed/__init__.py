"""A table of malformed files, each with the error it gives and what a run leaves out.

`coco_cases`, `voc_cases`, `csv_cases`, `folder_cases`, `image_cases` and `split_cases`
hold the rows, by source; `test_malformed` runs them all.
"""
