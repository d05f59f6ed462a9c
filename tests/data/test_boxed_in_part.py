"""Images that are boxed in part, and ignored regions, from their source to batches."""

import functools
import json
import re

import numpy as np
import pytest
from image_sets import assert_same_columns

from ehsod_tf.data import (
    Augmentation,
    Findings,
    Split,
    apply_split,
    build_training_dataset,
    describe_supervision,
    merge_image_sets,
    read_coco,
    read_labelme,
    read_mixture,
    read_tfrecords,
    spread_any_class,
    summarize,
    write_coco,
    write_tfrecords,
)
from ehsod_tf.data.readers.boxed_classes import restrict_boxes
from ehsod_tf.data.readers.coco_images import (
    Categories,
    read_ignored_boxes,
    read_images,
)
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    BOXED_ABSENT,
    BOXED_UNCERTAIN,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    combine_states,
    list_labels,
)
from ehsod_tf.visualization.inspection_text import format_inspection

# Classes by ascending id: cat (4), cow (5), dog (9). Image b.png (3) has an ordinary
# dog, an ordinary cat and a crowd of cats; image a.png (7) a crowd of cats and a dog.


@pytest.fixture
def read(coco_content, write_json):
    """Returns a function that changes image b and gives its states and the findings."""

    def read_changed(**fields):
        coco_content["images"][1] |= fields
        findings = Findings()
        found = read_coco(write_json(coco_content), "", findings=findings)
        rows = dict(zip(found.image_names, found.class_states.tolist(), strict=True))
        return rows.get("b.png"), findings

    return read_changed


def test_states_are_labels_and_what_is_boxed():
    labels = np.array([[ABSENT, PRESENT, UNKNOWN]] * 2)
    states = combine_states(labels, np.array([True, False]))
    assert states.tolist() == [
        [BOXED_ABSENT, BOXED, BOXED_UNCERTAIN],
        [ABSENT, PRESENT, UNKNOWN],
    ]
    np.testing.assert_array_equal(list_labels(states), labels)
    assert list_labels(np.array([PARTLY_BOXED])) == [PRESENT]


@pytest.mark.parametrize(
    "fields, states",
    [
        ({}, [BOXED, BOXED_ABSENT, BOXED]),
        ({"supervision": "in part"}, [PARTLY_BOXED, UNKNOWN, PARTLY_BOXED]),
        (
            {"supervision": "in part", "image_labels": ["cat", "dog"]},
            [PARTLY_BOXED, ABSENT, PARTLY_BOXED],
        ),
        (
            {"supervision": "in part", "image_labels": ["cow"], "absent_labels": []},
            [PARTLY_BOXED, PRESENT, PARTLY_BOXED],
        ),
        ({"supervision": {"boxes": ["dog"]}}, [PARTLY_BOXED, UNKNOWN, BOXED]),
        (
            {"supervision": {"boxes": [9, "cow"], "in part": ["cat"]}},
            [PARTLY_BOXED, BOXED_ABSENT, BOXED],
        ),
    ],
)
def test_supervision_by_class(read, fields, states):
    found, findings = read(**fields)
    assert found == states
    assert not findings.problems


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"supervision": {"box": ["dog"]}}, "'box' is neither 'boxes' nor 'in part'"),
        ({"supervision": {"boxes": ["dgo"]}}, "no category is called 'dgo'"),
        ({"supervision": {"boxes": "dog"}}, "'dog' is not a list of category ids"),
        ({"supervision": {"boxes": [4], "in part": ["cat"]}}, "category 4 is in both"),
        ({"supervision": "partly"}, "'partly' is not one of boxes, in part, labels"),
        (
            {"supervision": "in part", "absent_labels": ["dog"]},
            "'dog' has a box but is not labelled as present",
        ),
    ],
)
def test_wrong_supervision_is_named(read, fields, complaint):
    found, findings = read(**fields)
    assert found is None
    [problem] = findings.problems
    assert problem.record == "image 3" and complaint in problem.message


