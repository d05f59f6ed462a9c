"""Draws the picture of the README: detections on rendered scenes, side by side.

python benchmarks/house/draw_detections.py runs/quickstart datasets/quickstart/val
"""

import argparse
import pathlib

from PIL import Image

import ehsod_tf
from ehsod_tf.visualization import draw_boxes

ROOT = pathlib.Path(__file__).parents[2]
_HEIGHT, _GAP = 260, 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a run folder, a checkpoint or a SavedModel")
    parser.add_argument("images", help="a folder")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--score_threshold", type=float, default=0.5)
    parser.add_argument("--output", default=ROOT / "docs/images/detections.jpg")
    arguments = parser.parse_args()
    detector = ehsod_tf.load(arguments.model)
    found = detector.predict(arguments.images, arguments.score_threshold)
    # Spread over the folder, so that the picture is no choice of the best ones.
    step = max(1, len(found) // arguments.count)
    pictures = [draw(detector, one) for one in found[::step][: arguments.count]]
    width = sum(picture.width + _GAP for picture in pictures) - _GAP
    sheet = Image.new("RGB", (width, _HEIGHT), (255, 255, 255))
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + _GAP
    pathlib.Path(arguments.output).parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.output, quality=88)


def draw(detector, prediction) -> Image.Image:
    """An image with its boxes, magnified so that labels do not hide the objects."""
    with Image.open(prediction.path) as file:
        image = file.convert("RGB")
        zoom = _HEIGHT / image.height
        image = image.resize([round(zoom * side) for side in image.size])
    return Image.fromarray(
        draw_boxes(
            image,
            zoom * prediction.boxes,
            prediction.classes,
            detector.class_names,
            prediction.scores,
        )
    )


if __name__ == "__main__":
    main()
