import json
import os

import numpy as np
import pytest
import tensorflow as tf
from image_sets import assert_same_columns

from ehsod_tf.data import Findings, Split, apply_split, build_training_dataset
from ehsod_tf.data.readers.coco import read_coco
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.writers.coco import write_coco
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

SIZES = [(24, 32), (32, 24), (32, 32), (30, 40), (20, 20)]
OBJECTS = [
    (0, (2.25, 4.0, 10.5, 20.75), 1),
    (0, (0.0, 0.0, 24.0, 32.0), 2),
    (1, (1.0, 1.0, 9.0, 9.0), 0),
    (3, (3.0, 6.0, 15.0, 30.0), 2),
    (3, (0.0, 0.0, 8.0, 8.0), 0),
    (4, (1.0, 2.0, 3.0, 4.0), 1),
]
CLASS_NAMES = ("cat", "dog", "cow")


@pytest.fixture
def mixture(make_image_set):
    """Strong: 0, with boxes; 2, empty; 3, with a crowd. Weak: 1; 4, one label unknown.

    The classes are not in the order of their category ids.
    """
    image_set = make_image_set(SIZES, OBJECTS, ignored={4})
    mixed = apply_split(image_set, Split(0, 60, (100, 102, 103)))
    mixed.class_states[4] = [UNKNOWN, PRESENT, ABSENT]
    return mixed._replace(category_ids=(7, 3, 90))


def read(path, image_dir):
    findings = Findings()
    image_set = read_coco(path, image_dir, class_names=CLASS_NAMES, findings=findings)
    assert findings.problems == []
    return image_set


def test_a_mixture_comes_back(mixture, tmp_path):
    path = tmp_path / "lists" / "mixed.json"
    image_dir = write_coco(mixture, path)
    assert image_dir == os.path.dirname(mixture.paths[0])
    again = read(path, image_dir)
    assert_same_columns(again, mixture)
    assert os.listdir(path.parent) == ["mixed.json"]


def test_the_same_tensors(mixture, tmp_path):
    image_dir = write_coco(mixture, tmp_path / "mixed.json")
    again = read(tmp_path / "mixed.json", image_dir)
    sets = [
        build_training_dataset(
            image_set,
            batch_size=2,
            resizing=Resizing(32, 32),
            seed=0,
            epochs=3,
        )
        for image_set in (mixture, again)
    ]
    for a, b in zip(*sets, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_names_are_relative_to_the_folder(mixture, tmp_path):
    assert write_coco(mixture, tmp_path / "mixed.json", tmp_path) == str(tmp_path)
    again = read(tmp_path / "mixed.json", tmp_path)
    assert again.image_names == [f"images/{row}.png" for row in range(5)]
    assert again.paths == mixture.paths


def test_absent_labels_only_where_some_are_unknown(mixture, tmp_path):
    write_coco(mixture, tmp_path / "mixed.json")
    images = json.loads((tmp_path / "mixed.json").read_text())["images"]
    # Image 3 has its only cat in a crowd.
    assert [image.get("absent_labels") for image in images] == [
        None,
        None,
        None,
        [3],
        [90],
    ]
    assert images[4]["image_labels"] == [3]
    assert [image["supervision"] for image in images] == [
        "boxes",
        "labels",
        "boxes",
        "boxes",
        "labels",
    ]


def test_an_image_outside_the_folder(mixture, tmp_path):
    with pytest.raises(DataError, match="0.png, image 100: .*leads out of the image"):
        write_coco(mixture, tmp_path / "a.json", "/none")
    assert not (tmp_path / "a.json").exists()
