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
from ehsod_tf.structures import ABSENT, PARTLY_BOXED, PRESENT, UNKNOWN

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
    def make(metrics="coco", kinds=("strong", "weak"), **changes):
        matches = match_detections(image_set, results)
        picture = visualization.make_picture(
            image_set, 1, [(results, give_verdicts(results, matches))], key="image-1"
        )
        explained = [
            visualization.Explained(
                name=NASTY,
                pixels=np.full([20, 30, 3], 200, np.uint8),
                kind=kind,
                boxes=np.array([[2.0, 2, 10, 10]])[: kind != "weak"],
                classes=np.array([1])[: kind != "weak"],
                maps={NASTY: np.linspace(0, 0.5, 20).reshape(4, 5)},
                proposals=np.array([[1.0, 1, 9, 9], [2, 2, 15, 20]]),
                rpn_scores=np.array([0.75, 0.5]),
                cam_scores=np.array([0.25, 0.125]),
            )
            for kind in kinds
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


def test_images_are_counted_by_what_was_known_of_them(write, make_report, image_set):
    text, _ = write(make_report())
    assert "trained on 6 images with boxes and 0 with labels only; what" in text
    assert "a detector's boxes" not in unescape(text)
    machine = np.array([False, True, True, False, False, False])
    states = image_set.class_states.copy()
    states[3], states[4:] = PARTLY_BOXED, UNKNOWN
    mixed = image_set._replace(machine_boxed=machine, class_states=states)
    text = unescape(write(make_report(summary=summarize(mixed)))[0])
    assert (
        "trained on 2 images with boxes, 2 with a detector's boxes, 0 with labels only "
        "and 2 of which nothing was known;"
    ) in text
    header, row = re.search(
        r"<thead><tr>(.*?)</tr>.*?<tr><td>cat</td>(.*?)</tr>", text, re.DOTALL
    ).groups()
    names = re.findall("<th>(.*?)</th>", header)
    cells = re.findall(r'<td class="number">(.*?)</td>', row)
    assert names[1:6] == [
        "images with boxes", "images with labels", "boxes", "a detector's boxes",
        "objects to find",
    ]  # fmt: skip
    counts = dict(zip(names[1:], map(int, cells), strict=False))
    summary = summarize(mixed)
    assert counts["a detector's boxes"] == summary.machine_boxes[0] == 1
    assert counts["boxes"] == summary.boxes[0]


@pytest.mark.parametrize(
    ("num_shared", "words"),
    [
        (0, "what it finds on 6 images that it has not seen.</p>"),
        (
            2,
            "on 6 images. It was trained on 2 of these: expect lower figures",
        ),
        (6, "on 6 images. It was trained on all of these: expect lower"),
    ],
)
def test_images_that_were_in_training_are_admitted(
    write, make_report, num_shared, words
):
    text, _ = write(make_report(num_shared=num_shared))
    assert words in text and ("not seen" in text) == (num_shared == 0)


def test_class_maps_stand_under_what_is_known_of_their_images(write, make_report):
    kinds = ("weak", "strong", "machine", "partly", "machine", "machine")
    text = unescape(write(make_report(kinds=kinds))[0])
    part = text.partition('id="maps"')[2].partition("<h3>Proposals")[0]
    headings = re.findall("<h3>(.*?)</h3>", part)
    assert [heading.split(":")[0] for heading in headings] == [
        "Strong images", "Images boxed in part",
        "Images with boxes that a detector drew, not people.", "Weak images",
    ]  # fmt: skip
    rows = [piece.count('<div class="maps">') for piece in part.split("<h3>")[1:]]
    assert rows == [1, 1, 3, 1]
    # Of each kind two at most.
    assert len(re.findall('<image id="proposals-', text)) == 5


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
