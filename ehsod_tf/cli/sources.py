"""Which data set a command is about: a config's, or files named on the command line."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ehsod_tf.cli.folder_flags import (
    FolderFlags,
    add_folder_arguments,
    announce_config,
    take_folder_flags,
    write_config,
)

# What labelling tools write, and `convert` too.
EXPORTS = ("yolo", "roboflow", "voc_xml", "cvat", "label_studio", "labelme")
WRITTEN = ("coco", "tfrecord", *EXPORTS, "open_images", "lvis")
_FORMS = ("coco", "voc", "csv", "folders", "tfrecords", *EXPORTS)


class Source(NamedTuple):
    """What the user said about the data set; see `add_source_arguments`."""

    config: str | None
    gin_bindings: list[str]
    data_dir: str | None
    subset: str
    coco: list[str]
    voc: list[str]
    csv: list[str]
    folders: list[str]
    tfrecords: list[str]
    yolo: list[str]
    roboflow: list[str]
    voc_xml: list[str]
    cvat: list[str]
    label_studio: list[str]
    labelme: list[str]
    images: str | None
    list: str | None
    classes: str | None
    unannotated: str
    unlisted: str
    occluded: str
    boxed: str
    folder: FolderFlags


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that `pop_source` takes out again."""
    group = parser.add_argument_group(
        "the data set",
        "a folder, whose forms are recognised; a config's; or files of one or several "
        "forms together",
    )
    add_folder_arguments(group)
    group.add_argument("--config", help="a .gin file")
    group.add_argument("--gin_bindings", action="append", default=[])
    group.add_argument("--data_dir", help="sets the config's DATA_DIR")
    group.add_argument(
        "--subset", choices=("training", "evaluation"), default="training"
    )
    for form, what in (
        ("coco", "an instances JSON, with --images"),
        ("voc", "a devkit's year folder, with --list"),
        ("csv", "a table of file_name,labels, with --images"),
        ("folders", "a folder that holds one folder per class"),
        ("tfrecords", "a pattern of TFRecord files, unpacked to --images"),
        ("yolo", "a data.yaml or its folder, with --list"),
        ("roboflow", "a COCO export's folder, with --list"),
        ("voc_xml", "a folder of images and VOC's XML files"),
        ("cvat", "an XML file of CVAT for images, with --images if they are not near"),
        ("label_studio", "a JSON export of tasks, with --images"),
        ("labelme", "a folder of LabelMe's JSON files; --images to unpack images to"),
    ):
        group.add_argument(f"--{form}", action="append", default=[], help=what)
    group.add_argument(
        "--list",
        help="which part: a devkit's list, trainval by default; train, val or test of "
        "YOLO or Roboflow, train by default",
    )


def pop_source(arguments: dict) -> Source:
    """Takes the flags of the data set out of the parsed arguments."""
    folder = take_folder_flags(arguments)
    values = {name: arguments[name] for name in Source._fields}
    for name in {*Source._fields, *FolderFlags._fields}:
        del arguments[name]
    return Source(**values | {"folder": folder})


def names_data_set(source: Source) -> bool:
    """Whether the flags name any data set."""
    return bool(source.folder.folder) or bool(source.config) or _has_files(source)


class SourceImages(NamedTuple):
    """A data set that was read: its images, and as how many bits 16-bit PNGs are."""

    image_set: tuple
    png_bits: int = 16


def read_source(source: Source, findings, *, check: bool = True) -> SourceImages:
    """Reads and checks the data set that the flags name.

    Args:
        source: a folder, a config, or at least one file.
        findings: takes the problems and notes.
        check: False leaves the image files alone.

    Returns:
        `SourceImages`, with an `ImageSet`; of a config, as it is before any split.

    Raises:
        ConfigError: neither or both were given, or a flag is missing.
        DataError: a source cannot be read at all.
    """
    from ehsod_tf import data
    from ehsod_tf.errors import ConfigError

    ways = [bool(source.folder.folder), bool(source.config), _has_files(source)]
    if sum(ways) != 1:
        raise ConfigError(
            "name the data set by a folder, by --config, or by one or more of "
            + ", ".join(f"--{form}" for form in _FORMS)
        )
    if _has_files(source):
        image_set = _read_files(source, findings)
        if check:
            image_set = data.validate(image_set, findings=findings)
        return SourceImages(image_set)

    from ehsod_tf.api import load_experiment

    with data.reading_once():
        with _locate_config(source) as config:
            experiment = load_experiment(config, source.gin_bindings, source.data_dir)
        image_set = _read_subset(experiment, source.subset, findings, check)
        if check and source.folder.folder and source.subset == "training":
            image_set = _compare_with_validation(experiment, image_set, findings)
    return SourceImages(image_set, experiment.png_bits)


