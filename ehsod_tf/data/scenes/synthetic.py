"""The quickstart's data set: rendered scenes, written to disk in COCO form.

Each scene shows one to five textured shapes of six classes. They overlap, vary in size
and colour, and lie on clutter. A scene is a function of the seed and its number alone.
"""

import json
import math
import os
import shutil
from typing import NamedTuple

import numpy as np
from PIL import Image

from ehsod_tf.data.scenes.drawing import (
    SHAPES,
    SUPERSAMPLING,
    average_down,
    draw_background,
    draw_colour,
    draw_shape,
    draw_texture,
    to_bytes,
)
from ehsod_tf.errors import DataError

SCENE_CLASSES = SHAPES

# Written last, so that it also says that the set is complete.
_MARKER = "synthetic_scenes.json"
# Raised whenever the pictures change, so that an older set is rendered again.
_VERSION = 1

_MAX_OBJECTS = 5
_MIN_VISIBLE = 0.35
_MIN_INSIDE = 0.6
_MIN_COLOUR_DISTANCE = 0.35
_PLACEMENT_TRIALS = 30


class SceneObject(NamedTuple):
    """One object of a scene.

    Attributes:
        class_index: its shape, an index into `SCENE_CLASSES`.
        box: (ymin, xmin, ymax, xmax) of its whole outline within the image, occluded
            parts included; exact to the supersampled pixel.
        area: of the outline within the image, in square pixels.
        visible: the share of the whole outline that is neither occluded nor cut off.
    """

    class_index: int
    box: tuple[float, float, float, float]
    area: float
    visible: float


