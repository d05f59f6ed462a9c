"""Small data sets on disk, for the tests of the data package."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data.columns import BoxRecord, assemble_image_set

CLASS_NAMES = ("cat", "dog", "cow")


@pytest.fixture
def write_image(tmp_path):
    """Returns a function that writes a PNG of one colour and gives its path."""

    def write(name, height, width, colour=(200, 100, 50)):
        path = os.path.join(tmp_path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.new("RGB", (width, height), colour).save(path)
        return path

    return write


@pytest.fixture
def make_image_set(write_image):
    """Returns a function that builds a set from sizes and (image, box, class) rows.

    Image i has id 100 + i, and red value i, so that pixels tell which image it is.
    """

    def make(sizes, objects=(), ignored=()):
        paths = [
            write_image(f"images/{row}.png", height, width, (row, 100, 50))
            for row, (height, width) in enumerate(sizes)
        ]
        records = [
            BoxRecord(image, box, class_index, 1.0, number in ignored)
            for number, (image, box, class_index) in enumerate(objects)
        ]
        return assemble_image_set(
            class_names=CLASS_NAMES,
            category_ids=(1, 2, 3),
            image_ids=[100 + row for row in range(len(sizes))],
            image_names=[os.path.basename(path) for path in paths],
            paths=paths,
            sizes=sizes,
            objects=records,
        )

    return make


@pytest.fixture
def coco_content():
    """Two images, three categories out of order, a crowd and a plain object of one."""
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "b.png", "width": 20, "height": 50},
        ],
        "categories": [
            {"id": 9, "name": "dog"},
            {"id": 4, "name": "cat"},
            {"id": 5, "name": "cow"},
        ],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 9, "bbox": [1, 2, 3.5, 4]},
            {
                "id": 2,
                "image_id": 7,
                "category_id": 4,
                "bbox": [10, 20, 5, 6],
                "area": 11.5,
                "iscrowd": 1,
            },
            {"id": 3, "image_id": 7, "category_id": 9, "bbox": [0, 0, 40, 30]},
            {"id": 4, "image_id": 3, "category_id": 4, "bbox": [2, 2, 2, 2]},
            {
                "id": 5,
                "image_id": 3,
                "category_id": 4,
                "bbox": [0, 0, 9, 9],
                "iscrowd": 1,
            },
        ],
    }


@pytest.fixture
def write_json(tmp_path):
    def write(content, name="instances.json"):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def rng():
    return np.random.default_rng(0)
