"""An image set as XML files in VOC's form: annotations/ and images/."""

import os
from xml.etree import ElementTree

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    format_number,
    list_objects,
    name_images,
    select_expressible,
)
from ehsod_tf.structures import ImageSet


def write_voc_xml(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as VOC's XML files.

    `read_voc_xml` gives the same boxes again, to a millionth of a pixel. Ignored
    objects are written as difficult. Areas other than the boxes' own are lost, and so
    are classes that no box shows, and their order.

    Args:
        image_set: strong images.
        output_dir: a new or empty folder; it appears with all files or not at all.
        findings: takes problems with images that cannot be written, which are left
            out; None raises instead.

    Returns:
        The number of images written.

    Raises:
        DataError: the folder holds something already, or an image cannot be read.
    """
    image_set = select_expressible(
        image_set, "voc_xml", labels="none", needs_own_stems=True, findings=findings
    )
    names = name_images(image_set)
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, os.path.join(folder, "images"))
        for row, name in enumerate(names):
            stem = os.path.splitext(name)[0]
            path = os.path.join(folder, "annotations", f"{stem}.xml")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            tree = ElementTree.ElementTree(_make_annotation(image_set, row, name))
            ElementTree.indent(tree)
            tree.write(path, encoding="utf-8")
    return len(names)


def _make_annotation(image_set: ImageSet, row: int, name: str) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    add_text(root, "folder", "images")
    add_text(root, "filename", os.path.basename(name))
    size = ElementTree.SubElement(root, "size")
    height, width = image_set.sizes[row].tolist()
    add_text(size, "width", str(width))
    add_text(size, "height", str(height))
    add_text(size, "depth", "3")
    for class_name, (ymin, xmin, ymax, xmax), ignored in list_objects(image_set, row):
        item = ElementTree.SubElement(root, "object")
        add_text(item, "name", class_name)
        add_text(item, "difficult", str(int(ignored)))
        box = ElementTree.SubElement(item, "bndbox")
        # VOC counts pixels from 1 and includes the last one.
        sides = {"xmin": xmin + 1, "ymin": ymin + 1, "xmax": xmax, "ymax": ymax}
        for side, value in sides.items():
            add_text(box, side, format_number(value))
    return root


def add_text(parent: ElementTree.Element, tag: str, text: str) -> None:
    """Adds an element that holds a text."""
    ElementTree.SubElement(parent, tag).text = text
