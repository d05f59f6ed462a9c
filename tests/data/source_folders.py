"""Folders of annotated images as people have them, and what is made of them."""

import json

import numpy as np
import pytest
from PIL import Image

from ehsod_tf import data
from ehsod_tf.errors import ConfigError


def add_images(folder, names, shade=0):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full([8, 8, 3], shade + number, np.uint8)
        Image.fromarray(pixels).save(path)


def add_coco(path, names, class_names=("bus", "cat"), **fields):
    """A COCO JSON of a box on each image, the classes in turns."""
    content = {
        "info": {"description": "made up"},
        "images": [
            {"id": i, "file_name": name, "width": 8, "height": 8} | fields
            for i, name in enumerate(names)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i % 2, "bbox": [1, 1, 4, 4]}
            for i in range(len(names))
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(class_names)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def add_table(path, names):
    path.write_text("file_name,labels\n" + "".join(f"{n},bus\n" for n in names))


def plan(folder, **choices):
    return data.plan_folder(data.survey_folder(folder), data.FolderChoices(**choices))


def ask(folder, **choices):
    """The question that a folder leads to."""
    with pytest.raises(ConfigError) as caught:
        plan(folder, **choices)
    return str(caught.value)


def name_sources(sources):
    return [source.path for source in sources]
