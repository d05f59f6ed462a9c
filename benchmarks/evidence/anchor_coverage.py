"""Counts the large objects that no anchor is trained to find.

    python benchmarks/evidence/anchor_coverage.py VOCdevkit/VOC2007 trainval

Of the objects of a VOC list whose height and width are more than `LARGE` of those of
the image, the share without any positive anchor, with anchors within the image alone
and with all of them (`CamRpn.border_anchors`), at three sizes of the network's input.
"""

import argparse

import numpy as np
import tensorflow as tf

from ehsod_tf.data import Resizing, read_voc
from ehsod_tf.modeling.boxes.anchors import generate_anchors
from ehsod_tf.modeling.rpn_targets import sample_anchors
from ehsod_tf.structures import BOXED, Targets

LARGE = 0.6
INPUT_SIZES = ((600, 1000), (416, 640), (320, 320))
# As `CamRpn` has them by default.
_OVERLAPS = {"positive_iou": 0.7, "negative_iou": 0.3, "low_quality_iou": 0.3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("devkit")
    parser.add_argument("image_set")
    arguments = parser.parse_args()
    image_set = read_voc(arguments.devkit, arguments.image_set)
    print("input size  large objects  none inside  none of all")
    for shorter, longer in INPUT_SIZES:
        resizing = Resizing(shorter, longer)
        missed = [
            _list_missed(image_set, resizing, border_anchors)
            for border_anchors in (False, True)
        ]
        shares = "  ".join(f"{values.mean():11.3f}" for values in missed)
        print(f"{shorter:4}/{longer:<5}  {len(missed[0]):13}  {shares}")


def _list_missed(image_set, resizing, border_anchors):
    """For each large object of the set, whether it is without a positive anchor."""
    missed = []
    for row, size in enumerate(image_set.sizes):
        rows = slice(*image_set.row_splits[row : row + 2])
        boxes = image_set.boxes[rows][~image_set.ignored[rows]]
        image_size = resizing.compute_sizes(size).numpy()
        scaled = boxes * np.tile(image_size / size, 2)
        sides = (boxes[:, 2:] - boxes[:, :2]) / size
        is_large = (sides > LARGE).all(axis=1)
        if is_large.any():
            found = find_covered(scaled, image_size, border_anchors)
            missed += (~found[is_large]).tolist()
    return np.array(missed)


def find_covered(boxes, image_size, border_anchors: bool):
    """[M] bool: which of the boxes [M, 4] of one image have a positive anchor."""
    pyramid = {
        level: tf.zeros([1, *(-(-image_size // 2**level)), 1]) for level in range(2, 7)
    }
    anchors = generate_anchors(pyramid)
    targets = Targets(
        tf.constant(boxes[np.newaxis], tf.float32),
        tf.zeros([1, len(boxes)], tf.int32),
        tf.constant([[BOXED]], tf.int32),
    )
    sampled = sample_anchors(
        anchors,
        targets,
        tf.constant(image_size[np.newaxis], tf.int32),
        tf.zeros([1], tf.int64),
        num_samples=len(anchors.ids),
        positive_fraction=1.0,
        border_anchors=border_anchors,
        **_OVERLAPS,
    )
    matched = sampled.matched_boxes.numpy()[sampled.positives.numpy()]
    same = np.isclose(matched[:, np.newaxis], boxes.astype(np.float32), atol=1e-3)
    return same.all(axis=-1).any(axis=0)


if __name__ == "__main__":
    main()
