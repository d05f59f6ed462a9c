"""The inspection in a terminal."""

import re

import numpy as np
import pytest
from small_sets import make_image_set

from ehsod_tf.data.statistics import summarize
from ehsod_tf.structures import ABSENT, PARTLY_BOXED, PRESENT, UNKNOWN
from ehsod_tf.visualization import format_inspection


@pytest.fixture
def summary(tmp_path):
    labels = [[PRESENT, PRESENT, ABSENT]] * 3 + [[ABSENT, PRESENT, PRESENT]]
    boxed = [True, True, False, False]
    return summarize(make_image_set(tmp_path, labels, boxed, ["cat", "dog", "tree"]))


def read_numbers(text, start):
    [line] = [line for line in text.splitlines() if line.strip().startswith(start)]
    return [int(number) for number in re.findall(r"(?<= )\d+", line)]


def test_counts(summary):
    text = format_inspection(summary, [], [])
    assert text.startswith("4 images: 2 strong (boxes), 2 weak (image labels only)\n")
    assert "\nclasses: 3, boxes: 4\n" in text
    assert read_numbers(text, "cat") == [2, 1, 2]
    assert read_numbers(text, "dog") == [2, 2, 2]
    assert read_numbers(text, "tree") == [0, 1, 0]
    assert "warning: No image has boxes of tree," in text
    assert "no problem was found" in text


def test_states_are_shown_where_the_table_does_not_say_them(tmp_path):
    labels = [[PRESENT, PRESENT], [PRESENT, UNKNOWN], [ABSENT, PRESENT]]
    image_set = make_image_set(tmp_path, labels, [True, False, False], ["a", "b"])
    assert "images by what is known" in format_inspection(summarize(image_set), [], [])
    image_set.class_states[0, 1] = PARTLY_BOXED
    image_set = image_set._replace(machine_boxed=np.array([True, False, False]))
    text = format_inspection(summarize(image_set), [], [])
    assert "0 strong (boxes), 1 with a detector's boxes, 2 weak" in text
    lines = text.splitlines()
    start = lines.index("images by what is known of a class")
    heads = ["boxed", "boxed in part", "present", "absent", "unknown"]
    assert lines[start + 1].strip().split("  ") == heads
    assert lines[start + 2].split() == ["a", "1", "0", "1", "1", "0"]
    assert lines[start + 3].split() == ["b", "0", "1", "1", "0", "1"]


def test_pairs_are_ranked(summary):
    lines = format_inspection(summary, [], []).splitlines()
    pairs = [line.strip() for line in lines if "%" in line]
    assert pairs == ["75%  cat, dog (3 images)", "25%  dog, tree (1 image)"]


def test_bars_are_as_long_as_their_counts(summary):
    lines = format_inspection(summary, [], []).splitlines()
    start = lines.index("boxed images by the number of their boxes")
    assert [line.count("#") for line in lines[start + 1 : start + 4]] == [0, 0, 30]


@pytest.mark.parametrize("count, shown", [(1, 1), (20, 20), (21, 20), (5000, 20)])
def test_first_problems_are_shown(summary, count, shown):
    problems = [("file", f"record {i}", "", "bad; correct it") for i in range(count)]
    text = format_inspection(summary, problems, [])
    assert re.findall(r"- file, record (\d+): bad", text) == [
        str(i) for i in range(shown)
    ]
    assert f"{count:,} problem" in text
    assert ("more, see the page" in text) == (count > shown)


def test_lines_fit_a_terminal(tmp_path):
    names = [f"{'very ' * 20}long name {k}" for k in range(3)]
    summary = summarize(make_image_set(tmp_path, [[PRESENT] * 3], [True], names))
    problem = ("folder/" * 8 + "x", "annotation 17", "bbox", "wrong " * 50)
    text = format_inspection(summary, [problem], ["word " * 60])
    assert max(map(len, text.splitlines())) <= 79


def test_control_characters_are_spelt_out(tmp_path):
    names = ["a\x1b[2Jb", "c\nd"]
    summary = summarize(make_image_set(tmp_path, [[PRESENT] * 2], [False], names))
    text = format_inspection(summary, [("\udce9", "", "", "\x07")], ["\x00"])
    assert all(c == "\n" or c.isprintable() for c in text)
    for spelt in (r"a\x1b[2Jb", r"c\nd", r"- \udce9: \x07", r"note: \x00"):
        assert spelt in text


@pytest.mark.parametrize("labels", [[], [[ABSENT]], [[PRESENT]]])
@pytest.mark.parametrize("boxed", [True, False])
def test_smallest_sets(tmp_path, labels, boxed):
    image_set = make_image_set(tmp_path, labels, [boxed] * len(labels), ["cat"])
    assert format_inspection(summarize(image_set), [], []).startswith(
        f"{len(labels)} image"
    )


def test_aspect_ratios_keep_their_sum(tmp_path):
    image_set = make_image_set(tmp_path, [[PRESENT]] * 40, [True] * 40, ["cat"])
    ratios = np.geomspace(0.02, 50, 40)
    boxes = np.stack([0 * ratios, 0 * ratios, 1 + 0 * ratios, ratios], axis=1)
    text = format_inspection(summarize(image_set._replace(boxes=boxes)), [], [])
    kinds = ("tall", "upright", "about square", "lying", "wide")
    expected = np.histogram(ratios, [0, 2**-1.25, 2**-0.25, 2**0.25, 2**1.25, 99])[0]
    lines = [line for line in text.splitlines() if line.strip().startswith(kinds)]
    counted = [int(re.search(r"(\d+)\s*#*$", line)[1]) for line in lines]
    assert counted == expected.tolist()