def ensure_synthetic_scenes(
    directory: str | os.PathLike, *, num_train: int, num_val: int, seed: int, size: int
) -> None:
    """Renders the set unless the folder already holds it with the same parameters.

    A set with other parameters is replaced. The arguments are those of
    `write_synthetic_scenes`.

    Raises:
        DataError: the folder holds something else.
    """
    # A link stays, and what it leads to is replaced.
    directory = os.path.realpath(directory)
    parameters = {
        "version": _VERSION,
        "num_train": num_train,
        "num_val": num_val,
        "seed": seed,
        "size": size,
    }
    if os.path.isdir(directory) and os.listdir(directory):
        if set(os.listdir(directory)) != {"annotations", "train", "val", _MARKER}:
            raise DataError(
                f"{directory}: this folder holds other files; give an empty or a new "
                "folder for the synthetic scenes"
            )
        with open(os.path.join(directory, _MARKER), encoding="utf-8") as file:
            if file.read() == _serialise(parameters):
                return
        shutil.rmtree(directory)
    # Rendered beside its place and then moved, so that an interrupted run leaves
    # nothing that looks like a data set.
    unfinished = f"{directory}.unfinished-{os.getpid()}"
    os.makedirs(unfinished)
    try:
        write_synthetic_scenes(
            unfinished, num_train=num_train, num_val=num_val, seed=seed, size=size
        )
        with open(os.path.join(unfinished, _MARKER), "w", encoding="utf-8") as file:
            file.write(_serialise(parameters))
        os.replace(unfinished, directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_synthetic_scenes(
    directory: str | os.PathLike, *, num_train: int, num_val: int, seed: int, size: int
) -> None:
    """Renders the scenes of both subsets.

    Writes ``annotations/instances_{train,val}.json`` and the folders ``train`` and
    ``val`` of PNG files. The longer side of an image is `size`, the shorter one
    four fifths of it or the same.

    Args:
        directory: where to write; made if need be.
        num_train: number of training scenes.
        num_val: number of validation scenes.
        seed: the same seed gives the same scenes.
        size: pixels.
    """
    os.makedirs(os.path.join(directory, "annotations"), exist_ok=True)
    for subset, (name, num_scenes) in enumerate(
        (("train", num_train), ("val", num_val))
    ):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
        content = {
            "images": [],
            "annotations": [],
            "categories": [
                {"id": index, "name": shape, "supercategory": "shape"}
                for index, shape in enumerate(SCENE_CLASSES, start=1)
            ],
        }
        for number in range(1, num_scenes + 1):
            rng = np.random.default_rng([seed, subset, number])
            image, objects = render_scene(size, rng)
            file_name = f"{number:06d}.png"
            Image.fromarray(image).save(os.path.join(directory, name, file_name))
            _add_records(content, number, file_name, image.shape, objects)
        path = os.path.join(directory, "annotations", f"instances_{name}.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(_serialise(content))


def _serialise(content: dict) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"


def _add_records(
    content: dict[str, list],
    image_id: int,
    file_name: str,
    shape: tuple[int, ...],
    objects: list[SceneObject],
) -> None:
    content["images"].append(
        {
            "id": image_id,
            "file_name": file_name,
            "width": shape[1],
            "height": shape[0],
        }
    )
    for item in objects:
        ymin, xmin, ymax, xmax = item.box
        content["annotations"].append(
            {
                "id": len(content["annotations"]) + 1,
                "image_id": image_id,
                "category_id": item.class_index + 1,
                "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                "area": item.area,
                "iscrowd": 0,
            }
        )


def render_scene(
    size: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[SceneObject]]:
    """Renders one scene.

    Returns:
        [H, W, 3] uint8 and its objects, the rearmost first.
    """
    height, width = ((size, size), (size * 4 // 5, size), (size, size * 4 // 5))[
        rng.integers(3)
    ]
    image = draw_background(height, width, rng)
    masks: list[np.ndarray] = []
    objects: list[SceneObject] = []
    for _ in range(rng.integers(1, _MAX_OBJECTS + 1)):
        placed = _place_shape(height, width, objects, masks, rng)
        if placed is None:
            continue
        mask, item = placed
        objects = [
            earlier._replace(visible=earlier.visible * _keep(earlier_mask, mask))
            for earlier, earlier_mask in zip(objects, masks, strict=True)
        ]
        masks = [earlier & ~mask for earlier in masks] + [mask]
        objects.append(item)
        image = _paint(image, mask, SCENE_CLASSES[item.class_index], rng)
    return to_bytes(image), objects


def _place_shape(
    height: int,
    width: int,
    objects: list[SceneObject],
    visible_masks: list[np.ndarray],
    rng: np.random.Generator,
) -> tuple[np.ndarray, SceneObject] | None:
    """Finds a place at which all objects stay visible enough.

    Returns:
        The supersampled [H, W] mask and its object, or None if no trial succeeded.
    """
    class_index = int(rng.integers(len(SCENE_CLASSES)))
    # Even on the logarithm, so that small objects are as common as large ones.
    largest = max(height, width)
    radius = largest * math.exp(rng.uniform(math.log(1 / 11), math.log(1 / 4)))
    shape = draw_shape(SCENE_CLASSES[class_index], radius, rng)
    for _ in range(_PLACEMENT_TRIALS):
        mask = _put_on_canvas(shape, height, width, rng)
        visible = mask.sum() / shape.sum()
        if visible >= _MIN_INSIDE and all(
            item.visible * _keep(earlier, mask) >= _MIN_VISIBLE
            for item, earlier in zip(objects, visible_masks, strict=True)
        ):
            return mask, _describe(mask, class_index, float(visible))
    return None


def _put_on_canvas(
    shape: np.ndarray, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Puts a shape's patch somewhere with its centre inside the image."""
    canvas = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), bool)
    half = len(shape) // 2
    top, left = (int(rng.integers(length)) - half for length in canvas.shape)
    rows = slice(max(0, top), min(canvas.shape[0], top + len(shape)))
    columns = slice(max(0, left), min(canvas.shape[1], left + len(shape)))
    canvas[rows, columns] = shape[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return canvas


def _keep(mask: np.ndarray, cover: np.ndarray) -> float:
    """Returns the share of a mask that a cover leaves visible."""
    return float((mask & ~cover).sum() / mask.sum())


def _describe(mask: np.ndarray, class_index: int, visible: float) -> SceneObject:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    edges = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
    box = tuple(float(edge) / SUPERSAMPLING for edge in edges)
    area = float(mask.sum()) / SUPERSAMPLING**2
    return SceneObject(class_index, box, area, visible)


def _paint(
    image: np.ndarray, mask: np.ndarray, shape: str, rng: np.random.Generator
) -> np.ndarray:
    """Paints a textured shape that stands out from what lies beneath it."""
    cover = average_down(mask)[..., None]
    beneath = (image * cover).sum(axis=(0, 1)) / cover.sum()
    colour = draw_colour(shape, rng)
    while np.linalg.norm(colour - beneath) < _MIN_COLOUR_DISTANCE:
        colour = draw_colour(shape, rng)
    texture = draw_texture(shape, *image.shape[:2], colour, rng)
    light = np.linspace(1.1, 0.9, len(image), dtype=np.float32)[:, None, None]
    return image + (texture * light - image) * cover
