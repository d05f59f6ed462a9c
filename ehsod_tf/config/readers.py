"""The readers of data sets as configs name them: by paths below `data_dir`."""

import glob
import os

from ehsod_tf import data
from ehsod_tf.errors import DataError


def read_coco(
    data_dir: str,
    annotation_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    published_as: str | None = None,
    findings: data.Findings | None = None,
):
    """COCO-instances JSON and images, by paths below `data_dir`."""
    _require_published(data_dir, annotation_file, published_as)
    return data.read_coco(
        os.path.join(data_dir, annotation_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unannotated=unannotated,
        findings=findings,
    )


def read_voc(
    data_dir: str,
    image_set: str,
    devkit: str = "VOCdevkit/VOC2007",
    class_names: tuple[str, ...] = data.VOC_CLASSES,
    published_as: str | None = None,
    findings: data.Findings | None = None,
):
    """A VOC devkit below `data_dir` and one of its image-set lists.

    Args:
        devkit: the folder of a year, which holds ``ImageSets``.
    """
    _require_published(data_dir, devkit, published_as)
    return data.read_voc(
        os.path.join(data_dir, devkit),
        image_set,
        class_names=tuple(class_names),
        findings=findings,
    )


def read_label_csv(
    data_dir: str,
    csv_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: data.Findings | None = None,
):
    """A table of image-level labels and its images, by paths below `data_dir`."""
    return data.read_label_csv(
        os.path.join(data_dir, csv_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unlisted=unlisted,
        unannotated=unannotated,
        findings=findings,
    )


def read_class_folders(
    data_dir: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    findings: data.Findings | None = None,
):
    """One folder of images per class, below ``data_dir/image_dir``."""
    return data.read_class_folders(
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        unlisted=unlisted,
        findings=findings,
    )


def read_tfrecords(
    data_dir: str,
    pattern: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    findings: data.Findings | None = None,
):
    """TFRecord files below `data_dir`; their images are unpacked to `image_dir`."""
    return data.read_tfrecords(
        os.path.join(glob.escape(data_dir), pattern),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        findings=findings,
    )


def read_synthetic_scenes(
    data_dir: str,
    subset: str,
    num_train: int = 600,
    num_val: int = 200,
    size: int = 160,
    seed: int = 0,
    findings: data.Findings | None = None,
):
    """The embedded data set, rendered into `data_dir` unless it is there already.

    Args:
        subset: "train" or "val".
        num_train, num_val: images of either subset.
        size: sides of the images in pixels.
        seed: of all that is drawn.
    """
    data.ensure_synthetic_scenes(
        data_dir, num_train=num_train, num_val=num_val, size=size, seed=seed
    )
    return data.read_coco(
        os.path.join(data_dir, "annotations", f"instances_{subset}.json"),
        os.path.join(data_dir, subset),
        findings=findings,
    )


def _require_published(data_dir: str, path: str, published_as: str | None) -> None:
    """Names the command that fetches a public data set which is not there."""
    if published_as and not os.path.exists(os.path.join(data_dir, path)):
        raise DataError(
            f"{os.path.join(data_dir, path)}: not found; fetch the data set with "
            f"'ehsod download {published_as} --data_dir {data_dir}', or set --data_dir"
        )


READERS = (
    read_coco,
    read_voc,
    read_label_csv,
    read_class_folders,
    read_tfrecords,
    read_synthetic_scenes,
)
