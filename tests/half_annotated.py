"""Scenes of which some have boxes, and the rest a table of labels."""

import csv
import json
import pathlib


def write_half_annotated(
    content: dict, folder: pathlib.Path, num_boxed: int = 6
) -> dict:
    """Writes ``boxes.json`` of the first images and ``labels.csv`` of the others.

    Args:
        content: of a COCO file in which all images have boxes.
        folder: where to.
        num_boxed: images in ``boxes.json``.

    Returns:
        What ``boxes.json`` holds.
    """
    names = {row["id"]: row["name"] for row in content["categories"]}
    boxed, labelled = content["images"][:num_boxed], content["images"][num_boxed:]
    with open(folder / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "labels"])
        for image in labelled:
            shown = {
                names[row["category_id"]]
                for row in content["annotations"]
                if row["image_id"] == image["id"]
            }
            writer.writerow([image["file_name"], ";".join(sorted(shown))])
    ids = {image["id"] for image in boxed}
    rows = [row for row in content["annotations"] if row["image_id"] in ids]
    boxes = content | {"images": boxed, "annotations": rows}
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return boxes
