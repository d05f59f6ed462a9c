"""The report holds everything it was given, in one file of its own."""

import base64
import io
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.visualization.html import Bar, format_number, render_table
from ehsod_tf.visualization.report import Sample, write_report

NASTY = '<script>alert("x")</script> & http://example.org'

FIGURES = {
    "AP": 0.31234,
    "AP50": 0.55678,
    "APs": None,
    "voc_ap50_11point": 0.54321,
    "per_class": {
        "cat": {"AP": 0.4111, "ap50_area": 0.6222, "num_objects": 37},
        NASTY: {"AP": None, "ap50_area": None, "num_objects": 0},
    },
}
# As csv.DictReader gives them: text, and nothing where an epoch has no figure.
HISTORY = [
    {"epoch": "1", "total_loss": "4.25", "stage1_mid": "1.5", "stage2_mid": "1.375",
     "gradient_norm": "7.5", "gradient_norm_max": "19.5", "learning_rate": "0.005",
     "val_AP50": "", "val_AP": ""},
    {"epoch": "2", "total_loss": "3.125", "stage1_mid": "1.25", "stage2_mid": "1.125",
     "gradient_norm": "6.5", "gradient_norm_max": "18.5", "learning_rate": "0.0005",
     "val_AP50": "0.4375", "val_AP": ""},
]  # fmt: skip


class PageParser(HTMLParser):
    """Collects tags, attributes and text; checks that every tag is closed."""

    VOID = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        image = np.full([20, 30, 3], 200, np.uint8)
        drawn = np.full([20, 30, 3], 50, np.uint8)
        given = {
            "title": NASTY,
            "figures": FIGURES,
            "history": HISTORY,
            "supervision_text": f"cat   12   108\n{NASTY}",
            "samples": [Sample(image, None, drawn, NASTY), (image, drawn, drawn)],
            "config_text": f"train.epochs = 2\n# {NASTY}",
        }
        path = tmp_path / "report.html"
        write_report(path, **{**given, **changes})
        return path.read_text(encoding="utf-8")

    return write


def test_nothing_comes_from_outside(write):
    text = write()
    page = PageParser(text)
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
    references = [
        (tag, value)
        for tag, name, value in page.attributes
        if name in ("src", "href", "srcset", "xlink:href", "action", "data")
    ]
    assert len(references) == 4
    assert all(tag == "img" and v.startswith("data:image/") for tag, v in references)
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style


def test_all_text_is_escaped(write):
    text = write()
    assert "<script" not in text and 'alert("x")' not in text
    # Title twice, class, sample name as heading and in two alt texts, supervision
    # and configuration.
    assert unescape(text).count(NASTY) == 8


def test_all_figures_are_shown(write):
    page = PageParser(write())
    for value in ("0.3123", "0.5568", "0.5432", "0.4111", "0.6222", "37", "0", "–"):
        assert value in page.texts
    assert "at IoU 0.50" in page.texts


def test_every_column_of_the_history_is_drawn(write):
    text = write()
    for epoch, row in enumerate(HISTORY, start=1):
        for name, value in row.items():
            if name != "epoch" and value:
                assert f", epoch {epoch}: {float(value):.4g}</title>" in text
    titles = re.findall("<figcaption><b>(.*?)</b>", text)
    assert titles == [
        *("validation", "total_loss", "stage mid", "gradient_norm", "learning_rate")
    ]
    assert "stage 1 1.25" in text and "stage 2 1.125" in text
    # AP50 has a point of its own at epoch 2 only, AP has none and no line.
    assert text.count("AP50, epoch") == 1 and "AP, epoch" not in text


def test_values_that_are_not_finite_leave_a_gap(write):
    text = write(history=[{"epoch": 1, "a": float("nan")}, {"epoch": 2, "a": 2.5}])
    assert "a, epoch 2: 2.5" in text and "a, epoch 1" not in text


def test_images_come_back_side_by_side(write):
    text = write()
    images = [
        np.array(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]*)"', text)
    ]
    assert [image.shape for image in images] == [(20, 30, 3)] * 4
    # Image and detections, then ground truth and detections.
    assert [round(image.mean(), -1) for image in images] == [200, 50, 50, 50]
    captions = re.findall("<figcaption>(Image|Ground truth|Detections)<", text)
    assert captions == ["Image", "Detections", "Ground truth", "Detections"]


def test_report_of_an_evaluation_alone(write):
    text = write(history=[], samples=[])
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == ["Result", "Result by class", "Supervision", "Configuration"]
    PageParser(text)


@pytest.mark.parametrize(
    "value, width", [(0.25, "25.0%"), (0.0, "0.0%"), (1.0, "100.0%"), (None, "0.0%")]
)
def test_bar_has_the_length_of_its_number(value, width):
    assert f'style="width:{width}"' in render_table(["", "AP"], [["cat", Bar(value)]])


def test_bar_of_a_count_is_a_share_of_the_full_one():
    for full, width in ((200, "25.0%"), (0, "100.0%")):
        html = render_table(["", "boxes"], [["cat", Bar(50, full)]])
        assert f'style="width:{width}"' in html and "<span>50</span>" in html


@pytest.mark.parametrize(
    "value, text",
    [(None, "–"), (7, "7"), (118000, "118,000"), (0.5, "0.5000"), (0, "0")],
)
def test_numbers(value, text):
    assert format_number(value) == text