@pytest.fixture
def image_set(make_image_set):
    """0: a cat, a crowd of dogs; 1: a cow; 2: nothing; 3: a cat, labelled alone."""
    objects = [
        (0, (0.0, 0.0, 4.0, 4.0), 0),
        (0, (2.0, 2.0, 6.0, 6.0), 1),
        (1, (0.0, 1.0, 4.0, 5.0), 2),
        (3, (0.0, 1.0, 4.0, 5.0), 0),
    ]
    whole = make_image_set([(8, 9), (10, 11), (12, 12), (9, 9)], objects, ignored={1})
    return apply_split(whole, Split(0, 75, (100, 101, 102)))


@pytest.fixture
def partial_set(image_set):
    """Boxed by class and in part, weak, and with a region for any class."""
    image_set.class_states[:3] = [
        [BOXED, UNKNOWN, ABSENT],
        [BOXED_ABSENT, PRESENT, PARTLY_BOXED],
        [BOXED_ABSENT, ABSENT, BOXED_ABSENT],
    ]
    return image_set._replace(
        classes=np.array([0, ANY_CLASS, 2], np.int32), areas=np.array([1.0, 16.0, 1.0])
    )


def test_partly_boxed_images_and_regions_come_back_from_coco(partial_set, tmp_path):
    path = tmp_path / "partial.json"
    image_dir = write_coco(partial_set, path)
    findings = Findings()
    again = read_coco(path, image_dir, findings=findings)
    assert not findings.problems
    assert_same_columns(again, partial_set)


def test_partly_boxed_images_and_regions_come_back_from_tfrecords(
    partial_set, tmp_path
):
    write_tfrecords(partial_set, tmp_path / "records", num_shards=2)
    findings = Findings()
    again = read_tfrecords(
        tmp_path / "records" / "*.tfrecord", tmp_path / "images", findings=findings
    )
    assert not findings.problems
    assert_same_columns(again, partial_set, ("paths",))


@pytest.mark.parametrize(
    "boxes",
    ["x", [[1, 2, 3]], [[1, 2, 0, 4]], [[1, 2, 3, float("inf")]], [[1, 2, 3, "4"]]],
)
def test_malformed_regions_are_named(read, boxes):
    found, findings = read(ignored_boxes=boxes)
    assert found is None
    [problem] = findings.problems
    assert problem[1:3] == ("image 3", "ignored_boxes")
    assert "is not a list of boxes [x, y, width, height]" in problem.message


@pytest.mark.parametrize("number", [True, 1.0, [1], None])
def test_regions_of_a_record_without_an_id_go_to_no_image(number):
    sound = {"id": 1, "file_name": "a.png", "height": 9, "width": 9}
    categories = Categories(("cat",), (1,), {1: 0}, {"cat": 1})
    table = read_images([sound], "boxes.json", categories, Findings())
    findings = Findings()
    region = {"id": number, "ignored_boxes": [[1, 2, 3, 4]]}
    found = read_ignored_boxes([sound, region], "boxes.json", table, findings)
    assert not len(found.boxes) and table.sound.all()


def test_what_is_known_is_counted(partial_set):
    summary = summarize(partial_set)
    assert (summary.num_strong, summary.num_partly) == (1, 2)
    assert (summary.num_weak, summary.num_empty) == (1, 1)
    assert {name: n.tolist() for name, n in summary.class_states.items()} == {
        "boxed": [1, 0, 0],
        "boxed in part": [0, 0, 1],
        "present, no box": [1, 1, 0],
        "absent": [2, 2, 3],
        "only ignored": [0, 0, 0],
        "unknown": [0, 1, 0],
    }
    assert summary.ignored_boxes.tolist() == [0, 0, 0]
    text = format_inspection(summary, [], [])
    assert re.search(r"boxed in part +2 ", text)
    assert re.search(r"dog +0 +0 +1 +2 +1\n", text)
    line = describe_supervision(partial_set).splitlines()[0]
    assert line.startswith("4 images: 3 strong (boxes, 2 of them in part or by class)")


def test_evaluation_ignores_a_region_for_each_class(partial_set):
    spread = spread_any_class(partial_set)
    assert spread.row_splits.tolist() == [0, 4, 5, 5, 5]
    assert spread.classes.tolist() == [0, 0, 1, 2, 2]
    assert spread.ignored.tolist() == [False, True, True, True, False]
    np.testing.assert_array_equal(spread.boxes[1:4], [partial_set.boxes[1]] * 3)
    assert spread_any_class(spread) is spread


