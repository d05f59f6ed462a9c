"""VOC average precision by hand, and against the devkit's own loops."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from supervision import mark_boxed

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation import voc

OBJECT, ELSEWHERE = [10, 10, 30, 30], [60, 60, 80, 80]


def test_precision_by_hand():
    """Four objects; of six detections the 1st, 3rd and 6th are hits.

    After each:  recall     1/4  1/4  2/4  2/4  2/4  3/4
                 precision   1   1/2  2/3  2/4  2/5  3/6
    The best precision at a recall of at least r is 1 up to r = 1/4, 2/3 up to 2/4, 1/2
    up to 3/4, and 0 beyond.
    Area:     (1 + 2/3 + 1/2) / 4 = 13/24.
    11-point: 1 at 0, .1, .2; 2/3 at .3, .4, .5; 1/2 at .6, .7; 0 at .8, .9, 1:
              (3 + 2 + 1) / 11 = 6/11.
    """
    hits = np.array([1, 0, 1, 0, 0, 1], bool)
    assert voc.compute_ap_area(hits, 4) == pytest.approx(13 / 24, abs=1e-15)
    assert voc.compute_ap_11point(hits, 4) == pytest.approx(6 / 11, abs=1e-15)


def test_recall_of_three_tenths_reaches_the_threshold_of_three_tenths():
    """3 of 10 objects found, no miss: precision 1 at recalls 0, .1, .2 and .3."""
    assert voc.compute_ap_11point(np.ones(3, bool), 10) == pytest.approx(4 / 11)


def test_difficult_repeated_and_wrong_detections(make_image_set, make_results):
    """class0 has two objects, in images 1 and 2, and a difficult one in image 2.

    By score: .9 hit in image 1; .8 on the difficult object, left out; .7 the same
    object of image 1 again, a miss; .6 in image 3, which has no object, a miss; .5 a
    hit in image 2. Counted: hit, miss, miss, hit; precisions 1 and 2/4.
    Area (1 + 1/2) / 2; 11-point 1 at 0 .. .5, and 1/2 at .6 .. 1: (6 + 2.5) / 11.
    class1 has a difficult object only, hence no AP, and does not enter the mean.
    """
    image_set = make_image_set(
        {
            1: [(0, OBJECT, False)],
            2: [(0, OBJECT, False), (0, ELSEWHERE, True), (1, ELSEWHERE, True)],
            3: [],
        }
    )
    results = make_results(
        [
            (2, 0, 0.5, OBJECT),
            (3, 0, 0.6, OBJECT),
            (1, 0, 0.7, OBJECT),
            (2, 0, 0.8, ELSEWHERE),
            (1, 0, 0.9, OBJECT),
            (1, 1, 0.9, OBJECT),
        ]
    )
    figures = voc.evaluate_voc(image_set, results)
    row = figures["per_class"]["class0"]
    assert row["num_objects"] == 2
    assert row["ap50_area"] == pytest.approx(0.75, abs=1e-15)
    assert row["ap50_11point"] == pytest.approx(8.5 / 11, abs=1e-15)
    assert figures["per_class"]["class1"] == {
        "ap50_11point": None,
        "ap50_area": None,
        "num_objects": 0,
    }
    assert figures["voc_ap50_area"] == row["ap50_area"]
    assert figures["voc_ap50_11point"] == row["ap50_11point"]


@pytest.mark.parametrize("width, hit", [(10, True), (9.999, False)])
def test_iou_of_one_half_is_a_hit(make_image_set, make_results, width, hit):
    image_set = make_image_set({1: [(0, [0, 0, 20, 20], False)]})
    results = make_results([(1, 0, 0.9, [0, 0, 20, width])])
    assert voc.evaluate_voc(image_set, results)["voc_ap50_area"] == float(hit)


def test_a_detection_counts_for_its_nearest_object_only(make_image_set, make_results):
    """Both detections overlap object A most, though the second overlaps B by 0.6."""
    a, b = [0, 0, 10, 100], [0, 20, 10, 120]
    image_set = make_image_set({1: [(0, a, False), (0, b, False)]})
    results = make_results([(1, 0, 0.9, a), (1, 0, 0.8, [0, 5, 10, 105])])
    assert voc.evaluate_voc(image_set, results)["voc_ap50_area"] == 0.5


def test_class_and_image_must_agree(make_image_set, make_results):
    image_set = make_image_set({1: [(0, OBJECT, False)], 2: [(1, OBJECT, False)]})
    results = make_results([(1, 1, 0.9, OBJECT), (2, 0, 0.9, OBJECT)])
    assert voc.evaluate_voc(image_set, results)["voc_ap50_area"] == 0


def test_perfect_and_no_detections(draw_case, make_results):
    image_set, _ = draw_case(seed=0)
    images = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
    perfect = make_results(
        list(
            zip(
                images,
                image_set.classes,
                np.ones(len(images)),
                image_set.boxes,
                strict=True,
            )
        )
    )
    figures = voc.evaluate_voc(image_set, perfect)
    assert figures["voc_ap50_11point"] == pytest.approx(1, abs=1e-15)
    assert figures["voc_ap50_area"] == 1
    figures = voc.evaluate_voc(image_set, make_results([]))
    assert figures["voc_ap50_11point"] == figures["voc_ap50_area"] == 0


def test_set_without_objects_has_no_figure(make_image_set, make_results):
    figures = voc.evaluate_voc(make_image_set({1: []}), make_results([]))
    assert figures["voc_ap50_11point"] is None and figures["voc_ap50_area"] is None


def test_order_of_the_results_does_not_matter_between_images(draw_case):
    image_set, results = draw_case(seed=5)
    order = np.argsort(results.image_ids, kind="stable")
    shuffled = type(results)(*(column[order] for column in results))
    assert voc.evaluate_voc(image_set, shuffled) == voc.evaluate_voc(image_set, results)


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_devkit_loops(draw_case, seed):
    """On 1-based inclusive corners, with the + 1 in every width and height."""
    image_set, results = draw_case(seed)
    figures = voc.evaluate_voc(image_set, results)
    for k, name in enumerate(image_set.class_names):
        expected = _run_devkit_loops(image_set, results, k)
        row = figures["per_class"][name]
        assert (row["ap50_11point"], row["ap50_area"]) == pytest.approx(expected)


def test_image_without_known_boxes_is_refused(make_image_set, make_results):
    image_set = make_image_set({1: [], 2: []})
    image_set = mark_boxed(image_set, [True, False])
    with pytest.raises(DataError, match=r"1 of 2 images: image2\.jpg"):
        voc.evaluate_voc(image_set, make_results([]))


def _run_devkit_loops(image_set, results, k):
    """VOCevaldet.m and VOCap.m, line by line; recalls as fractions."""
    to_voc = np.array([1, 1, 0, 0])
    objects, num_objects = {}, 0
    for i, image_id in enumerate(image_set.image_ids):
        rows = range(*image_set.row_splits[i : i + 2])
        objects[image_id] = [
            [image_set.boxes[r] + to_voc, image_set.ignored[r], False]
            for r in rows
            if image_set.classes[r] == k
        ]
        num_objects += sum(not difficult for _, difficult, _ in objects[image_id])
    if not num_objects:
        return None, None

    detections = [r for r in range(len(results.scores)) if results.classes[r] == k]
    detections.sort(key=lambda r: -results.scores[r])
    points, tp, fp = [], 0, 0
    for r in detections:
        box, best, best_iou = results.boxes[r] + to_voc, None, -np.inf
        for candidate in objects[results.image_ids[r]]:
            y0, x0 = np.maximum(box[:2], candidate[0][:2])
            y1, x1 = np.minimum(box[2:], candidate[0][2:])
            height, width = y1 - y0 + 1, x1 - x0 + 1
            if height > 0 and width > 0:
                both = height * width
                iou = both / (_measure(box) + _measure(candidate[0]) - both)
                if iou > best_iou:
                    best, best_iou = candidate, iou
        if best_iou >= 0.5:
            if best[1]:
                continue
            tp, fp = (tp, fp + 1) if best[2] else (tp + 1, fp)
            best[2] = True
        else:
            fp += 1
        points.append((Fraction(tp, num_objects), Fraction(tp, tp + fp)))

    def best_precision(recall):
        return max([p for r, p in points if r >= recall], default=Fraction(0))

    ap_11point = sum(best_precision(Fraction(t, 10)) for t in range(11)) / 11
    recalls = sorted({Fraction(0), *(r for r, _ in points)})
    ap_area = sum(
        (high - low) * best_precision(high) for low, high in pairwise(recalls)
    )
    return float(ap_11point), float(ap_area)


def _measure(box):
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
