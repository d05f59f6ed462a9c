"""What must hold before a metric is computed.

The COCO tools do not check their input: a NaN box, an annotation id 0 or an id used
twice gives wrong figures without a word.
"""

import numpy as np

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation.results import Results, find_images
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count

# Names listed in an error message; it stays one line that a person reads.
_NAMES_SHOWN = 5


def check_ground_truth(image_set: ImageSet) -> None:
    """Checks that the image set can serve as ground truth.

    Raises:
        DataError: it has no image, an image without known boxes, ids used twice, or a
            box that is not finite or lies inside out.
    """
    if not len(image_set.image_ids):
        raise DataError("the evaluated image set has no image")
    weak = np.flatnonzero(~image_set.is_strong)
    if weak.size:
        raise DataError(
            "no boxes to evaluate against, in "
            f"{weak.size:,} of {count(len(image_set.image_names), 'image')}: "
            f"{list_names(image_set, weak)}; evaluate on images whose boxes are known"
        )
    _check_unique("image id", image_set.image_ids)
    _check_unique("category id", image_set.category_ids)
    _check_unique("class name", image_set.class_names)
    boxes = image_set.boxes
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    bad |= ~np.isfinite(image_set.areas)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        image = int(np.searchsorted(image_set.row_splits, row, side="right")) - 1
        raise DataError(
            f"{image_set.image_names[image]}: ground-truth box {boxes[row].tolist()} "
            f"of area {image_set.areas[row]} is not finite or lies inside out; correct "
            "the annotation"
        )


def check_results(image_set: ImageSet, results: Results) -> None:
    """Checks that the results can be compared with the image set.

    Raises:
        DataError: an image or class is unknown, or a box or score is not finite or a
            box lies inside out.
    """
    images = find_images(image_set, results.image_ids)
    boxes = results.boxes
    bad = ~np.isfinite(boxes).all(axis=1) | ~np.isfinite(results.scores)
    bad |= (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    bad |= (results.classes < 0) | (results.classes >= len(image_set.class_names))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{image_set.image_names[images[row]]}: detection {row} is not usable: box "
            f"{boxes[row].tolist()}, score {results.scores[row]}, class "
            f"{results.classes[row]} of {len(image_set.class_names)}"
        )


def list_names(image_set: ImageSet, rows: np.ndarray) -> str:
    """Names the first few of the images, for an error message."""
    names = [image_set.image_names[row] for row in rows[:_NAMES_SHOWN]]
    return ", ".join(names) + (", …" if len(rows) > _NAMES_SHOWN else "")


def _check_unique(what, values):
    seen, counts = np.unique(np.asarray(values), return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{what} {seen[counts > 1][0]} is used twice in the evaluated image set"
        )
