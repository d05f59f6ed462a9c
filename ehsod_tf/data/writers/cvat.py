"""An image set in the form of CVAT for images: annotations.xml and images/."""

import os
from xml.etree import ElementTree

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    format_number,
    list_labels,
    list_objects,
    name_images,
    select_expressible,
)
from ehsod_tf.data.writers.voc_xml import add_text
from ehsod_tf.structures import ImageSet


def write_cvat(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as CVAT's XML.

    Labels of weak images are tags, ignored objects have the attribute ``difficult``.
    `read_cvat` gives the same again, if images without an object are read as empty
    (``unannotated = "empty"``). Areas other than the boxes' own are lost.

    Args:
        image_set: images whose labels are all present or absent.
        output_dir: a new or empty folder; it appears with all files or not at all.
        findings: takes problems with images that cannot be written, which are left
            out; None raises instead.

    Returns:
        The number of images written.

    Raises:
        DataError: the folder holds something already, or an image cannot be read.
    """
    image_set = select_expressible(
        image_set, "cvat", labels="present", findings=findings
    )
    names = name_images(image_set)
    root = ElementTree.Element("annotations")
    add_text(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    add_text(task, "size", str(len(names)))
    add_text(task, "mode", "annotation")
    labels = ElementTree.SubElement(task, "labels")
    for class_name in image_set.class_names:
        _add_label(labels, class_name)
    for row, name in enumerate(names):
        _add_image(root, image_set, row, name)
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, os.path.join(folder, "images"))
        ElementTree.indent(root)
        path = os.path.join(folder, "annotations.xml")
        ElementTree.ElementTree(root).write(path, "utf-8", xml_declaration=True)
    return len(names)


def _add_label(labels: ElementTree.Element, class_name: str) -> None:
    label = ElementTree.SubElement(labels, "label")
    add_text(label, "name", class_name)
    attributes = ElementTree.SubElement(label, "attributes")
    attribute = ElementTree.SubElement(attributes, "attribute")
    fields = {"name": "difficult", "mutable": "False", "input_type": "checkbox"}
    for tag, text in (fields | {"default_value": "false", "values": "false"}).items():
        add_text(attribute, tag, text)


def _add_image(
    root: ElementTree.Element, image_set: ImageSet, row: int, name: str
) -> None:
    height, width = map(str, image_set.sizes[row].tolist())
    fields = {"id": str(row), "name": name, "width": width, "height": height}
    image = ElementTree.SubElement(root, "image", fields)
    for class_name in list_labels(image_set, row):
        ElementTree.SubElement(image, "tag", {"label": class_name, "source": "manual"})
    for class_name, box, ignored in list_objects(image_set, row):
        sides = zip(("ytl", "xtl", "ybr", "xbr"), map(format_number, box), strict=True)
        fields = {"label": class_name, "source": "manual", "occluded": "0"}
        shape = ElementTree.SubElement(image, "box", fields | dict(sides))
        shape.set("z_order", "0")
        if ignored:
            attribute = ElementTree.SubElement(
                shape, "attribute", {"name": "difficult"}
            )
            attribute.text = "true"
