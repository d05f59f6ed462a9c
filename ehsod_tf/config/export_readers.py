"""As `readers`, of what labelling tools export."""

import os

from ehsod_tf import data


def read_yolo(
    data_dir: str,
    subset: str,
    data_yaml: str = "data.yaml",
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A subset of a YOLO data set below `data_dir`."""
    return data.read_yolo(
        os.path.join(data_dir, data_yaml),
        subset,
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


def read_roboflow(
    data_dir: str,
    subset: str,
    export_dir: str = "",
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A subset of a COCO export of Roboflow's, in `data_dir` or a folder below it."""
    return data.read_roboflow(
        os.path.join(data_dir, export_dir),
        subset,
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


def read_voc_xml(
    data_dir: str,
    folder: str = "",
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """Images and VOC's XML files in `data_dir` or a folder below it.

    Args:
        folder: that folder; "" for `data_dir` itself.
    """
    return data.read_voc_xml(
        os.path.join(data_dir, folder),
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


def read_cvat(
    data_dir: str,
    annotation_file: str = "annotations.xml",
    image_dir: str | None = None,
    class_names: tuple[str, ...] | None = None,
    occluded: str = "objects",
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """An XML file of CVAT for images, and its images, by paths below `data_dir`."""
    return data.read_cvat(
        os.path.join(data_dir, annotation_file),
        None if image_dir is None else os.path.join(data_dir, image_dir),
        class_names=class_names,
        occluded=occluded,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_label_studio(
    data_dir: str,
    json_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """Tasks of Label Studio and their images, by paths below `data_dir`."""
    return data.read_label_studio(
        os.path.join(data_dir, json_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_labelme(
    data_dir: str,
    folder: str = "",
    unpack_dir: str | None = None,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """Images and LabelMe's JSON files in `data_dir` or a folder below it.

    Args:
        folder: that folder; "" for `data_dir` itself.
    """
    return data.read_labelme(
        os.path.join(data_dir, folder),
        None if unpack_dir is None else os.path.join(data_dir, unpack_dir),
        class_names=class_names,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_via(
    data_dir: str,
    json_file: str,
    image_dir: str,
    class_attribute: str | None = None,
    label_attribute: str | None = None,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A file of VGG Image Annotator, and its images, by paths below `data_dir`."""
    return data.read_via(
        os.path.join(data_dir, json_file),
        os.path.join(data_dir, image_dir),
        class_attribute=class_attribute,
        label_attribute=label_attribute,
        class_names=class_names,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_box_csv(
    data_dir: str,
    csv_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A table with a line for each box, and its images, by paths below `data_dir`."""
    return data.read_box_csv(
        os.path.join(data_dir, csv_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


READERS = (
    read_yolo,
    read_roboflow,
    read_voc_xml,
    read_cvat,
    read_label_studio,
    read_labelme,
    read_via,
    read_box_csv,
)
