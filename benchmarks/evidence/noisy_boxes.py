"""Gives the images whose boxes a split takes away a made-up detector's boxes instead.

    python benchmarks/evidence/noisy_boxes.py datasets/quickstart --percent 10 --seed 0

writes into `annotations/` of a folder of rendered scenes

    labelled_<percent>_<seed>.json    boxes on the strong images of the split (as
                                      STRONG_PERCENT and split_seed draw it), labels on
                                      the others
    noisy_<percent>_<seed>.json       COCO results for the others

for the matrix `machine_boxes`. Of the true boxes a share (`--recall`) is found, each
side moved by a few percent of the object. To these come wrong ones until the share of
right ones is `--precision`: half of them a true object under another class, half a box
of some object of the set, of a class and at a place that are drawn. Scores are above
0.5; those of right boxes are higher in the mean (0.80 against 0.70), but overlap.
"""

import argparse
import json
import os
from typing import NamedTuple

import numpy as np

from ehsod_tf import data
from ehsod_tf.structures import PRESENT, ImageSet

# Standard deviation of a side, in sides of the object.
_JITTER = 0.06


class Noisy(NamedTuple):
    """A detector's boxes.

    Attributes:
        images: [n] rows of the set.
        classes: [n].
        boxes: [n, 4] yxyx.
        scores: [n].
        is_right: [n] bool, made of a true box.
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    is_right: np.ndarray


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", help="of rendered scenes")
    parser.add_argument("--percent", type=float, default=10.0)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the split and the noise"
    )
    parser.add_argument("--recall", type=float, default=0.7)
    parser.add_argument("--precision", type=float, default=0.6)
    arguments = parser.parse_args()
    folder = os.path.join(arguments.data_dir, "annotations")
    image_set = data.read_coco(
        os.path.join(folder, "instances_train.json"),
        os.path.join(arguments.data_dir, "train"),
    )
    split = data.make_split(image_set, arguments.percent, arguments.seed)
    mixed = data.apply_split(image_set, split)
    name = f"{arguments.percent:g}_{arguments.seed}.json"
    data.write_coco(
        mixed,
        os.path.join(folder, f"labelled_{name}"),
        os.path.join(arguments.data_dir, "train"),
    )
    rest = data.select_images(image_set, ~mixed.has_boxes)
    noisy = make_noisy_boxes(
        rest, arguments.recall, arguments.precision, arguments.seed
    )
    path = os.path.join(folder, f"noisy_{name}")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(list_results(rest, noisy), file)
    print(
        f"{path}: {len(noisy.scores)} boxes on {len(rest.paths)} images, "
        f"{noisy.is_right.mean():.3f} of them right; of {len(rest.boxes)} objects "
        f"{noisy.is_right.sum() / len(rest.boxes):.3f} found"
    )
    labels = rest.image_labels[noisy.images, noisy.classes] == PRESENT
    kept = noisy.is_right[labels]
    print(f"of those whose class is labelled present {kept.mean():.3f} are right")


def make_noisy_boxes(
    image_set: ImageSet, recall: float, precision: float, seed: int
) -> Noisy:
    """Draws a detector's boxes for images whose true boxes are known."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(image_set.paths)), np.diff(image_set.row_splits))
    found = np.flatnonzero(rng.random(len(owners)) < recall)
    num_wrong = round(len(found) * (1 - precision) / precision)
    confused, placed = np.array_split(rng.integers(0, len(owners), num_wrong), 2)
    num_classes = len(image_set.class_names)
    others = image_set.classes[confused] + rng.integers(1, num_classes, len(confused))
    images = np.concatenate(
        [
            owners[found],
            owners[confused],
            rng.integers(0, len(image_set.paths), len(placed)),
        ]
    )
    classes = np.concatenate(
        [
            image_set.classes[found],
            others % num_classes,
            rng.integers(0, num_classes, len(placed)),
        ]
    )
    limits = np.tile(image_set.sizes[images].astype(float), 2)
    boxes = np.concatenate(
        [
            _jitter(image_set.boxes[found], rng),
            _jitter(image_set.boxes[confused], rng),
            _move(image_set.boxes[placed], limits[-len(placed) :, :2], rng),
        ]
    )
    is_right = np.arange(len(images)) < len(found)
    scores = 0.5 + 0.5 * np.where(
        is_right, rng.beta(3, 2, len(images)), rng.beta(2, 3, len(images))
    )
    return Noisy(images, classes, np.clip(boxes, 0, limits), scores, is_right)


def _jitter(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return boxes + _JITTER * sides * rng.standard_normal(boxes.shape)


def _move(boxes: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The boxes at places that are drawn, inside images of these sizes."""
    sides = np.minimum(boxes[:, 2:] - boxes[:, :2], sizes)
    corners = rng.random(sides.shape) * (sizes - sides)
    return np.concatenate([corners, corners + sides], axis=1)


def list_results(image_set: ImageSet, noisy: Noisy) -> list[dict]:
    """The boxes as COCO results."""
    ymin, xmin, ymax, xmax = noisy.boxes.T
    corners = np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1)
    category_ids = np.array(image_set.category_ids)[noisy.classes]
    return [
        {"image_id": image_id, "category_id": number, "bbox": box, "score": score}
        for image_id, number, box, score in zip(
            image_set.image_ids[noisy.images].tolist(),
            category_ids.tolist(),
            corners.tolist(),
            noisy.scores.tolist(),
            strict=True,
        )
    ]


if __name__ == "__main__":
    main()
