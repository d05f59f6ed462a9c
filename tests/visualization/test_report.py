"""The report holds everything it was given, in one file of its own."""

import json
import re
from html import unescape

import numpy as np
import pytest
from pages import PageParser
from PIL import Image
from small_sets import make_image_set

from ehsod_tf import visualization
from ehsod_tf.data import summarize
from ehsod_tf.evaluation import Results, match_detections, write_metrics
from ehsod_tf.evaluation.runner import compute_figures
from ehsod_tf.runs.diagnosis import diagnose, give_verdicts
from ehsod_tf.structures import ABSENT, PRESENT

NASTY = '<script>alert("$x$")</script> & http://example.org'
# As csv.DictReader gives them: text, and nothing where an epoch has no figure.
HISTORY = [
    {"epoch": "1", "total_loss": "4.25", "stage1_mid": "1.5", "stage2_mid": "1.375",
     "gradient_norm": "7.5", "gradient_norm_max": "19.5", "learning_rate": "0.005",
     "val_AP50": "", "val_AP": "", "val_pseudo_recall": ""},
    {"epoch": "2", "total_loss": "3.125", "stage1_mid": "1.25", "stage2_mid": "1.125",
     "gradient_norm": "6.5", "gradient_norm_max": "18.5", "learning_rate": "0.0005",
     "val_AP50": "0.4375", "val_AP": "", "val_pseudo_recall": "0.625"},
]  # fmt: skip
TIMINGS = [
    {"epoch": "1", "steps": "7", "input_seconds": "0.5", "step_seconds": "4.0",
     "first_step_seconds": "2.0", "evaluation_seconds": "1.5", "other_seconds": "0.25"},
]  # fmt: skip


@pytest.fixture
def image_set(tmp_path):
    """Six strong images with one object each of the two classes they show."""
    p, a = PRESENT, ABSENT
    labels = [[p, a, a], [p, p, a], [a, p, a], [p, a, a], [a, p, a], [p, p, a]]
    return make_image_set(tmp_path, labels, [True] * 6, ["cat", NASTY, "never"])