def test_boxes_of_a_source_in_part(image_set):
    findings = Findings()
    found = restrict_boxes(image_set, "in part", "source 1", findings=findings)
    assert found.class_states.tolist() == [
        [PARTLY_BOXED, UNKNOWN, UNKNOWN],
        [UNKNOWN, UNKNOWN, PARTLY_BOXED],
        [PRESENT, ABSENT, ABSENT],
    ]
    assert found.has_boxes.tolist() == [True, True, False]
    assert not found.is_strong.any()
    assert len(found.boxes) == 3
    [note] = findings.notes
    assert "source 1: 1 image without a box, boxed in part" in note


def test_boxes_of_a_source_by_class(image_set):
    found = restrict_boxes(image_set, ("cat",), "source 1")
    assert found.class_states.tolist() == [
        [BOXED, UNKNOWN, UNKNOWN],
        [BOXED_ABSENT, UNKNOWN, PARTLY_BOXED],
        [BOXED_ABSENT, UNKNOWN, UNKNOWN],
        [PRESENT, ABSENT, ABSENT],
    ]
    assert restrict_boxes(image_set, "all", "source 1") is image_set


@pytest.mark.parametrize(
    "boxed, complaint",
    [
        (("cat", "dgo"), "no class is called 'dgo'; did you mean 'dog'"),
        ("cat", "boxed is 'all', 'in part' or a tuple of class names, got 'cat'"),
    ],
)
def test_unknown_words_for_boxed(image_set, boxed, complaint):
    with pytest.raises(ConfigError, match=complaint):
        restrict_boxes(image_set, boxed, "source 1")


def test_each_source_boxes_its_own_classes(make_image_set):
    cats = make_image_set([(8, 9)] * 2, [(0, (0.0, 0.0, 4.0, 4.0), 0)])
    cows = make_image_set([(8, 9)], [(0, (1.0, 1.0, 5.0, 5.0), 2)])

    def make(image_set):
        return lambda class_names=None, findings=None: image_set

    findings = Findings()
    found = read_mixture(
        (make(cats), make(cows)),
        boxed=(("cat",), ("cow", "dog")),
        findings=findings,
    )
    assert not findings.problems
    assert found.class_states.tolist() == [
        [BOXED, BOXED_ABSENT, BOXED],
        [BOXED_ABSENT, UNKNOWN, UNKNOWN],
    ]
    assert found.row_splits.tolist() == [0, 2, 2]
    assert found.classes.tolist() == [0, 2]
    with pytest.raises(DataError, match="two sources have boxes of it"):
        merge_image_sets([cats, cows])
    with pytest.raises(ConfigError, match="boxed has 1 entry for 2 sources"):
        read_mixture((make(cats), make(cows)), boxed=("all",))


