"""The COCO metrics for boxes: average precision and recall over IoU 0.50:0.95."""

import contextlib
import io

import faster_coco_eval
import numpy as np
import pycocotools.coco
import pycocotools.cocoeval

from ehsod_tf.evaluation.results import Results
from ehsod_tf.evaluation.validation import check_ground_truth, check_results
from ehsod_tf.structures import ImageSet

# In the order of COCOeval.stats.
FIGURES = tuple("AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl".split())

_ENGINES = {
    "fast": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
    "pycocotools": (pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval),
}


def evaluate_coco(
    image_set: ImageSet, results: Results, *, engine: str = "fast"
) -> dict:
    """Computes the twelve COCO figures, and AP and AP50 of each class.

    Args:
        image_set: `ImageSet` whose boxes all are known. Ignored objects are crowds.
        results: `Results` on its images.
        engine: "fast" for faster-coco-eval, or "pycocotools", the reference. A test
            holds them to the same matches, and their figures to differ by rounding
            only: faster-coco-eval leaves out an epsilon of 2e-16 in the precision.

    Returns:
        `FIGURES` by name, in [0, 1], and `per_class`, ``{name: {"AP", "AP50"}}``. A
        figure that no object counts for, as of a class without objects, is None.

    Raises:
        DataError: see `ehsod_tf.evaluation.validation`.
        ValueError: there is no such engine.
    """
    if engine not in _ENGINES:
        raise ValueError(f"engine {engine!r} is none of {sorted(_ENGINES)}")
    check_ground_truth(image_set)
    check_results(image_set, results)
    evaluator = _start(image_set, results, engine)
    with _silenced():
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    figures = dict(zip(FIGURES, map(_to_figure, evaluator.stats), strict=True))
    return {**figures, "per_class": _measure_classes(image_set, evaluator)}


def trace_coco_precision(image_set: ImageSet, results: Results) -> np.ndarray:
    """The curves whose means are the classes' AP50.

    Args:
        image_set, results: see `evaluate_coco`.

    Returns:
        [K, 101] float64: the best precision at the recalls 0, 0.01 .. 1 or above; NaN
        for a class without objects.
    """
    check_ground_truth(image_set)
    check_results(image_set, results)
    evaluator = _start(image_set, results, "fast")
    evaluator.params.iouThrs = np.array([0.5])
    evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluator.params.maxDets = [100]
    with _silenced():
        evaluator.evaluate()
        evaluator.accumulate()
    columns = [evaluator.params.catIds.index(c) for c in image_set.category_ids]
    precision = evaluator.eval["precision"][0, :, columns, 0, 0]
    return np.where(precision < 0, np.nan, precision)


def _start(image_set, results, engine):
    index_class, evaluator_class = _ENGINES[engine]
    with _silenced():
        return evaluator_class(
            _index(index_class, image_set, _list_objects(image_set)),
            _index(index_class, image_set, _list_detections(image_set, results)),
            iouType="bbox",
        )


def _silenced():
    # pycocotools prints its progress, and there is no switch against it.
    return contextlib.redirect_stdout(io.StringIO())


def _index(index_class, image_set, annotations):
    index = index_class()
    index.dataset = {
        "images": [{"id": image_id} for image_id in image_set.image_ids.tolist()],
        "categories": [
            {"id": category, "name": name}
            for category, name in zip(
                image_set.category_ids, image_set.class_names, strict=True
            )
        ],
        "annotations": annotations,
    }
    index.createIndex()
    return index


def _list_objects(image_set):
    image_ids = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
    annotations = _list_annotations(
        image_set, image_ids, image_set.classes, image_set.boxes, image_set.areas
    )
    for annotation, ignored in zip(
        annotations, image_set.ignored.tolist(), strict=True
    ):
        annotation["iscrowd"] = int(ignored)
    return annotations


def _list_detections(image_set, results):
    areas = np.prod(results.boxes[:, 2:] - results.boxes[:, :2], axis=1)
    annotations = _list_annotations(
        image_set, results.image_ids, results.classes, results.boxes, areas
    )
    for annotation, score in zip(annotations, results.scores.tolist(), strict=True):
        annotation["score"] = score
        annotation["iscrowd"] = 0
    return annotations


def _list_annotations(image_set, image_ids, classes, boxes, areas):
    ymin, xmin, ymax, xmax = boxes.T
    xywh = np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1)
    category_ids = np.asarray(image_set.category_ids, np.int64)[classes]
    columns = (image_ids, category_ids, xywh, areas)
    rows = zip(*(np.asarray(column).tolist() for column in columns), strict=True)
    # Ids start at 1: to the COCO tools, a match with id 0 is no match.
    return [
        {"id": i, "image_id": image, "category_id": category, "bbox": box, "area": area}
        for i, (image, category, box, area) in enumerate(rows, start=1)
    ]


def _measure_classes(image_set, evaluator):
    precision = evaluator.eval["precision"]  # [IoU, recall, class, area, detections]
    columns = {category: k for k, category in enumerate(evaluator.params.catIds)}
    per_class = {}
    for name, category in zip(
        image_set.class_names, image_set.category_ids, strict=True
    ):
        of_class = precision[:, :, columns[category], 0, -1]
        per_class[name] = {
            "AP": _to_figure(np.mean(of_class)),
            "AP50": _to_figure(np.mean(of_class[0])),
        }
    return per_class


def _to_figure(value):
    # -1 is the COCO tools' way to say that no object counts.
    return None if value == -1 else float(value)
