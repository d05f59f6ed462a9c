"""What TensorBoard shows of the evaluations of a run."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.pr_curve import metadata

from ehsod_tf import data, evaluation
from ehsod_tf.runs.events import make_curves


@pytest.fixture(scope="module")
def events(trained):
    """{tag: {step: its value}} of the run's evaluations."""
    found = {}
    for path in (trained[0] / "tensorboard/evaluation").glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value
    return found


def test_images_show_truth_detections_and_maps(events):
    tags = [tag for tag in events if tag.startswith("images/")]
    assert len(tags) == 4
    for tag in tags:
        assert set(events[tag]) == {4}
        width, height, encoded = tf.make_ndarray(events[tag][4].tensor)
        panels = 2 + tag.count("map of")
        side, rest = divmod(int(width), panels)
        assert rest == 0 and max(side, int(height)) == 240
        assert tf.io.decode_image(encoded).shape == (int(height), int(width), 3)


def test_every_class_has_a_curve_at_every_evaluation(events, trained, scenes):
    image_set = data.read_coco(
        scenes / "annotations/instances_val.json", scenes / "val"
    )
    names = {image_set.class_names[k] for k in np.unique(image_set.classes)}
    for name in names | {"all classes"}:
        values = events[f"curves/{name}/pr_curves"]
        assert set(values) == {4}
        assert values[4].metadata.plugin_data.plugin_name == metadata.PLUGIN_NAME


def test_curves_count_what_is_right_above_a_score(scenes):
    image_set = data.read_coco(
        scenes / "annotations/instances_val.json", scenes / "val"
    )
    images = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
    scores = np.linspace(0.95, 0.2, len(images))
    # The first half is right, the other lies elsewhere.
    boxes = image_set.boxes.copy()
    half = len(images) // 2
    boxes[half:] = [0.0, 0.0, 1.0, 1.0]
    results = evaluation.Results(images, boxes, scores, image_set.classes)
    matches = evaluation.match_detections(image_set, results)
    summary = make_curves(image_set, results, matches)[0]
    counts = tf.make_ndarray(summary.value[0].tensor)
    hits, wrong, _, missed, precision, recall = counts
    middle = int(100 * (scores[half - 1] + scores[half]) / 2)
    assert hits[0] == half and wrong[0] == len(images) - half
    assert precision[middle] == 1.0 and hits[middle] <= half
    assert recall[0] == pytest.approx(half / len(images))
    assert missed[100] == len(images) and hits[100] == 0
