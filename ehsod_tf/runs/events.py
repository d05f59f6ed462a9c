"""What evaluations leave for TensorBoard: images, class maps, precision and recall."""

import os

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorboard.plugins.pr_curve.summary import raw_data_pb

from ehsod_tf import evaluation, visualization
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.explanations import explain_batch, load_examples
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import ImageSet

_NUM_IMAGES = 4
_MOST_CURVES = 20
_SIDE = 240
_THRESHOLDS = np.linspace(0, 1, 101)


class EvaluationEvents:
    """Writes into ``tensorboard/evaluation``, at the step that the model has come to.

    Args:
        experiment: the settings.
        model: whose weights are read anew at each call.
        image_set: the evaluation images.
        model_dir: the run folder.
    """

    def __init__(
        self, experiment: Experiment, model: Ehsod, image_set: ImageSet, model_dir: str
    ):
        self._experiment = experiment
        self._model = model
        self._image_set = image_set
        self._folder = os.path.join(model_dir, "tensorboard", "evaluation")
        self._writer = self._examples = None

    def write(self, results: evaluation.Results) -> None:
        """Writes the same few images each time, and a curve for each class.

        An image shows its objects, its detections and the maps of its classes.
        """
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(self._folder)
        step = int(tf.convert_to_tensor(self._model.optimizer.iterations))
        matches = evaluation.match_detections(self._image_set, results)
        with self._writer.as_default(step=step):
            for name, image in self._draw_images(results):
                tf.summary.image(f"images/{name}", image[np.newaxis])
            for summary in make_curves(self._image_set, results, matches):
                tf.summary.experimental.write_raw_pb(summary.SerializeToString())
        self._writer.flush()

    def _draw_images(self, results):
        class_names = self._image_set.class_names
        if self._examples is None:
            self._examples = load_examples(
                self._experiment, self._image_set, _NUM_IMAGES
            )
        for row, batch in self._examples:
            image = explain_batch(self._model, batch, self._image_set, row)
            shown = results.image_ids == self._image_set.image_ids[row]
            shown &= results.scores >= visualization.DEFAULT_SCORE
            zoom = image.pixels.shape[0] / self._image_set.sizes[row, 0]
            detections = visualization.draw_boxes(
                image.pixels,
                zoom * results.boxes[shown],
                results.classes[shown],
                class_names,
                results.scores[shown],
            )
            truth = visualization.draw_boxes(
                image.pixels, image.boxes, image.classes, class_names
            )
            maps = [
                visualization.overlay_map(image.pixels, class_map)
                for class_map in image.maps.values()
            ]
            caption = ", ".join([image.name, *(f"map of {k}" for k in image.maps)])
            panels = [_shrink(panel) for panel in (truth, detections, *maps)]
            yield caption, np.concatenate(panels, axis=1)


def make_curves(
    image_set: ImageSet, results: evaluation.Results, matches: evaluation.Matches
) -> list:
    """Precision and recall over the score threshold, for TensorBoard's plug-in.

    Args:
        image_set, results, matches: of one evaluation, at IoU 0.5.

    Returns:
        Serializable summaries ``curves/<class>``: all classes together, and the first
        20 that have objects.
    """
    counted = ~matches.is_ignored
    rows = matches.rows[counted]
    scores, classes = results.scores[rows], results.classes[rows]
    is_right = matches.kinds[counted] == evaluation.RIGHT
    real = image_set.classes[~image_set.ignored]
    summaries = [_make_curve("all classes", scores, is_right, len(real))]
    for k in np.unique(real)[:_MOST_CURVES]:
        own = classes == k
        summaries.append(
            _make_curve(
                image_set.class_names[k],
                scores[own],
                is_right[own],
                int((real == k).sum()),
            )
        )
    return summaries


def _make_curve(name, scores, is_right, num_objects):
    shown = scores >= _THRESHOLDS[:, np.newaxis]  # [thresholds, detections]
    hits = (shown & is_right).sum(axis=1)
    wrong = shown.sum(axis=1) - hits
    return raw_data_pb(
        f"curves/{name}",
        true_positive_counts=hits,
        false_positive_counts=wrong,
        # Of background there is no number.
        true_negative_counts=np.zeros_like(hits),
        false_negative_counts=num_objects - hits,
        precision=hits / np.maximum(hits + wrong, 1),
        recall=hits / max(num_objects, 1),
        num_thresholds=len(_THRESHOLDS),
    )


def _shrink(pixels):
    height, width, _ = pixels.shape
    scale = _SIDE / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(Image.fromarray(pixels).resize(size))
