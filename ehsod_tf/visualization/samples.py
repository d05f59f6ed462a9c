"""Validation images with their ground truth and detections drawn, for the report."""

import numpy as np
from PIL import Image

from ehsod_tf.structures import ImageSet
from ehsod_tf.visualization.drawing import draw_boxes
from ehsod_tf.visualization.report import Sample

# Weaker detections count in the average precision but only clutter a picture.
MIN_SHOWN_SCORE = 0.3

# Smaller images are magnified, or their labels would hide the objects.
MIN_SHOWN_SIDE = 320


def draw_samples(image_set: ImageSet, results, count: int = 12) -> list[Sample]:
    """Draws `count` images, spread evenly over the set.

    Args:
        image_set: the evaluation images.
        results: their detections, an `ehsod_tf.evaluation.Results`.
        count: images to draw, at most.
    """
    num_images = len(image_set.image_ids)
    rows = np.unique(np.linspace(0, num_images - 1, count).astype(int))
    return [_draw_sample(image_set, results, row) for row in rows]


def _draw_sample(image_set, results, row):
    with Image.open(image_set.paths[row]) as file:
        zoom = max(1, MIN_SHOWN_SIDE // max(file.size))
        size = file.width * zoom, file.height * zoom
        image = np.asarray(file.convert("RGB").resize(size))
    truths = slice(image_set.row_splits[row], image_set.row_splits[row + 1])
    shown = (results.image_ids == image_set.image_ids[row]) & (
        results.scores >= MIN_SHOWN_SCORE
    )
    return Sample(
        image=image,
        ground_truth=draw_boxes(
            image,
            zoom * image_set.boxes[truths],
            image_set.classes[truths],
            image_set.class_names,
        ),
        detections=draw_boxes(
            image,
            zoom * results.boxes[shown],
            results.classes[shown],
            image_set.class_names,
            results.scores[shown],
        ),
        name=image_set.image_names[row],
    )
