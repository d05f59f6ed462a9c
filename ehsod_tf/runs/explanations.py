"""Class maps and proposals of a few training images, for the report."""

import numpy as np
import tensorflow as tf

from ehsod_tf import data, visualization
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import PRESENT, Batch, ImageSet

_NUM_IMAGES = 8
_MOST_CLASSES = 4
_NUM_PROPOSALS = 40


def explain_images(
    experiment: Experiment, model: Ehsod, image_set: ImageSet
) -> list[visualization.Explained]:
    """Says what the model sees in images that show as many classes as they can.

    Args:
        experiment: the settings.
        model: with its weights as they are.
        image_set: the training images under this run's supervision.

    Returns:
        Of at most 8 images, of each kind as many where there are such; strong ones
        first.
    """
    batches = load_examples(experiment, image_set, _NUM_IMAGES)
    return [explain_batch(model, batch, image_set, row) for row, batch in batches]


def load_examples(
    experiment: Experiment, image_set: ImageSet, count: int
) -> list[tuple[int, Batch]]:
    """Loads images that show as many classes as they can, each as a batch of its own.

    Args:
        experiment: the settings.
        image_set: the set to choose from.
        count: images at most.

    Returns:
        (row of the image, its batch) of those that can be read, strong ones first.
        Others are named by whoever trains or evaluates on them.
    """
    chosen = [
        row for kind in visualization.choose_images(image_set, count) for row in kind
    ]
    rows = {int(image_set.image_ids[row]): row for row in chosen}
    dataset = data.build_evaluation_dataset(
        data.select_images(
            image_set, np.isin(np.arange(len(image_set.image_ids)), chosen)
        ),
        batch_size=1,
        resizing=experiment.resizing,
    )
    loaded, batches = {}, iter(dataset)
    for _ in chosen:
        try:
            batch = next(batches)
        except tf.errors.OpError:
            continue
        except StopIteration:
            break
        loaded[rows[int(batch.image_ids[0])]] = batch
    return [(row, loaded[row]) for row in chosen if row in loaded]


def explain_batch(
    model: Ehsod, batch: Batch, image_set: ImageSet, row: int
) -> visualization.Explained:
    """Says what the model sees in the one image of a batch.

    Args:
        model: with its weights as they are.
        batch: of one image.
        image_set: that the image is of.
        row: of the image.
    """
    height, width = batch.image_sizes[0].numpy()
    # Not compiled: to trace a graph would take longer than a few images do.
    explanation = model.explain(batch.images, batch.image_sizes)
    shown = np.flatnonzero(image_set.image_labels[row] == PRESENT)[:_MOST_CLASSES]
    maps = _join_levels(explanation.maps, height, width)
    proposals = explanation.proposals
    best = slice(0, min(_NUM_PROPOSALS, int(proposals.valid[0].numpy().sum())))
    cam_scores = explanation.cam_scores[0].numpy()[best]
    first, last = image_set.row_splits[row : row + 2]
    objects = first + np.flatnonzero(~image_set.ignored[first:last])
    zoom = np.tile(batch.scales[0].numpy().astype(np.float64), 2)
    pixels = batch.images[0, :height, :width].numpy()
    return visualization.Explained(
        name=image_set.image_names[row],
        pixels=np.clip(pixels, 0, 255).astype(np.uint8),
        kind=visualization.name_kind(image_set, row),
        boxes=zoom * image_set.boxes[objects],
        classes=image_set.classes[objects],
        maps={image_set.class_names[k]: maps[..., k] for k in shown},
        proposals=proposals.boxes[0].numpy()[best],
        rpn_scores=proposals.scores[0].numpy()[best] - cam_scores,
        cam_scores=cam_scores,
    )


def _join_levels(maps, height, width):
    """The mean over the levels, on the cells of the finest: [h, w, K]."""
    finest = min(maps)
    shape = maps[finest].shape[1:3]
    resized = [tf.image.resize(maps[level], shape)[0] for level in sorted(maps)]
    rows, columns = -(-height // 2**finest), -(-width // 2**finest)
    return (tf.add_n(resized) / len(resized)).numpy()[:rows, :columns]