def _read_subset(experiment, subset, findings, check):
    from ehsod_tf import data

    image_set = getattr(experiment, f"read_{subset}_set")(findings=findings)
    if not check:
        return image_set
    return data.validate(image_set, png_bits=experiment.png_bits, findings=findings)


def _compare_with_validation(experiment, training_set, findings):
    """The training set of a folder without what its validation set holds too."""
    from ehsod_tf import data
    from ehsod_tf.errors import DataError

    try:
        evaluation_set = _read_subset(experiment, "evaluation", findings, True)
    except DataError:
        # It has been said already that there is none.
        return training_set
    num_boxes = int((~evaluation_set.ignored).sum())
    print(
        f"  validation set: {len(evaluation_set.paths):,} images with {num_boxes:,} "
        "boxes (--subset evaluation shows it); what follows is the training set",
        flush=True,
    )
    return data.leave_out_shared_images(training_set, evaluation_set, findings=findings)


@contextlib.contextmanager
def _locate_config(source: Source) -> Iterator[str]:
    """The config of a source; of a folder, the one that is written for it."""
    if source.config:
        yield source.config
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "folder.gin")
        path = write_config(source.folder, path, source.gin_bindings)
        if source.folder.write_config:
            announce_config(path)
        yield path


def describe_source(source: Source) -> str:
    """The data set's name for people: its config or its files."""
    paths = [path for path in (source.folder.folder, source.config) if path]
    paths += [path for form in _FORMS for path in getattr(source, form)]
    names = [os.path.basename(os.path.normpath(path)) for path in paths]
    if source.folder.folder or source.config:
        names.append(f"{source.subset} set")
    elif source.voc or source.yolo or source.roboflow:
        names.append(source.list or ("trainval" if source.voc else "train"))
    return ", ".join(names)


def _has_files(source):
    return any(getattr(source, form) for form in _FORMS)


def _read_files(source, findings):
    """Reads all the files; the first one's classes are the classes of the rest."""
    from ehsod_tf import data
    from ehsod_tf.errors import ConfigError

    needy = ("coco", "csv", "tfrecords", "label_studio")
    if any(getattr(source, form) for form in needy) and not source.images:
        flags = ", ".join(f"--{form}" for form in needy)
        raise ConfigError(f"{flags} need --images, a folder")
    boxed = source.boxed
    if boxed not in ("all", "in part"):
        boxed = tuple(boxed.split(","))
    readers = tuple(
        _choose_reader(form, path, source)
        for form in _FORMS
        for path in getattr(source, form)
    )
    return data.read_mixture(
        readers,
        boxed=(boxed,) * len(readers),
        class_names=tuple(source.classes.split(",")) if source.classes else None,
        findings=findings,
    )


def _choose_reader(form, path, source):
    from ehsod_tf import data

    unannotated = {"unannotated": source.unannotated}
    unlisted = {"unlisted": source.unlisted}
    match form:
        case "coco":
            return partial(data.read_coco, path, source.images, **unannotated)
        case "voc":
            return partial(data.read_voc, path, source.list or "trainval")
        case "csv":
            return partial(
                data.read_label_csv, path, source.images, **unannotated, **unlisted
            )
        case "folders":
            return partial(data.read_class_folders, path, **unlisted)
        case "tfrecords":
            return partial(data.read_tfrecords, path, source.images)
        case "yolo":
            subset = source.list or "train"
            return partial(data.read_yolo, path, subset, **unannotated)
        case "roboflow":
            subset = source.list or "train"
            return partial(data.read_roboflow, path, subset, **unannotated)
        case "voc_xml":
            return partial(data.read_voc_xml, path, **unannotated)
        case "cvat":
            return partial(
                data.read_cvat,
                path,
                source.images,
                occluded=source.occluded,
                **unannotated,
                **unlisted,
            )
        case "label_studio":
            return partial(
                data.read_label_studio, path, source.images, **unannotated, **unlisted
            )
        case "labelme":
            return partial(
                data.read_labelme, path, source.images, **unannotated, **unlisted
            )
