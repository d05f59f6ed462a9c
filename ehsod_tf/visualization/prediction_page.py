"""A page of images with what a detector found on them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ehsod_tf.visualization.drawing import choose_color
from ehsod_tf.visualization.rendering import Card, write_page

_SIDE = 480


def make_prediction_card(
    name: str,
    picture: Image.Image,
    classes: Sequence[int],
    class_names: Sequence[str],
) -> Card:
    """A card of a drawn picture, made smaller, with the number of each class.

    Args:
        name: of the image.
        picture: with its boxes drawn.
        classes: n class indices of the detections.
        class_names: their n names.
    """
    small = picture.copy()
    small.thumbnail((_SIDE, _SIDE))
    names = dict(zip(map(int, classes), class_names, strict=True))
    chips = []
    for k, count in zip(*np.unique(classes, return_counts=True), strict=True):
        times = f" × {count}" if count > 1 else ""
        chips.append((names[int(k)] + times, choose_color(int(k))))
    note = "" if chips else "nothing found"
    return Card(name, np.asarray(small), chips, note)


def write_prediction_page(
    path: str, title: str, cards: Sequence[Card], num_images: int
) -> None:
    """Writes cards as one HTML file.

    Args:
        path: the file to write.
        title: heading of the page.
        cards: of `make_prediction_card`.
        num_images: of which there may be more than cards.
    """
    write_page(
        path, "predictions.html", title=title, cards=cards, num_images=num_images
    )
