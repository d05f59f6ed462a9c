"""Small data sets with image files, for the tests of the inspection."""

import numpy as np
from PIL import Image

from ehsod_tf.structures import PRESENT, ImageSet, combine_states


def make_image_set(folder, labels, boxed, class_names, size=(60, 80)):
    """A set with one box for each present class of a strong image."""
    labels = np.array(labels, np.int8).reshape(len(boxed), len(class_names))
    boxed = np.array(boxed, bool)
    paths = [str(folder / f"{i}.jpg") for i in range(len(boxed))]
    for path in paths:
        Image.new("RGB", size[::-1], (128, 128, 128)).save(path)
    shown = (labels == PRESENT) & boxed[:, None]
    classes = np.nonzero(shown)[1].astype(np.int32)
    return ImageSet(
        class_names=tuple(class_names),
        category_ids=tuple(range(1, len(class_names) + 1)),
        image_ids=np.arange(len(boxed), dtype=np.int64),
        image_names=[f"picture {i}" for i in range(len(boxed))],
        paths=paths,
        sizes=np.tile(np.array(size, np.int32), [len(boxed), 1]),
        row_splits=np.concatenate([[0], np.cumsum(shown.sum(axis=1))]),
        boxes=np.tile([30.0, 20.0, 50.0, 60.0], [len(classes), 1]),
        classes=classes,
        areas=np.full(len(classes), 800.0),
        ignored=np.zeros(len(classes), bool),
        class_states=combine_states(labels, boxed),
    )
