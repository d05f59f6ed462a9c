"""The inspection page: all it was given, samples of each kind, sets of any size."""

import re
from html import unescape

import numpy as np
import pytest
from pages import PageParser
from small_sets import make_image_set

from ehsod_tf.data.statistics import summarize
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED_UNCERTAIN,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
)
from ehsod_tf.visualization import write_inspection
from ehsod_tf.visualization.annotated_images import choose_images, draw_card, name_kind
from ehsod_tf.visualization.drawing import choose_color

NASTY = '<b onclick="x">&amp; http://example.org'


@pytest.fixture
def mixed_set(tmp_path):
    p, a, u = PRESENT, ABSENT, UNKNOWN
    labels = [[p, a, a], [p, p, a], [a, p, u], [a, a, p], [u, u, u]]
    boxed = [True, True, False, False, False]
    return make_image_set(tmp_path, labels, boxed, ["cat", NASTY, "tree"])


@pytest.fixture
def write(tmp_path):
    def write(image_set, problems=(), notes=()):
        path = tmp_path / "page.html"
        write_inspection(
            path,
            title=NASTY,
            image_set=image_set,
            summary=summarize(image_set),
            problems=problems,
            notes=notes,
        )
        text = path.read_text(encoding="utf-8")
        PageParser(text)
        return text

    return write


def read_tiles(text):
    tiles = re.findall(r"<b>(\w+)</b><strong>([\d,]+)</strong>", text)
    return {name: int(number.replace(",", "")) for name, number in tiles}


def test_tiles(write, mixed_set):
    assert read_tiles(write(mixed_set, [("f", "r", "", "bad")])) == {
        **{"Images": 5, "Strong": 2, "Weak": 2, "Boxes": 3, "Classes": 3},
        "Problems": 1,
    }


def test_all_problems_and_notes_are_listed(write, mixed_set):
    problems = [(f"file{i}", f"record{i}", "bbox", f"fault{i}") for i in range(300)]
    text = write(mixed_set, problems, ["note one", "note two"])
    for i in range(300):
        cells = (f"file{i}", f"record{i}", "bbox", f"fault{i}")
        assert "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert "<li>note one</li><li>note two</li>" in text


def test_class_table(write, mixed_set):
    rows = re.findall(r"<tr><td>(cat|tree)</td>(.*?)</tr>", write(mixed_set))
    counts = {name: re.findall(r"<span>([\d,]+)</span>", cells) for name, cells in rows}
    assert counts == {"cat": ["2", "0", "2"], "tree": ["0", "1", "0"]}


def test_class_without_strong_image_is_a_warning(write, mixed_set):
    [warnings] = re.findall('<ul class="warnings">(.*?)</ul>', write(mixed_set))
    assert "No image has boxes of tree," in warnings and "cat" not in warnings


def test_no_warning_without_cause(write, tmp_path):
    image_set = make_image_set(tmp_path, [[PRESENT, PRESENT]], [True], ["cat", "dog"])
    assert '<ul class="warnings">' not in write(image_set)


def test_all_text_is_escaped(write, mixed_set):
    mixed_set.image_names[0] = NASTY
    text = write(mixed_set, [(NASTY,) * 4], [NASTY])
    assert NASTY not in text
    # Title twice, problem, note, class table, image name, picture, chips of two
    # pictures, heat map as column, as row and in its cells, pair.
    assert unescape(text).count(NASTY) >= 2 + 4 + 1 + 1 + 2 + 2 + 2 + 1


def test_name_that_is_not_utf8(write, mixed_set):
    mixed_set.image_names[0] = "caf\udce9.jpg"
    assert "caf\\udce9.jpg" in write(mixed_set, [("caf\udce9.jpg", "", "", "bad")])


def test_heat_map_tells_shares_of_the_row(write, mixed_set):
    text = unescape(write(mixed_set))
    assert f"1 of 2 images with cat also show {NASTY}" in text
    assert f"0 of 1 image with tree also show {NASTY}" in text
    assert re.search(
        r'--shade:0\.50" title="1 of 2 [^\n]{,80} also show cat">50<', text
    )


