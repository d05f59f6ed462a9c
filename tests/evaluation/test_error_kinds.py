"""Kinds of errors and their costs: by hand, and equal to tidecv's."""

import numpy as np
import pytest

from ehsod_tf.evaluation import KINDS, match_detections, measure_errors
from ehsod_tf.evaluation.matching import to_xywh

BOX = [0, 0, 40, 40]
# In tidecv's names and order: class, box, both, duplicate, background, missed.
TIDE_NAMES = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")


def name_kinds(image_set, results):
    matches = match_detections(image_set, results)
    names = np.empty(len(matches.rows), object)
    names[matches.rows] = [KINDS[kind] for kind in matches.kinds]
    return names.tolist(), matches


@pytest.mark.parametrize(
    "rows, kinds",
    [
        ([(0, 0.9, BOX)], ["right"]),
        ([(0, 0.9, [0, 0, 40, 20])], ["right"]),
        ([(0, 0.9, [0, 0, 40, 19])], ["localisation"]),
        ([(1, 0.9, BOX)], ["classification"]),
        ([(1, 0.9, [0, 0, 40, 10])], ["both"]),
        ([(0, 0.9, BOX), (0, 0.8, [0, 0, 40, 38])], ["right", "duplicate"]),
        ([(0, 0.8, BOX), (0, 0.9, [0, 0, 40, 38])], ["duplicate", "right"]),
        ([(0, 0.9, [60, 60, 90, 90])], ["background"]),
        ([(1, 0.9, [60, 60, 90, 90])], ["background"]),
    ],
)
def test_kinds_by_hand(make_image_set, make_results, rows, kinds):
    image_set = make_image_set({3: [(0, BOX, False)], 4: []})
    results = make_results([(3, *row) for row in rows])
    assert name_kinds(image_set, results)[0] == kinds


def test_found_objects_know_their_detection(make_image_set, make_results):
    far = [50, 100, 90, 140]
    image_set = make_image_set({3: [(0, BOX, False), (1, far, False)]})
    results = make_results([(3, 0, 0.2, [60, 60, 90, 90]), (3, 1, 0.9, far)])
    kinds, matches = name_kinds(image_set, results)
    assert kinds == ["background", "right"]
    assert matches.found_by.tolist() == [-1, 1]


def test_a_detection_on_a_crowd_does_not_count(make_image_set, make_results):
    image_set = make_image_set({3: [(0, BOX, True), (0, [50, 50, 90, 90], False)]})
    results = make_results([(3, 0, 0.9, [0, 0, 20, 20]), (3, 1, 0.8, [0, 0, 20, 20])])
    assert match_detections(image_set, results).is_ignored.tolist() == [True, False]


def test_costs_by_hand(make_image_set, make_results):
    """One object is found, one has a wrong class: AP50 is 51 / 101 and 0."""
    far = [50, 100, 90, 140]
    image_set = make_image_set({3: [(0, BOX, False), (0, far, False)]})
    results = make_results([(3, 0, 0.9, BOX), (3, 1, 0.8, far)])
    matches = match_detections(image_set, results)
    errors = {e.name: e for e in measure_errors(image_set, results, matches)}
    # Class 1 has no object, only the detection that repair takes to class 0.
    assert errors["classification"].count == 1
    assert errors["classification"].cost == pytest.approx(1 - 51 / 101 / 2)
    assert all(e.count == 0 for e in errors.values() if e.name != "classification")


def test_missed_objects(make_image_set, make_results):
    far = [50, 100, 90, 140]
    image_set = make_image_set({3: [(0, BOX, False)], 4: [(0, far, False)]})
    results = make_results([(3, 0, 0.9, BOX)])
    matches = match_detections(image_set, results)
    missed = measure_errors(image_set, results, matches)[-1]
    assert missed == ("missed", 1, pytest.approx(1 - 51 / 101))


@pytest.mark.parametrize(
    "seed, costs, counts",
    [
        # Of tidecv 1.0.1, which has not changed since 2020.
        (
            0,
            [0, 12.693447217200918, 0.12487109570914257, 0.7783363087210091,
             7.1480316434233675, 0.7497845871798994],
            [0, 108, 22, 98, 491, 5],
        ),
        (
            1,
            [0, 4.03673078742694, 0, 0.31502863756098876, 11.254742222584955,
             2.0340767000052935],
            [9, 78, 43, 145, 419, 14],
        ),
    ],
)  # fmt: skip
def test_recorded_figures_of_tidecv(draw_case, seed, costs, counts):
    image_set, results = draw_case(seed)
    matches = match_detections(image_set, results)
    errors = measure_errors(image_set, results, matches)
    assert [e.count for e in errors] == counts
    np.testing.assert_allclose([100 * e.cost for e in errors], costs, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_tidecv(draw_case, seed):
    image_set, results = draw_case(seed)
    counts, costs = run_tide(image_set, results)
    matches = match_detections(image_set, results)
    errors = measure_errors(image_set, results, matches)
    assert [e.count for e in errors] == counts
    np.testing.assert_allclose([100 * e.cost for e in errors], costs, atol=1e-9)


def run_tide(image_set, results):
    """Counts and costs of tidecv, in points of AP50."""
    tidecv = pytest.importorskip("tidecv")
    truth, found = tidecv.Data("truth"), tidecv.Data("found")
    boxes = to_xywh(image_set.boxes).tolist()
    for image, image_id in enumerate(image_set.image_ids.tolist()):
        truth.add_image(image_id, str(image_id))
        for row in range(*image_set.row_splits[image : image + 2]):
            add = truth.add_ground_truth
            if image_set.ignored[row]:
                add = truth.add_ignore_region
            add(image_id, int(image_set.classes[row]), boxes[row])
    rows = zip(*(column.tolist() for column in results), strict=True)
    for image_id, box, score, k in rows:
        found.add_detection(image_id, k, score, to_xywh([box])[0].tolist())
    tide = tidecv.TIDE()
    run = tide.evaluate(truth, found, mode=tidecv.TIDE.BOX)
    counts = {kind.short_name: n for kind, n in run.count_errors().items()}
    costs = tide.get_main_errors()["found"]
    return ([d[name] for name in TIDE_NAMES] for d in (counts, costs))
