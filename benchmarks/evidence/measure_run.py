"""Measures what a trained run knows besides its detections.

    python benchmarks/evidence/measure_run.py runs/quickstart

Writes ``evidence.json`` into the run folder: its figures, the recall of its proposals
with and without the CAM term, and how well the CAM branch and MID name the classes of
an image. Of a run that keeps averages of its weights, it measures these, as they are
what the run exports; AP and AP50 of the weights themselves are called ``raw_…``.
``--detections_only`` leaves out what takes most of the time: all but the detections.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import tensorflow as tf

from ehsod_tf.api import load_experiment
from ehsod_tf.evaluation import Results, unscale, write_detections
from ehsod_tf.evaluation.results import merge_results
from ehsod_tf.runs.data import load_evaluation_set, make_evaluation_dataset
from ehsod_tf.runs.evaluation import evaluate
from ehsod_tf.runs.model import make_detector, restore_model
from ehsod_tf.structures import PRESENT, UNKNOWN, Detections

PROPOSALS = (100, 300, 1000)
OVERLAPS = (0.1, 0.3, 0.5, 0.7)
# The CAM's term for a model whose own proposals are ranked without one.
_CAM_OBJECTNESS = "softmax_max"
# Ways to read detections, by the name of their AP50: with a say for the proposal
# confidence, and down to scores that nobody would show, which recall profits from.
_DECODERS = {
    "AP50_fused": {"score_fusion": "mid"},
    "AP50_all_scores": {"score_threshold": 0.001},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir")
    parser.add_argument("--detections_only", action="store_true")
    arguments = parser.parse_args()
    model_dir = arguments.model_dir
    experiment = load_experiment(os.path.join(model_dir, "operative_config.gin"))
    image_set = load_evaluation_set(experiment)
    with open(os.path.join(model_dir, "metrics.json"), encoding="utf-8") as file:
        figures = json.load(file)
    del figures["per_class"]
    averaged = any(name.startswith("ema_") for name in figures)
    model = restore_model(
        experiment, model_dir, len(image_set.class_names), averaged=averaged
    )
    path = os.path.join(model_dir, "detections.json")
    if averaged:
        figures = exchange_averages(figures)
        path = os.path.join(model_dir, "detections_averaged.json")
        _, results = evaluate(experiment, make_detector(model), image_set)
        write_detections(path, results, image_set)
    figures |= measure_overlaps(path, image_set)
    if not arguments.detections_only:
        figures |= measure_parts(experiment, model, image_set)
    with open(os.path.join(model_dir, "evidence.json"), "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1, sort_keys=True)
        file.write("\n")
    for name, value in sorted(figures.items()):
        print(f"{name:32} {value}")


def exchange_averages(figures: dict) -> dict:
    """Calls the figures of the averages by the plain names, the others ``raw_…``."""
    prefix = "ema_"
    averages = {
        name.removeprefix(prefix): value
        for name, value in figures.items()
        if name.startswith(prefix)
    }
    raw = {f"raw_{name}": figures[name] for name in averages}
    rest = {
        name: value
        for name, value in figures.items()
        if name not in averages and not name.startswith(prefix)
    }
    return {**averages, **raw, **rest}


def measure_parts(experiment, model, image_set) -> dict:
    """The parts that labels teach, other ways to read detections, and the proposals."""
    dataset = make_evaluation_dataset(experiment, image_set)
    figures = measure_labels(model, dataset, image_set)
    for name, changes in _DECODERS.items():
        figures[name] = measure_decoder(experiment, model, image_set, changes)
    own = model.selector.cam_objectness
    with_cam = _CAM_OBJECTNESS if own == "none" else own
    for name, objectness in (("with_cam", with_cam), ("without_cam", "none")):
        recall = measure_recall(model, dataset, image_set, objectness)
        figures |= {f"{key}_{name}": value for key, value in recall.items()}
    return figures


def measure_decoder(experiment, model, image_set, changes) -> float:
    """AP50 if the detections are read from the same outputs in another way."""
    decoder = model.decoder
    model.decoder = dataclasses.replace(decoder, **changes)
    figures, _ = evaluate(experiment, make_detector(model), image_set)
    model.decoder = decoder
    return figures.get("AP50", figures.get("voc_ap50_area"))


def measure_overlaps(path, image_set) -> dict[str, float]:
    """How much of the score depends on how well the boxes fit.

    Args:
        path: ``detections.json`` of the run.

    Returns:
        ``ap_at_iou_<t>`` for t of `OVERLAPS`: mean over the classes, as COCO has it.
    """
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    truths = _index_truths(image_set)
    evaluator = pycocotools.cocoeval.COCOeval(truths, truths.loadRes(rows), "bbox")
    evaluator.params.iouThrs = np.array(OVERLAPS)
    _run(evaluator)
    # [IoUs, recalls, classes, sizes, numbers of detections]; -1: a class of no object.
    precision = evaluator.eval["precision"][:, :, :, 0, -1]
    return {
        f"ap_at_iou_{overlap}": float(values[values > -1].mean())
        for overlap, values in zip(OVERLAPS, precision, strict=True)
    }


def measure_labels(model, dataset, image_set) -> dict[str, float]:
    """Mean average precision over the classes of the image-level scores.

    Returns:
        ``cam_map`` and ``mid_map`` in [0, 1]. Unknown labels are left out, and classes
        that no image shows.
    """
    score = tf.function(model.score_labels, reduce_retracing=True)
    rows = {image_id: row for row, image_id in enumerate(image_set.image_ids.tolist())}
    scores = np.zeros([2, *image_set.image_labels.shape])
    for batch in dataset:
        found = score(batch.images, batch.image_sizes)
        for position, image_id in enumerate(batch.image_ids.numpy().tolist()):
            if image_id != -1:
                scores[0, rows[image_id]] = found.cam[position]
                scores[1, rows[image_id]] = found.mid[position]
    return {
        name: _average_precision(branch, image_set.image_labels)
        for name, branch in zip(("cam_map", "mid_map"), scores, strict=True)
    }


def measure_recall(model, dataset, image_set, cam_objectness) -> dict[str, float]:
    """Share of the objects that the first proposals cover, whatever their class.

    Returns:
        ``recall50_at_<n>`` at an IoU of 0.5 and ``recall_at_<n>``, the mean over 0.5 to
        0.95, for n of `PROPOSALS`, as COCO's evaluation without classes has them.
    """
    selector = dataclasses.replace(
        model.selector,
        test_pre_nms_top_k=max(PROPOSALS),
        test_max_proposals=max(PROPOSALS),
        cam_objectness=cam_objectness,
    )
    propose = tf.function(
        lambda images, sizes: model.propose(images, sizes, selector),
        reduce_retracing=True,
    )
    parts = [
        unscale(_as_detections(propose(batch.images, batch.image_sizes)), batch)
        for batch in dataset
    ]
    return _compute_recall(merge_results(parts, image_set), image_set)


def _as_detections(proposals):
    """All proposals as detections of one class."""
    return Detections(
        boxes=proposals.boxes,
        scores=tf.where(proposals.valid, proposals.scores, 0.0),
        classes=tf.where(proposals.valid, 0, -1),
        num_detections=tf.reduce_sum(tf.cast(proposals.valid, tf.int32), axis=1),
    )


def _compute_recall(results: Results, image_set) -> dict[str, float]:
    truths = _index_truths(image_set)
    found = _index(
        image_set,
        results.image_ids,
        results.boxes,
        results.classes,
        scores=results.scores,
    )
    evaluator = pycocotools.cocoeval.COCOeval(truths, found, "bbox")
    evaluator.params.useCats = 0
    evaluator.params.maxDets = list(PROPOSALS)
    _run(evaluator)
    # [IoUs, classes, sizes, numbers of detections]; the first size is all sizes.
    recall = evaluator.eval["recall"][:, 0, 0, :]
    figures = {}
    for place, number in enumerate(PROPOSALS):
        figures[f"recall50_at_{number}"] = float(recall[0, place])
        figures[f"recall_at_{number}"] = float(recall[:, place].mean())
    return figures


def _run(evaluator):
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.evaluate()
        evaluator.accumulate()


def _index_truths(image_set):
    image_of_box = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
    return _index(
        image_set,
        image_of_box,
        image_set.boxes,
        image_set.classes,
        ignored=image_set.ignored,
    )


def _index(image_set, image_ids, boxes, classes, ignored=None, scores=None):
    index = pycocotools.coco.COCO()
    annotations = []
    for position, (image_id, box) in enumerate(
        zip(image_ids.tolist(), boxes.tolist(), strict=True)
    ):
        ymin, xmin, ymax, xmax = box
        annotation = {
            "id": position + 1,
            "image_id": image_id,
            "category_id": int(image_set.category_ids[classes[position]]),
            "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
            "area": (xmax - xmin) * (ymax - ymin),
            "iscrowd": int(ignored is not None and ignored[position]),
        }
        if scores is not None:
            annotation["score"] = float(scores[position])
        annotations.append(annotation)
    index.dataset = {
        "images": [{"id": image_id} for image_id in image_set.image_ids.tolist()],
        "categories": [{"id": int(category)} for category in image_set.category_ids],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        index.createIndex()
    return index


def _average_precision(scores, labels):
    values = []
    for k in range(labels.shape[1]):
        known = labels[:, k] != UNKNOWN
        shown = labels[known, k] == PRESENT
        if shown.any():
            hits = shown[np.argsort(-scores[known, k], kind="stable")]
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            values.append(precision[hits].mean())
    return float(np.mean(values))


if __name__ == "__main__":
    main()
