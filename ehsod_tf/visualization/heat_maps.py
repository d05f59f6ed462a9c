"""What the class maps of a detector show, and what they do to its proposals."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from ehsod_tf.visualization.drawing import draw_boxes
from ehsod_tf.visualization.pictures import Box
from ehsod_tf.visualization.rendering import embed_image

_SIDE = 240
_UNITS = 400
_QUALITY = 80
# Reads the same without red and green, and on paper.
_COLORMAP = "viridis"


class Explained(NamedTuple):
    """What a detector sees in a training image.

    Attributes:
        name: for people.
        pixels: [h, w, 3] uint8, the image as the network sees it.
        kind: what is known of it, as a field of `annotated_images.Chosen` has it.
        boxes: [m, 4] in pixels of `pixels`; none of a weak image.
        classes: [m] of the boxes.
        maps: {class name: [h', w'] float in [0, 1]}, of the classes that it shows.
        proposals: [n, 4] the best proposals, best first.
        rpn_scores: [n] in [0, 1], what the RPN says of them.
        cam_scores: [n], what the class map adds; their sum is the objectness.
    """

    name: str
    pixels: np.ndarray
    kind: str
    boxes: np.ndarray
    classes: np.ndarray
    maps: dict[str, np.ndarray]
    proposals: np.ndarray
    rpn_scores: np.ndarray
    cam_scores: np.ndarray


class MapRow(NamedTuple):
    """An image and its maps for the page, each with a caption."""

    name: str
    images: list[tuple[str, str]]


class ProposalPicture(NamedTuple):
    """Proposals over a picture, coloured in two ways.

    Attributes:
        key: names the picture in the page.
        name: for people.
        uri: its pixels.
        width, height: in units.
        colorings: for each what the colour is, its ends as text, and the `Box`es.
    """

    key: str
    name: str
    uri: str
    width: float
    height: float
    colorings: list[tuple[str, str, str, list[Box]]]


def draw_maps(explained: Explained, class_names) -> MapRow:
    """Lays each class map of an image over it; bright is where the class is seen."""
    image = _shrink(explained.pixels)
    zoom = image.width / explained.pixels.shape[1]
    pixels = draw_boxes(
        np.asarray(image), zoom * explained.boxes, explained.classes, class_names
    )
    images = [("image", embed_image(pixels, _QUALITY))]
    for name, class_map in explained.maps.items():
        overlaid = overlay_map(np.asarray(image), class_map)
        caption = f"{name}, up to {class_map.max():.2f}"
        images.append((caption, embed_image(overlaid, _QUALITY)))
    return MapRow(explained.name, images)


def overlay_map(image: np.ndarray, class_map: np.ndarray) -> np.ndarray:
    """Lays a map over a grey image.

    Args:
        image: [H, W, 3] uint8.
        class_map: [h, w] from 0, of any size; shown relative to its maximum.

    Returns:
        [H, W, 3] uint8.
    """
    import matplotlib

    height, width, _ = image.shape
    top = max(float(class_map.max()), 1e-6)
    small = Image.fromarray((class_map / top).astype(np.float32))
    shares = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    colors = matplotlib.colormaps[_COLORMAP](shares)[..., :3] * 255
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None]
    return np.clip(0.35 * grey + 0.65 * colors, 0, 255).astype(np.uint8)


def draw_proposals(explained: Explained, key: str) -> ProposalPicture:
    """Colours the proposals of an image by objectness and by what the map added."""
    height, width, _ = explained.pixels.shape
    zoom = _UNITS / max(height, width)
    objectness = explained.rpn_scores + explained.cam_scores
    hints = [
        f"objectness {total:.3f} = RPN {rpn:.3f} {'+' if cam >= 0 else '−'} "
        f"class map {abs(cam):.3f}"
        for total, rpn, cam in zip(
            objectness, explained.rpn_scores, explained.cam_scores, strict=True
        )
    ]
    return ProposalPicture(
        key,
        explained.name,
        embed_image(np.asarray(_shrink(explained.pixels)), _QUALITY),
        zoom * width,
        zoom * height,
        [
            _color("objectness", objectness, explained.proposals, hints, zoom),
            _color(
                "added by the class map",
                explained.cam_scores,
                explained.proposals,
                hints,
                zoom,
            ),
        ],
    )


def _color(what, values, boxes, hints, zoom):
    import matplotlib

    low, high = (float(values.min()), float(values.max())) if len(values) else (0, 0)
    shares = (values - low) / max(high - low, 1e-6)
    colors = matplotlib.colormaps[_COLORMAP](shares)
    drawn = []
    # The highest on top.
    for i in np.argsort(values, kind="stable"):
        ymin, xmin, ymax, xmax = (zoom * float(side) for side in boxes[i])
        drawn.append(
            Box(
                *(xmin, ymin, xmax - xmin, ymax - ymin),
                "",
                hints[i],
                matplotlib.colors.to_hex(colors[i]),
                # As the width of its line: colour alone would not do for everybody.
                score=round(1 + 3 * float(shares[i]), 1),
            )
        )
    return what, f"{low:.2f}", f"{high:.2f}", drawn


def _shrink(pixels):
    image = Image.fromarray(pixels)
    scale = _SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size)
