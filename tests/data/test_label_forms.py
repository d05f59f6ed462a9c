"""The same images through every form of annotation give the same tensors."""

import csv
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import (
    build_training_dataset,
    read_class_folders,
    read_coco,
    read_label_csv,
    read_voc,
)
from ehsod_tf.data.resizing import Resizing

CLASS_NAMES = ("cat", "dog", "cow")
HEIGHT, WIDTH = 24, 32

# x, y, width, height of the objects.
BOXES = {
    "a.png": {"dog": (3, 4, 10, 12), "cat": (0, 0, 8, 9)},
    "b.png": {"cow": (5, 6, 20, 10)},
    "c.png": {"cat": (1, 2, 30, 20)},
}


@pytest.fixture
def image_dir(tmp_path, rng):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in BOXES:
        pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def coco_boxes():
    """The data set as COCO boxes."""
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASS_NAMES, 1)]
    images, annotations = [], []
    for image_id, (name, boxes) in enumerate(BOXES.items(), 1):
        size = {"height": HEIGHT, "width": WIDTH}
        images.append({"id": image_id, "file_name": name, **size})
        for class_name, box in boxes.items():
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": CLASS_NAMES.index(class_name) + 1,
                "bbox": box,
            }
            annotations.append(annotation)
    return {"images": images, "annotations": annotations, "categories": categories}


def _batch(image_set):
    """One batch of all images."""
    dataset = build_training_dataset(
        image_set,
        batch_size=len(BOXES),
        resizing=Resizing(HEIGHT, WIDTH),
        seed=0,
        epochs=1,
    )
    [batch] = dataset.as_numpy_iterator()
    return batch


def _assert_same(first, second):
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.image_sizes, second.image_sizes)
    np.testing.assert_array_equal(first.scales, second.scales)
    for one, other in zip(first.targets, second.targets, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_form_of_labels(coco_boxes, image_dir, write_json, tmp_path):
    batches = []

    for image in coco_boxes["images"]:
        image["supervision"] = "labels"
    path = write_json(coco_boxes, "dropped_boxes.json")
    batches.append(_batch(read_coco(path, image_dir, class_names=CLASS_NAMES)))

    for image in coco_boxes["images"]:
        del image["supervision"]
        image["image_labels"] = list(BOXES[image["file_name"]])
    del coco_boxes["annotations"]
    path = write_json(coco_boxes, "labels.json")
    batches.append(_batch(read_coco(path, image_dir, class_names=CLASS_NAMES)))

    path = tmp_path / "labels.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "labels"])
        writer.writerows([name, ";".join(boxes)] for name, boxes in BOXES.items())
    batches.append(_batch(read_label_csv(path, image_dir, class_names=CLASS_NAMES)))

    for name, boxes in BOXES.items():
        for class_name in boxes:
            os.makedirs(tmp_path / "folders" / class_name, exist_ok=True)
            shutil.copy(image_dir / name, tmp_path / "folders" / class_name)
    folders = read_class_folders(tmp_path / "folders", class_names=CLASS_NAMES)
    batches.append(_batch(_sort_images(folders)))

    expected = [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    labels = batches[0].targets.image_labels.tolist()
    assert sorted(labels) == sorted(expected)
    assert not batches[0].targets.has_boxes.any()
    for batch in batches[1:]:
        _assert_same(batches[0], batch)


def _sort_images(image_set):
    """Puts a weak set into the order of the file names, whatever their folders are."""
    names = [os.path.basename(name) for name in image_set.image_names]
    order = np.argsort(names)
    return image_set._replace(
        paths=[image_set.paths[row] for row in order],
        class_states=image_set.class_states[order],
    )


def test_voc_and_coco_boxes(coco_boxes, image_dir, write_json, tmp_path):
    for folder in ("Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    for name, boxes in BOXES.items():
        objects = "".join(
            f"<object><name>{class_name}</name><bndbox><xmin>{x + 1}</xmin>"
            f"<ymin>{y + 1}</ymin><xmax>{x + width}</xmax><ymax>{y + height}</ymax>"
            "</bndbox></object>"
            for class_name, (x, y, width, height) in boxes.items()
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
        path = (tmp_path / "Annotations" / name).with_suffix(".xml")
        path.write_text(f"<annotation>{size}{objects}</annotation>")
    (tmp_path / "ImageSets/Main/all.txt").write_text("a\nb\nc\n")
    shutil.copytree(image_dir, tmp_path / "JPEGImages")
    voc = read_voc(tmp_path, "all", class_names=CLASS_NAMES)
    coco = read_coco(write_json(coco_boxes), image_dir, class_names=CLASS_NAMES)
    batches = _batch(voc), _batch(coco)
    assert batches[0].targets.has_boxes.all() and batches[0].targets.boxes.any()
    _assert_same(*batches)