def test_a_source_speaks_of_its_own_classes_alone(tmp_path, write_image):
    """Of the others it says nothing, neither of labelled images nor of boxed ones."""
    for name in ("a/0.png", "b/0.png", "b/1.png", "b/2.png"):
        write_image(name, 8, 9)
    size = {"imageHeight": 8, "imageWidth": 9}
    for name, label, flags in (
        ("a/0", "cow", {}),
        ("b/0", "cat", {}),
        ("b/1", "", {"dog": True}),
    ):
        shape = {"label": label, "points": [[1, 1], [4, 4]], "shape_type": "rectangle"}
        content = {"imagePath": f"{name[2:]}.png", "shapes": [shape] * bool(label)}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(size | content | {"flags": flags}))
    sources = tuple(
        functools.partial(read_labelme, tmp_path / folder) for folder in "ab"
    )
    classes = {"class_names": ("cat", "dog", "cow")}
    own_classes = (("cow",), ("dog", "cat"))
    findings = Findings()
    found = read_mixture(sources, own_classes=own_classes, findings=findings, **classes)
    assert found.class_names == ("cat", "dog", "cow")
    assert found.class_states.tolist() == [
        [UNKNOWN, UNKNOWN, BOXED],
        [BOXED, BOXED_ABSENT, UNKNOWN],
        [ABSENT, PRESENT, UNKNOWN],
    ]
    assert found.classes.tolist() == [2, 0]
    assert not any("count as showing none" in note for note in findings.notes)
    for wrong, words in (
        ((None,), "own_classes has 1 entry for 2 sources"),
        ((None, ("cat", "horse")), "own_classes: no class is called 'horse'"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_mixture(sources, own_classes=wrong, findings=Findings(), **classes)
    with pytest.raises(ConfigError, match="which own_classes needs"):
        read_mixture(sources, own_classes=own_classes, findings=Findings())


def test_a_split_takes_the_boxes_of_partly_boxed_images_too(image_set):
    partial = restrict_boxes(image_set, ("cat",), "source 1")
    weak = apply_split(partial, Split(0, 50, (100,)))
    assert weak.class_states.tolist() == [
        [BOXED, UNKNOWN, UNKNOWN],
        [ABSENT, UNKNOWN, PRESENT],
        [ABSENT, UNKNOWN, UNKNOWN],
        [PRESENT, ABSENT, ABSENT],
    ]
    assert len(weak.boxes) == 2


def train(image_set, **changes):
    dataset = build_training_dataset(
        image_set,
        **{"batch_size": 1, "resizing": Resizing(64, 64), "epochs": 8, "seed": 0}
        | changes,
    )
    return [b for b in dataset.as_numpy_iterator()]


def test_sets_of_pure_images_carry_nothing_more(image_set):
    for batch in train(image_set):
        assert batch.targets[3:] == (None,) * 4


def test_batches_tell_partly_boxed_images_and_ignored_regions(image_set):
    partial = restrict_boxes(image_set, ("cat", "dog"), "source 1")
    seen = set()
    for batch in train(partial, crowds="ignored", flip=False):
        image = int(batch.image_ids[0]) - 100
        seen.add(image)
        assert batch.targets.is_partial[0] == (image != 3)
        wanted = [[16 * 8 / 9, 16, 48 * 8 / 9, 48]] if image == 0 else [[0] * 4]
        boxes = batch.targets.ignored_boxes[0]
        classes = batch.targets.ignored_classes[0]
        if image == 0:
            scale = batch.scales[0]
            wanted = np.array([[2, 2, 6, 6]]) * np.tile(scale, 2)
            np.testing.assert_allclose(boxes, wanted, rtol=1e-5)
            assert classes.tolist() == [1]
        else:
            assert not boxes.any() and classes.tolist() == [-1]
    assert seen == {0, 1, 2, 3}


def test_a_region_of_any_class_is_always_ignored(image_set):
    drawn = image_set._replace(classes=np.array([0, ANY_CLASS, 2], np.int32))
    for batch in train(drawn):
        is_first = batch.image_ids[0] == 100
        assert bool(batch.targets.ignored_boxes.any()) == is_first
        assert (batch.targets.ignored_classes == ANY_CLASS).all()


def test_regions_follow_crops_and_flips(make_image_set):
    """A region and an ordinary box in the same place stay in the same place."""
    box = (10.0, 12.0, 50.0, 40.0)
    image_set = make_image_set([(64, 64)], [(0, box, 0), (0, box, 1)], ignored={1})
    zoom = Augmentation(
        min_scale=0.5, max_scale=2.0, min_visible=0.01,
        brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0,
    )  # fmt: skip
    places = set()
    for batch in train(image_set, epochs=30, augmentation=zoom, crowds="ignored"):
        if batch.targets.classes[0, 0] == 0:
            np.testing.assert_array_equal(
                batch.targets.boxes[0], batch.targets.ignored_boxes[0, :1]
            )
        places.add(batch.targets.boxes[0].tobytes())
    assert len(places) > 20


def test_crops_of_partly_boxed_images(make_image_set):
    """A class whose boxes are lost is unknown; a label without boxes stays."""
    box = (2.0, 2.0, 10.0, 10.0)
    image_set = make_image_set([(64, 64)], [(0, box, 0), (0, box, 1)])
    image_set.class_states[0] = [BOXED, PARTLY_BOXED, PRESENT]
    zoom = Augmentation(min_scale=1.0, max_scale=1.4)
    seen = set()
    for batch in train(image_set, epochs=40, augmentation=zoom):
        is_lost = not (batch.targets.classes >= 0).any()
        seen.add(is_lost)
        states = batch.targets.class_states[0].tolist()
        lost = [BOXED_UNCERTAIN, UNKNOWN, PRESENT]
        assert states == (lost if is_lost else [BOXED, PARTLY_BOXED, PRESENT])
    assert seen == {False, True}
