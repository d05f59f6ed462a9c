import numpy as np
import pytest

from ehsod_tf.evaluation import (
    choose_operating_point,
    count_confusions,
    match_detections,
    trace_curves,
)
from ehsod_tf.evaluation.runner import compute_figures

BOX, FAR = [0, 0, 40, 40], [50, 100, 90, 140]


def count(image_set, results, min_score=0.0):
    matches = match_detections(image_set, results)
    return count_confusions(image_set, results, matches, min_score).tolist()


def test_confusions_by_hand(make_image_set, make_results):
    image_set = make_image_set({3: [(0, BOX, False), (1, FAR, False)], 4: []})
    results = make_results(
        [(3, 0, 0.9, BOX), (3, 0, 0.6, FAR), (4, 1, 0.7, BOX), (3, 1, 0.2, BOX)]
    )
    # The last one lies on an object that was found.
    assert count(image_set, results) == [[1, 0, 0], [1, 0, 0], [0, 2, 0]]
    assert count(image_set, results, 0.65) == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert count(image_set, results, 0.95) == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("min_score", [0.0, 0.4])
def test_every_object_and_detection_is_counted_once(draw_case, min_score):
    image_set, results = draw_case(5)
    counts = np.array(count(image_set, results, min_score))
    num_classes = len(image_set.class_names)
    objects = np.bincount(image_set.classes[~image_set.ignored], minlength=num_classes)
    assert counts[:-1].sum(axis=1).tolist() == objects.tolist()
    matches = match_detections(image_set, results)
    shown = ~matches.is_ignored & (results.scores[matches.rows] >= min_score)
    assert counts[:, :-1].sum() == shown.sum()


def test_operating_point_is_the_best_of_all_thresholds(draw_case):
    image_set, results = draw_case(2)
    matches = match_detections(image_set, results)
    point = choose_operating_point(image_set, results, matches)
    num_objects = (~image_set.ignored).sum()

    def measure(score):
        shown = ~matches.is_ignored & (results.scores[matches.rows] >= score)
        hits = (matches.kinds[shown] == 0).sum()
        return hits / shown.sum(), hits / num_objects

    scores = np.unique(results.scores)
    f1 = [2 * p * r / (p + r) if p else 0.0 for p, r in map(measure, scores)]
    assert point.score == scores[np.argmax(f1)]
    assert measure(point.score) == pytest.approx(point[1:])


def test_no_operating_point_without_a_right_detection(make_image_set, make_results):
    image_set = make_image_set({3: [(0, BOX, False)]})
    for rows in ([], [(3, 0, 0.9, FAR)]):
        results = make_results(rows)
        matches = match_detections(image_set, results)
        assert choose_operating_point(image_set, results, matches) is None


@pytest.mark.parametrize("metrics", ["coco", "voc", "both"])
def test_curves_have_the_figures_of_their_classes(draw_case, metrics):
    image_set, results = draw_case(3)
    per_class = compute_figures(image_set, results, metrics=metrics)["per_class"]
    figure, curves = trace_curves(image_set, results, metrics)
    assert set(curves) == {n for n, row in per_class.items() if row[figure] is not None}
    for name, (recalls, precisions) in curves.items():
        if figure == "AP50":
            area = precisions.mean()
        else:
            area = (np.diff(recalls, prepend=0.0) * precisions).sum()
        assert area == pytest.approx(per_class[name][figure], abs=1e-12)
        assert (np.diff(precisions) <= 0).all() and (np.diff(recalls) >= 0).all()
