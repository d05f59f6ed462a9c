"""Running a detector over a set: every image once, and the figures as files."""

import json

import numpy as np
import pytest
import tensorflow as tf
from supervision import mark_boxed

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation import runner
from ehsod_tf.structures import Batch, Detections

BOX = [10, 10, 50, 60]


@pytest.fixture
def image_set(make_image_set):
    return make_image_set(
        {4: [(0, BOX, False)], 2: [(1, BOX, False)], 9: [(0, BOX, False)]}
    )


def _make_dataset(*batches):
    """A tf.data pipeline of batches of two, at half the size of the originals."""

    def make_batch(image_ids):
        return Batch(
            images=tf.zeros([2, 64, 128, 3]),
            image_sizes=tf.tile([[50, 100]], [2, 1]),
            scales=tf.fill([2, 2], 0.5),
            image_ids=image_ids,
            targets=(),
        )

    ids = tf.data.Dataset.from_tensor_slices(np.array(batches, np.int64))
    return ids.map(make_batch)


@tf.function
def detect_perfectly(batch):
    """Finds BOX in each image: class 1 in image 2 and class 0 in the others."""
    found = tf.cast(batch.image_ids == 2, tf.int32)
    return Detections(
        boxes=tf.tile(tf.constant([[BOX]], tf.float32) / 2, [2, 1, 1]),
        scores=tf.fill([2, 1], 0.75),
        classes=found[:, None],
        num_detections=tf.ones([2], tf.int32),
    )


def test_perfect_detector(image_set):
    progress = []
    figures, results = runner.evaluate(
        detect_perfectly,
        _make_dataset([9, 2], [4, -1]),
        image_set,
        metrics="both",
        on_batch=lambda done, total: progress.append((done, total)),
    )
    assert figures["AP"] == figures["AP50"] == pytest.approx(1)
    assert figures["voc_ap50_11point"] == figures["voc_ap50_area"] == pytest.approx(1)
    assert figures["per_class"]["class0"].keys() == {
        *("AP", "AP50", "ap50_11point", "ap50_area", "num_objects")
    }
    assert progress == [(2, 3), (3, 3)]
    np.testing.assert_array_equal(results.image_ids, [4, 2, 9])
    np.testing.assert_array_equal(results.boxes, [BOX] * 3)


@pytest.mark.parametrize(
    "metrics, present, absent",
    [("coco", "AP", "voc_ap50_area"), ("voc", "voc_ap50_area", "AP")],
)
def test_only_the_metrics_asked_for(image_set, metrics, present, absent):
    dataset = _make_dataset([9, 2], [4, -1])
    figures, _ = runner.evaluate(detect_perfectly, dataset, image_set, metrics=metrics)
    assert present in figures and absent not in figures


@pytest.mark.parametrize(
    "batches, complaint",
    [
        ([[9, 2]], r"1 of 3 images never came .*image4\.jpg"),
        ([[9, 2], [4, 9]], r"1 of 3 images came twice .*image9\.jpg"),
        ([[2, 2]], r"1 of 3 images came twice .*image2\.jpg"),
        ([[9, 2], [4, 5]], "image id 5 is not in"),
    ],
)
def test_every_image_must_come_once(image_set, batches, complaint):
    with pytest.raises(DataError, match=complaint):
        runner.evaluate(detect_perfectly, _make_dataset(*batches), image_set)


def test_weak_images_are_refused_before_the_detector_runs(image_set):
    def refuse(batch):
        raise AssertionError("the detector was run")

    weak = mark_boxed(image_set, [True, False, True])
    with pytest.raises(DataError, match=r"1 of 3 images: image2\.jpg"):
        runner.evaluate(refuse, _make_dataset([9, 2], [4, -1]), weak)


def test_unknown_metric_is_refused(image_set):
    with pytest.raises(ValueError, match="lvis"):
        runner.evaluate(detect_perfectly, _make_dataset(), image_set, metrics="lvis")


def test_metrics_file_is_sorted_and_exact(tmp_path):
    figures = {"AP": 0.1 + 0.2, "AP50": None, "per_class": {"b": {"AP": 1 / 3}}}
    path = tmp_path / "metrics.json"
    runner.write_metrics(path, figures)
    assert json.loads(path.read_text()) == figures
    reordered = dict(reversed(figures.items()))
    runner.write_metrics(tmp_path / "again.json", reordered)
    assert (tmp_path / "again.json").read_text() == path.read_text()


def test_metrics_file_never_holds_nan(tmp_path):
    with pytest.raises(ValueError):
        runner.write_metrics(tmp_path / "metrics.json", {"AP": float("nan")})


def test_table_lines_up():
    figures = {
        "AP": 0.51237,
        "AP50": None,
        "per_class": {
            "cat": {"AP": 0.25, "num_objects": 3},
            "aeroplane": {"AP": None, "num_objects": 12},
        },
    }
    assert runner.format_figures(figures).splitlines() == [
        "    AP  AP50",
        "0.5124     –",
        "",
        "class          AP  num_objects",
        "cat        0.2500            3",
        "aeroplane       –           12",
    ]