@pytest.mark.parametrize("boxed", [True, False])
@pytest.mark.parametrize(
    "labels", [[], [[ABSENT]], [[PRESENT]], [[ABSENT], [PRESENT]], [[UNKNOWN]]]
)
def test_smallest_sets(write, tmp_path, labels, boxed):
    image_set = make_image_set(tmp_path, labels, [boxed] * len(labels), ["cat"])
    tiles = read_tiles(write(image_set))
    assert tiles["Images"] == len(labels) and tiles["Problems"] == 0


def test_many_classes(write, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.choice([PRESENT, ABSENT], (40, 80), p=[0.1, 0.9])
    labels[0] = ABSENT
    names = [f"class {k:02}" for k in range(80)]
    text = write(make_image_set(tmp_path, labels, [True] * 20 + [False] * 20, names))
    assert text.count('<figure class="card">') == 24
    assert "The 20 most frequent of 80 classes." in text
    assert text.count("--shade:") == 20 * 20 + 3 * 80
    assert len(text) < 1_000_000
    for name in names:
        assert f"<tr><td>{name}</td>" in text


def test_every_class_is_among_the_chosen(tmp_path):
    labels = np.full([60, 30], ABSENT)
    labels[np.arange(60), np.arange(60) // 2] = PRESENT
    labels[::7, 3] = PRESENT
    boxed = np.arange(60) % 3 == 0
    image_set = make_image_set(tmp_path, labels, boxed, [f"c{k}" for k in range(30)])
    strong, partly, machine, weak = choose_images(image_set, 30)
    assert len(strong) == len(weak) == 15 and not partly + machine
    assert boxed[strong].all() and not boxed[weak].any()
    assert (labels[strong + weak] == PRESENT).any(axis=0).all()
    assert choose_images(image_set, 30) == (strong, [], [], weak)
    assert choose_images(image_set, 30, seed=1) != (strong, [], [], weak)


@pytest.mark.parametrize(
    "num_strong, count, expected", [(2, 6, (2, 4)), (9, 6, (5, 1))]
)
def test_a_rare_kind_is_shown_whole(tmp_path, num_strong, count, expected):
    boxed = np.arange(10) < num_strong
    image_set = make_image_set(tmp_path, [[PRESENT]] * 10, boxed, ["cat"])
    strong, _, _, weak = choose_images(image_set, count)
    assert (len(strong), len(weak)) == expected
    assert len(set(strong + weak)) == count


def test_images_of_which_nothing_is_known_are_not_samples(mixed_set):
    assert choose_images(mixed_set, 24) == ([0, 1], [], [], [2, 3])


def test_an_image_of_ignored_boxes_alone_is_chosen(mixed_set):
    """Whether it shows the class is unknown, and yet it is boxed."""
    states = mixed_set.class_states.copy()
    states[0] = BOXED_UNCERTAIN
    assert choose_images(mixed_set._replace(class_states=states), 24).strong == [0, 1]


def test_card_of_a_strong_image_has_boxes_in_their_place(mixed_set):
    card = draw_card(mixed_set, 0)
    # 80 x 60 pixels are magnified 4 times.
    assert card.image.shape == (240, 320, 3)
    for row, column in ((120, 160), (199, 160), (160, 80), (160, 239)):
        np.testing.assert_array_equal(card.image[row, column], choose_color(0))
    assert (np.abs(card.image[160, 160].astype(int) - 128) < 3).all()
    assert card.chips == [("cat", choose_color(0))]


def test_card_of_a_weak_image_has_labels_alone(mixed_set):
    card = draw_card(mixed_set, 2)
    assert (np.abs(card.image.astype(int) - 128) < 3).all()
    assert card.chips == [(NASTY, choose_color(1))] and card.note == "unknown: tree"


def test_ignored_objects_are_dashed_and_counted(mixed_set):
    image_set = mixed_set._replace(ignored=np.array([True, False, False]))
    card = draw_card(image_set, 0)
    assert "1 ignored (hatched)" in card.note
    edge = (card.image[199, 80:240] == choose_color(0)).all(axis=1)
    assert 0.3 < edge.mean() < 0.7


@pytest.fixture
def every_kind(mixed_set):
    """A strong image, one boxed in part, one of a detector, a weak one."""
    image_set = mixed_set._replace(
        # Beside the cat of the second picture, a region that may hold anything.
        classes=np.array([0, 0, ANY_CLASS], np.int32),
        ignored=np.array([False, False, True]),
        machine_boxed=np.array([True, False, False, False, False]),
    )
    image_set.class_states[1] = [PARTLY_BOXED, PRESENT, UNKNOWN]
    return image_set


def test_every_kind_of_image_is_shown_apart(every_kind, write):
    assert choose_images(every_kind, 24) == ([], [1], [0], [2, 3])
    kinds = [name_kind(every_kind, row) for row in range(4)]
    assert kinds == ["machine", "partly", "weak", "weak"]
    text = write(every_kind)
    assert read_tiles(text) == {
        **{"Images": 5, "Strong": 0, "Partly": 1, "Machine": 1, "Weak": 2},
        **{"Boxes": 1, "Classes": 3, "Problems": 0},
    }
    heads = re.findall("<h3>(.*: . of .)</h3>", text)
    assert heads == ["Boxed in part: 1 of 1", "Boxes of a detector: 1 of 1"] + [
        "Weak: 2 of 2"
    ]
    assert "Grey and hatched is what is ignored" in text
    assert "and 1 ignored region<" in text


def test_classes_by_state(every_kind, write):
    text = write(every_kind)
    table = text[text.index("Images by what is known of a class") :]
    heads = re.findall(r"<th><span>(.*?)</span></th>", table.partition("</thead>")[0])
    assert heads == ["boxed", "boxed in part", "present, no box", "absent", "unknown"]
    row = re.search(r"<th>cat</th>(.*?)</tr>", table)[1]
    cells = re.findall(r"<td[^>]*>([\d,]*)</td>", row)
    assert cells == ["1", "1", "", "2", "1"]

    meanings = re.findall("<li><b>(.*?)</b>: ", text)
    assert meanings == heads


def test_a_class_without_boxes_counts_as_such_in_a_boxed_image(every_kind, write):
    """The second image shows another class, of which nobody has drawn a box."""
    summary = summarize(every_kind)
    assert summary.boxed_images.tolist() == [1, 0, 0]
    assert summary.other_images.tolist() == [1, 2, 1]
    assert "No image has boxes of" in write(every_kind)
    chips = draw_card(every_kind, 1).chips
    assert [text for text, _ in chips] == ["cat, in part", f"{NASTY}, no box"]
    assert [text for text, _ in draw_card(every_kind, 0).chips] == ["cat"]


def test_ignored_regions_lie_below_the_boxes(every_kind):
    every_kind.boxes[2] = [0, 0, 50, 60]
    drawn = draw_card(every_kind, 1).image
    box = drawn[120:200, 80:240]
    assert (box[0] == choose_color(0)).all() and (box[:, 0] == choose_color(0)).all()
    is_white = (drawn == 255).all(axis=-1)
    assert 0.02 < is_white[:200, :240].mean() < 0.2
    assert not is_white[200:].any() and not is_white[:, 240:].any()


def test_samples_show_what_is_ignored_where_it_is_rare(tmp_path):
    labels = [[PRESENT, PRESENT]] + [[PRESENT, ABSENT]] * 99
    image_set = make_image_set(tmp_path, labels, [True] * 100, ["cat", "dog"])
    image_set.ignored[-1] = True
    assert {0, 99} < set(choose_images(image_set, 6).strong)


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (700, 900)])
def test_pictures_are_small(tmp_path, size):
    image_set = make_image_set(tmp_path, [[PRESENT]], [True], ["cat"], size)
    height, width, _ = draw_card(image_set, 0).image.shape
    assert max(height, width) == 320 and min(height, width) >= 8


@pytest.mark.parametrize("content", [None, b"", b"no image", b"\xff\xd8\xff\xe0\0\x10"])
def test_file_that_cannot_be_decoded_is_told(write, mixed_set, tmp_path, content):
    path = tmp_path / "0.jpg"
    path.unlink() if content is None else path.write_bytes(content)
    text = write(mixed_set)
    assert text.count("cannot be shown: ") == 1 and "replace the file" in text


def test_file_that_breaks_off_is_told(write, mixed_set, tmp_path):
    path = tmp_path / "0.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    assert write(mixed_set).count("cannot be shown: ") == 1
