"""What ``ehsod inspect --batch`` shows: the batch at which a loss was not finite."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ehsod_tf.structures import PRESENT, UNKNOWN, Batch
from ehsod_tf.visualization.drawing import choose_color, draw_boxes
from ehsod_tf.visualization.rendering import Card, write_page
from ehsod_tf.wording import count

# Longer side of a picture.
_SIDE = 320


class BatchNames(NamedTuple):
    """What a batch file does not hold.

    Attributes:
        classes: the K class names.
        images: names by image id.
    """

    classes: Sequence[str]
    images: Mapping[int, str]


def format_batch(
    batch: Batch, logs: Mapping[str, float], step: int, names: BatchNames | None = None
) -> str:
    """Says in the terminal what the page of `write_batch_page` says, without pictures.

    Args:
        batch: `Batch` of arrays.
        logs: the scalars of the step.
        step: number of the step, from 1.
        names: of classes and images; without them their numbers are shown.
    """
    lines = [f"step {step}: {count(len(batch.image_ids), 'image')}"]
    width = max(map(len, logs))
    lines += [f"  {name:<{width}}  {_spell(value)}" for name, value in logs.items()]
    for row, faults in enumerate(list_faults(batch)):
        lines.append(f"{_name_image(batch, row, names)}: {_describe(batch, row)}")
        lines += [f"  - {fault}" for fault in faults]
    return "\n".join(lines)


def write_batch_page(
    path: str | os.PathLike,
    batch: Batch,
    logs: Mapping[str, float],
    step: int,
    names: BatchNames | None = None,
) -> None:
    """Writes a page with the scalars of the step and every image as it was trained on.

    Args:
        path: the file to write.
        batch, logs, step, names: see `format_batch`.
    """
    cards, faulty = [], []
    for row, faults in enumerate(list_faults(batch)):
        cards.append(_draw_card(batch, row, names))
        name = _name_image(batch, row, names)
        faulty += [f"{name}: {fault}" for fault in faults]
    write_page(
        path,
        "batch.html",
        title=f"The batch of step {step}",
        faults=faulty,
        cards=cards,
        scalars=[(name, _spell(value)) for name, value in logs.items()],
    )


def list_faults(batch: Batch) -> list[list[str]]:
    """Lists for each image what cannot be right in its pixels and boxes.

    Args:
        batch: `Batch` of arrays.
    """
    return [
        [*_list_pixel_faults(batch.images[row]), *_list_box_faults(batch, row)]
        for row in range(len(batch.image_ids))
    ]


def _list_pixel_faults(pixels):
    num_broken = int((~np.isfinite(pixels)).sum())
    if num_broken:
        yield f"{num_broken:,} pixel values are NaN or infinite"
    finite = pixels[np.isfinite(pixels)]
    if finite.size and (finite.min() < 0 or finite.max() > 255):
        yield f"pixel values from {finite.min():g} to {finite.max():g}, not 0 to 255"


def _list_box_faults(batch, row):
    height, width = batch.image_sizes[row]
    is_real = batch.targets.classes[row] >= 0
    for box in batch.targets.boxes[row][is_real]:
        ymin, xmin, ymax, xmax = box
        place = f"box [{', '.join(f'{side:g}' for side in box)}]"
        if not np.isfinite(box).all():
            yield f"{place} is not finite"
        elif ymax <= ymin or xmax <= xmin:
            yield f"{place} has no height or no width"
        elif min(ymin, xmin) < -1 or ymax > height + 1 or xmax > width + 1:
            yield f"{place} leaves its image of {height} x {width} pixels"


def _draw_card(batch, row, names):
    targets = batch.targets
    height, width = batch.image_sizes[row]
    pixels = np.nan_to_num(batch.images[row, :height, :width], posinf=255)
    zoom = _SIDE / max(height, width, 1)
    size = max(1, round(zoom * width)), max(1, round(zoom * height))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).resize(size)
    num_classes = targets.image_labels.shape[1]
    class_names = [_name_class(k, names) for k in range(num_classes)]
    can_draw = (targets.classes[row] >= 0) & np.isfinite(targets.boxes[row]).all(axis=1)
    drawn = draw_boxes(
        np.asarray(image),
        zoom * targets.boxes[row][can_draw],
        targets.classes[row][can_draw],
        class_names,
    )
    chips = [
        (class_names[k], choose_color(int(k)))
        for k in np.flatnonzero(targets.image_labels[row] == PRESENT)
    ]
    return Card(_name_image(batch, row, names), drawn, chips, _describe(batch, row))


def _describe(batch, row):
    height, width = batch.image_sizes[row]
    targets = batch.targets
    num_boxes = int((targets.classes[row] >= 0).sum())
    known = f"strong, boxes: {num_boxes}" if targets.has_boxes[row] else "weak"
    num_unknown = int((targets.image_labels[row] == UNKNOWN).sum())
    unknown = f", unknown classes: {num_unknown}" if num_unknown else ""
    return f"{known}{unknown}, {height} x {width} pixels"


def _name_image(batch, row, names):
    image_id = int(batch.image_ids[row])
    if names is None or image_id not in names.images:
        return f"image {image_id}"
    return f"{names.images[image_id]} (id {image_id})"


def _name_class(index, names):
    return f"class {index}" if names is None else names.classes[index]


def _spell(value):
    return f"{value:.6g}" if math.isfinite(value) else f"{value} <- not finite"
