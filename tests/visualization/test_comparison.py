"""Runs side by side: differences, one plot, the same images, like with like."""

import json
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
from pages import PageParser
from small_sets import make_image_set

from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.evaluation import Results, write_detections, write_metrics
from ehsod_tf.evaluation.runner import compute_figures
from ehsod_tf.runs import comparison
from ehsod_tf.structures import PRESENT

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def image_set(tmp_path):
    labels = [[PRESENT, PRESENT]] * 9
    return make_image_set(tmp_path, labels, [True] * 9, ["cat", NASTY])


@pytest.fixture
def make_run(image_set, tmp_path, monkeypatch):
    """Makes a run folder whose detections are shifted by some pixels."""
    monkeypatch.setattr(
        comparison,
        "load_data",
        lambda experiment, findings: SimpleNamespace(
            evaluation_set=experiment.image_set,
            training_set=experiment.training_set,
            num_shared=experiment.num_shared,
        ),
    )

    def make(name, shift, metrics="coco"):
        folder = tmp_path / name
        folder.mkdir()
        n = len(image_set.classes)
        scores = np.random.default_rng(shift).uniform(0.3, 1, n)
        images = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
        boxes = image_set.boxes + shift * (np.arange(n) % 3)[:, None]
        boxes = np.minimum(boxes, [60, 80, 60, 80])
        results = Results(images, boxes, scores, image_set.classes)
        figures = compute_figures(image_set, results, metrics=metrics)
        write_metrics(folder / "metrics.json", figures)
        write_detections(folder / "detections.json", results, image_set)
        (folder / "history.csv").write_text("epoch,val_AP50\n1,0.25\n2,0.5\n")
        (folder / "operative_config.gin").write_text(
            f"A.shift = {shift}\nA.other = \\\n    [1,\n     2]\n"
        )
        return str(folder)

    return make


@pytest.fixture
def compare(image_set, tmp_path):
    def compare(folders, sets=None, training_sets=None, num_shared=None):
        sets = iter(sets or [image_set] * len(folders))

        def load(folder):
            with open(f"{folder}/operative_config.gin") as file:
                image_set = next(sets)
                experiment = SimpleNamespace(
                    image_set=image_set,
                    training_set=(training_sets or {}).get(folder, image_set),
                    num_shared=(num_shared or {}).get(folder, 0),
                    png_bits=16,
                )
                return experiment, file.read()

        comparison.compare_runs(folders, load, tmp_path / "page.html")
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        PageParser(text)
        return unescape(text)

    return compare


@pytest.mark.parametrize("metrics", ["coco", "voc"])
def test_figures_and_differences_are_those_of_the_runs(make_run, compare, metrics):
    folders = [make_run("first", 8, metrics), make_run("second", 2, metrics)]
    text = compare(folders)
    first, second = (json.load(open(f"{folder}/metrics.json")) for folder in folders)
    figure = "AP50" if metrics == "coco" else "ap50_area"
    for name, row in first["per_class"].items():
        values = row[figure], second["per_class"][name][figure]
        cells = re.findall(rf"<tr><td>{re.escape(name)}</td>(.*?)</tr>", text)
        difference = f"{values[1] - values[0]:+.4f}".replace("-", "−")
        assert re.findall(r">([^<>]+)</td>", cells[0]) == [
            f"{values[0]:.4f}",
            f"{values[1]:.4f}",
            difference,
        ]
        for run, value in zip(("first", "second"), values, strict=True):
            assert f"{run}, {name}: {value:.4f}</title>" in text
    total = "AP50" if metrics == "coco" else "voc_ap50_area"
    assert f"first {total} {first[total]:.4f}</span>" in text
    assert f"second {total} {second[total]:.4f}</span>" in text


def test_the_same_images_under_each_run(make_run, compare):
    text = compare([make_run("first", 8), make_run("second", 2), make_run("third", 0)])
    keys = re.findall(r'<image id="([^"]*)"', text)
    assert len(keys) == len(set(keys)) == 9
    for key in keys:
        assert text.count(f'<use href="#{key}"/>') == 3
    assert text.count("<figcaption>third</figcaption>") == 9


def test_what_each_run_was_trained_on(make_run, compare, image_set):
    folders = [make_run("first", 8), make_run("second", 2)]
    text = compare(folders)
    assert "<p>Each detector was given the same 9 images, and none was " in text
    usual = ["run", "images with boxes", "with labels only", "boxes", "epochs"]
    assert list_cells(text, "th") == usual
    assert list_cells(text, "td") == ["first", "9", "0", "18", "2"]

    machine = np.arange(9) < 7
    machine_boxed = image_set._replace(machine_boxed=machine)
    text = compare(
        folders,
        training_sets={folders[1]: machine_boxed},
        num_shared={folders[1]: 4},
    )
    assert "second: trained on 2 images with boxes, 7 with a detector's boxes" in text
    assert "images. second was trained on 4 of them: expect lower figures" in text
    assert list_cells(text, "th") == [
        "run", "images with boxes", "with a detector's boxes", "with labels only",
        "boxes", "a detector's boxes", "epochs",
    ]  # fmt: skip
    assert list_cells(text, "td", 1) == ["second", "2", "7", "0", "4", "14", "2"]


def list_cells(text, tag, row=0):
    """Of the header, or a row, of the table of supervision."""
    table = re.search("<thead><tr><th>run</th>.*?</table>", text, re.DOTALL)[0]
    rows = [line for line in table.split("<tr>") if re.search(f"<{tag}[ >]", line)]
    return re.findall(f"<{tag}[^>]*>([^<]*)</{tag}>", rows[row])


def test_settings_that_differ(make_run, compare):
    text = compare([make_run("first", 8), make_run("second", 2)])
    assert "<td>A.shift</td><td>8</td><td>2</td>" in text
    assert "A.other" not in text


def test_parsing_of_settings():
    text = "import a\n# For A:\n\nA.b = \\\n    (1,\n     2)\nC/d.e = 'x = y'\n"
    assert comparison.parse_settings(text) == {"A.b": "(1, 2)", "C/d.e": "'x = y'"}


def test_runs_of_the_same_name_are_told_apart(make_run, compare, tmp_path):
    (tmp_path / "other").mkdir()
    folders = [make_run("run", 8), make_run("other/run", 2)]
    assert f"{folders[0]} against {folders[1]}" in compare(folders)


def test_only_runs_on_the_same_images_are_compared(make_run, compare, image_set):
    folders = [make_run("first", 8), make_run("second", 2)]
    moved = image_set._replace(boxes=image_set.boxes + 1)
    with pytest.raises(ConfigError, match="second was evaluated on other images"):
        compare(folders, [image_set, moved])
    renamed = image_set._replace(class_names=("cat", "dog"))
    with pytest.raises(ConfigError, match="second has other classes"):
        compare(folders, [image_set, renamed])


def test_a_run_cannot_be_compared_with_itself(make_run, compare):
    folder = make_run("first", 8)
    with pytest.raises(ConfigError, match="named twice"):
        compare([folder, folder])
    with pytest.raises(ConfigError, match="8 runs are too many"):
        compare([f"{k}" for k in range(8)])


def test_a_missing_file_is_named(make_run, compare, tmp_path):
    folders = [make_run("first", 8), make_run("second", 2)]
    (tmp_path / "second/metrics.json").unlink()
    with pytest.raises(DataError, match="second/metrics.json"):
        compare(folders)
