"""The COCO figures: both engines, cases known by hand, and refused input."""

import json

import numpy as np
import pytest

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation.coco import FIGURES, evaluate_coco
from ehsod_tf.structures import ABSENT, BOXED_ABSENT

BOX = [10, 10, 50, 60]


@pytest.mark.parametrize("seed", range(6))
def test_engines_agree(draw_case, seed):
    """Crowds, ties, more than 100 detections of an image, absent classes.

    Recalls, which are counts of matches, agree to the last digit; precisions up to an
    epsilon that pycocotools adds to the divisor, which is far less than one match.
    """
    image_set, results = draw_case(seed, detections_per_image=40 + 130 * (seed == 0))
    assert image_set.ignored.any()
    fast = evaluate_coco(image_set, results, engine="fast")
    reference = evaluate_coco(image_set, results, engine="pycocotools")
    assert 0 < fast["AP"] < fast["AP50"] < 1
    for name in FIGURES:
        rounding = 0 if name.startswith("AR") else 1e-14
        assert fast[name] == pytest.approx(reference[name], abs=rounding)
    for name, row in reference["per_class"].items():
        assert fast["per_class"][name] == pytest.approx(row, abs=1e-14)
    assert fast["per_class"].pop("class3") == {"AP": None, "AP50": None}
    for name in ("AP", "AP50"):
        mean = np.mean([row[name] for row in fast["per_class"].values()])
        assert mean == pytest.approx(fast[name])


@pytest.mark.parametrize("engine", ["fast", "pycocotools"])
def test_perfect_and_no_detections(draw_case, make_results, engine):
    image_set, _ = draw_case(seed=3)
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
    figures = evaluate_coco(image_set, perfect, engine=engine)
    assert figures["AP"] == figures["AP50"] == figures["APs"] == pytest.approx(1)
    assert figures["AR100"] == pytest.approx(1)
    assert figures["per_class"]["class0"]["AP"] == pytest.approx(1)
    figures = evaluate_coco(image_set, make_results([]), engine=engine)
    assert figures["AP"] == figures["AP50"] == figures["AR100"] == 0


def test_iou_of_six_tenths_counts_at_three_of_ten_thresholds(
    make_image_set, make_results
):
    """The detection covers 0.61 of the only object: a hit at 0.5, 0.55 and 0.6."""
    image_set = make_image_set({7: [(1, [0, 0, 100, 100], False)]})
    results = make_results([(7, 1, 0.4, [0, 0, 100, 61])])
    figures = evaluate_coco(image_set, results)
    assert figures["AP"] == pytest.approx(0.3)
    assert figures["AP50"] == pytest.approx(1)
    assert figures["AP75"] == 0
    assert figures["APs"] is None and figures["APl"] == pytest.approx(0.3)
    assert figures["per_class"]["class0"] == {"AP": None, "AP50": None}


def test_box_keeps_its_place_and_shape(make_image_set, make_results):
    """A wide box moved sideways by 5 of 100 pixels still overlaps by 95 / 105."""
    image_set = make_image_set({1: [(0, [60, 20, 70, 120], False)]})
    results = make_results([(1, 0, 0.5, [60, 25, 70, 125])])
    assert evaluate_coco(image_set, results)["AP"] == pytest.approx(0.9)


def test_first_object_counts(make_image_set, make_results):
    """To the COCO tools, an object with annotation id 0 can never be found."""
    image_set = make_image_set({1: [(0, BOX, False)]})
    figures = evaluate_coco(image_set, make_results([(1, 0, 0.5, BOX)]))
    assert figures["AP"] == pytest.approx(1)


def test_detection_of_a_crowd_is_no_miss(make_image_set, make_results):
    crowd = [0, 100, 90, 190]
    image_set = make_image_set({1: [(0, BOX, False), (0, crowd, True)]})
    inside = [(1, 0, 0.9, [10, 110, 30, 130]), (1, 0, 0.8, [40, 120, 80, 150])]
    figures = evaluate_coco(image_set, make_results([*inside, (1, 0, 0.5, BOX)]))
    assert figures["AP"] == pytest.approx(1)


def test_area_ranges_use_the_given_areas(make_image_set, make_results):
    """COCO gives the area of the mask: an object whose box is medium can be small."""
    image_set = make_image_set({1: [(0, BOX, False)]})
    results = make_results([(1, 0, 0.5, BOX)])
    figures = evaluate_coco(image_set, results)
    assert figures["APs"] is None and figures["APm"] == pytest.approx(1)
    figures = evaluate_coco(image_set._replace(areas=np.array([500.0])), results)
    assert figures["APs"] == pytest.approx(1) and figures["APm"] is None


def test_figures_are_plain_numbers_and_nothing_is_printed(draw_case, capfd):
    for engine in ("fast", "pycocotools"):
        figures = evaluate_coco(*draw_case(seed=1), engine=engine)
        assert list(figures) == [*FIGURES, "per_class"]
        json.dumps(figures, allow_nan=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"boxes": np.array([[10, 10, np.nan, 60]])}, r"image1\.jpg: ground-truth box"),
        ({"boxes": np.array([[50, 10, 10, 60]])}, "inside out"),
        ({"areas": np.array([np.inf])}, "not finite"),
        ({"image_ids": np.array([1, 1])}, "image id 1 is used twice"),
        ({"category_ids": (5, 5)}, "category id 5 is used twice"),
        ({"class_names": ("dog", "dog")}, "class name dog is used twice"),
        (
            {"class_states": np.array([[ABSENT], [BOXED_ABSENT]])},
            r"no boxes .*: image1\.jpg",
        ),
    ],
)
def test_unusable_ground_truth_is_refused(
    make_image_set, make_results, changes, complaint
):
    image_set = make_image_set({1: [(0, BOX, False)], 2: []})
    with pytest.raises(DataError, match=complaint):
        evaluate_coco(image_set._replace(**changes), make_results([]))


def test_set_without_images_is_refused(make_image_set, make_results):
    with pytest.raises(DataError, match="no image"):
        evaluate_coco(make_image_set({}), make_results([]))


@pytest.mark.parametrize(
    "row, complaint",
    [
        ((1, 0, 0.5, [10, np.nan, 50, 60]), r"image1\.jpg: detection 0"),
        ((1, 0, 0.5, [10, 60, 50, 10]), "not usable"),
        ((1, 0, np.nan, BOX), "score nan"),
        ((1, 2, 0.5, BOX), "class 2 of 2"),
        ((1, -1, 0.5, BOX), "class -1 of 2"),
        ((9, 0, 0.5, BOX), "image id 9 is not in"),
    ],
)
def test_unusable_detection_is_refused(make_image_set, make_results, row, complaint):
    image_set = make_image_set({1: [(0, BOX, False)], 2: []})
    with pytest.raises(DataError, match=complaint):
        evaluate_coco(image_set, make_results([row]))


def test_unknown_engine_is_refused(make_image_set, make_results):
    with pytest.raises(ValueError, match="slow"):
        evaluate_coco(make_image_set({1: []}), make_results([]), engine="slow")