@pytest.fixture
def results(image_set):
    """Detections of every class near and on the objects."""
    rng = np.random.default_rng(0)
    n = 24
    boxes = np.tile([30.0, 20.0, 50.0, 60.0], [n, 1])
    boxes[::2] += rng.integers(-20, 20, [n // 2, 1])
    return Results(
        np.arange(n) % 6, boxes, rng.uniform(0.1, 1, n), rng.integers(0, 3, n)
    )


@pytest.fixture
def make_report(image_set, results):
    def make(metrics="coco", **changes):
        matches = match_detections(image_set, results)
        picture = visualization.make_picture(
            image_set, 1, [(results, give_verdicts(results, matches))], key="image-1"
        )
        explained = [
            visualization.Explained(
                name=NASTY,
                pixels=np.full([20, 30, 3], 200, np.uint8),
                is_strong=is_strong,
                boxes=np.array([[2.0, 2, 10, 10]]),
                classes=np.array([1]),
                maps={NASTY: np.linspace(0, 0.5, 20).reshape(4, 5)},
                proposals=np.array([[1.0, 1, 9, 9], [2, 2, 15, 20]]),
                rpn_scores=np.array([0.75, 0.5]),
                cam_scores=np.array([0.25, 0.125]),
            )
            for is_strong in (True, False)
        ]
        report = visualization.RunReport(
            title=NASTY,
            figures=compute_figures(image_set, results, metrics=metrics),
            summary=summarize(image_set),
            diagnosis=diagnose(image_set, results, matches, metrics),
            galleries=[visualization.Gallery("Best", ["detections"], [picture])],
            explained=explained,
            history=HISTORY,
            timings=TIMINGS,
            left_out=visualization.LeftOut([(NASTY, "r", "bbox", "bad")], [NASTY]),
            config_text=f"train.epochs = 2\n# {NASTY}",
        )
        return report._replace(**changes)

    return make


@pytest.fixture
def write(tmp_path):
    def write(report):
        path = tmp_path / "report.html"
        visualization.write_report(path, report)
        text = path.read_text(encoding="utf-8")
        return text, PageParser(text)

    return write


def test_all_text_is_escaped(write, make_report):
    text, _ = write(make_report())
    assert "<script>alert" not in text
    # Title twice, class table, key and points of the curve, of the scatter, confusion
    # twice, boxes of pictures, map captions, names of images, problem, note, config.
    assert unescape(text).count(NASTY) > 20


@pytest.mark.parametrize("metrics", ["coco", "voc", "both"])
def test_every_figure_of_the_page_is_that_of_metrics_json(
    write, make_report, tmp_path, metrics
):
    report = make_report(metrics)
    text, _ = write(report)
    write_metrics(tmp_path / "metrics.json", report.figures)
    figures = json.loads((tmp_path / "metrics.json").read_text())
    per_class = figures.pop("per_class")
    tiles = dict(re.findall(r'tile"><b>(\w+)</b><strong>([^<]*)<', text))
    assert tiles == {
        name: "–" if value is None else f"{value:.4f}"
        for name, value in figures.items()
    }
    figure, scatter = ("AP50", "AP") if "AP" in figures else ("ap50_area",) * 2
    page = unescape(text)
    for name, row in per_class.items():
        if row[figure] is None:
            assert f"</svg>{name} " not in page
            continue
        assert f"</svg>{name} {row[figure]:.4f}</span>" in page
        assert f"boxes, {scatter} {row[scatter]:.4f}</title>" in page
        cells = re.search(f"<td>{re.escape(name)}</td>(.*?)</tr>", page)[1]
        shown = re.findall(r"<span>([\d.]+)</span>", cells)
        values = [v for k, v in row.items() if k != "num_objects"]
        assert shown == [f"{value:.4f}" for value in values]


def test_drawn_curve_has_the_figure_as_its_mean(make_report):
    report = make_report()
    for name, (_, precisions) in report.diagnosis.curves.items():
        wanted = report.figures["per_class"][name]["AP50"]
        assert np.mean(precisions) == pytest.approx(wanted, abs=1e-12)


def test_every_column_of_the_history_is_drawn(write, make_report):
    text, _ = write(make_report())
    for epoch, row in enumerate(HISTORY, start=1):
        for name, value in row.items():
            if name != "epoch" and value:
                assert f", epoch {epoch}: {float(value):.4g}</title>" in text, name
    titles = re.findall(r"<figcaption><b>([\w ]+)</b>", text)
    assert titles[-7:] == [
        "Boxes of the teacher", "validation", "total_loss", "stage mid",
        "gradient_norm", "learning_rate", "Time of each epoch",
    ]  # fmt: skip
    # AP50 has a point of its own at epoch 2 only, AP has none and no line.
    assert text.count("AP50, epoch") == 1 and "AP, epoch" not in text


def test_values_that_are_not_finite_leave_a_gap(write, make_report):
    history = [{"epoch": 1, "a": float("nan")}, {"epoch": 2, "a": 2.5}]
    text, _ = write(make_report(history=history))
    assert "a, epoch 2: 2.5" in text and "a, epoch 1" not in text


def test_times_problems_and_costs_are_shown(write, make_report):
    report = make_report()
    text, page = write(report)
    assert "waiting for images, epoch 1: 0.5 s" in text
    assert "evaluation, epoch 1: 1.5 s" in text
    assert "bad" in page.texts
    for error in report.diagnosis.errors:
        assert f": {100 * error.cost:.2f} ({error.count})</title>" in text


def test_slider_begins_where_f1_is_best(write, make_report):
    report = make_report()
    text, _ = write(report)
    score = report.diagnosis.point.score
    assert f'value="{score:.2f}"' in text
    scores = re.findall(r'class="box([^"]*)" data-score="([^"]*)"', text)
    assert len(scores) == 4
    for classes, value in scores:
        assert ("off" in classes) == (float(value) < score)


def test_wrong_detections_are_dashed(image_set, results):
    matches = match_detections(image_set, results)
    verdicts = give_verdicts(results, matches)
    picture = visualization.make_picture(image_set, 1, [(results, verdicts)], key="k")
    for box in picture.detections[0]:
        assert box.is_right == (": right" in box.hint)
    with Image.open(image_set.paths[1]) as file:
        assert picture.width / picture.height == file.width / file.height
    # 80 x 60 pixels in 400 units.
    assert picture.objects[0][:4] == (100, 150, 200, 100)


def test_a_detector_that_finds_nothing(write, make_report, image_set):
    nothing = Results(np.zeros(0, int), np.zeros([0, 4]), np.zeros(0), np.zeros(0, int))
    matches = match_detections(image_set, nothing)
    report = make_report(
        figures=compute_figures(image_set, nothing),
        diagnosis=diagnose(image_set, nothing, matches, "coco"),
        galleries=[],
        explained=[],
        history=[],
        timings=[],
    )
    text, _ = write(report)
    assert "No detection is right" in text and "There is no history." in text


def test_many_classes(write, make_report, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.choice([PRESENT, ABSENT], (30, 60), p=[0.2, 0.8])
    names = [f"class {k:02}" for k in range(60)]
    image_set = make_image_set(tmp_path, labels, [True] * 30, names)
    n = len(image_set.classes)
    images = np.repeat(np.arange(30), np.diff(image_set.row_splits))
    results = Results(images, image_set.boxes, rng.uniform(size=n), image_set.classes)
    matches = match_detections(image_set, results)
    text, _ = write(
        make_report(
            summary=summarize(image_set),
            figures=compute_figures(image_set, results),
            diagnosis=diagnose(image_set, results, matches, "coco"),
            explained=[],
        )
    )
    assert "the three best and the three worst of 60 classes" in text
    assert text.count("--shade:") == 21 * 21
    assert len(text) < 500_000
