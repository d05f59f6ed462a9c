"""Which data set a command is about: a config's, or files named on the command line."""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from ehsod_tf.cli.folder_flags import (
    FolderFlags,
    add_folder_arguments,
    announce_config,
    take_folder_flags,
    write_config,
)
from ehsod_tf.cli.source_files import (
    FORMS,
    choose_list,
    list_forms,
    list_used_flags,
    read_files,
)
from ehsod_tf.cli.unused_flags import compare_flags, refuse_unused
from ehsod_tf.wording import count

# What labelling tools write, and `convert` too.
EXPORTS = ("yolo", "roboflow", "voc_xml", "cvat", "label_studio", "labelme")
WRITTEN = ("coco", "tfrecord", *EXPORTS, "open_images", "lvis")
_CONFIG_FLAGS = ("gin_bindings", "data_dir", "subset")


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
    via: list[str]
    box_csv: list[str]
    images: str | None
    list: str | None
    classes: str | None
    unannotated: str
    unlisted: str
    occluded: str
    class_attribute: str | None
    label_attribute: str | None
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
        ("csv", "a table of image labels, with --images"),
        ("folders", "a folder that holds one folder per class"),
        ("tfrecords", "a pattern of TFRecord files, unpacked to --images"),
        ("yolo", "a data.yaml or its folder, with --list"),
        ("roboflow", "a COCO export's folder, with --list"),
        ("voc_xml", "a folder of images and VOC's XML files"),
        ("cvat", "an XML file of CVAT for images, with --images if they are not near"),
        ("label_studio", "a JSON export of tasks, with --images"),
        ("labelme", "a folder of LabelMe's JSON files; --images to unpack images to"),
        ("via", "a JSON file of VGG Image Annotator, with --images"),
        ("box_csv", "a table with a line for each box, with --images"),
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
    return bool(source.folder.folder) or bool(source.config) or bool(list_forms(source))


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
        ConfigError: neither or both were given, a flag is missing, or one would do
            nothing.
        DataError: a source cannot be read at all.
    """
    from ehsod_tf import data
    from ehsod_tf.errors import ConfigError

    forms = list_forms(source)
    ways = [bool(source.folder.folder), bool(source.config), bool(forms)]
    if sum(ways) != 1:
        raise ConfigError(
            "name the data set by a folder, by --config, or by one or more of "
            + ", ".join(f"--{form}" for form in FORMS)
        )
    _require_used(source, forms)
    if forms:
        image_set = read_files(source, findings)
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


def _require_used(source, forms):
    if source.folder.folder:
        used = {*FolderFlags._fields, *_CONFIG_FLAGS}
        reason = "with a folder; choose what to take of it by --use"
    elif source.config:
        used = {"config", *_CONFIG_FLAGS}
        reason = "with --config; say it in the config, or by --gin_bindings"
    else:
        used = list_used_flags(source)
        reason = f"with {', '.join(f'--{form}' for form in forms)}; leave that out"
    refuse_other_flags(source, used, reason)


def refuse_other_flags(source: Source, used: set[str], reason: str) -> None:
    """Raises a `ConfigError` if flags of the data set were given besides these."""
    parser = argparse.ArgumentParser()
    add_source_arguments(parser)
    defaults = pop_source(vars(parser.parse_args([])))
    unused = [name for name in Source._fields if name not in used | {"folder"}]
    is_given = compare_flags(source, defaults, unused)
    unused = [name for name in FolderFlags._fields if name not in used]
    is_given |= compare_flags(source.folder, defaults.folder, unused)
    refuse_unused(is_given, reason)


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
        f"  validation set: {count(len(evaluation_set.paths), 'image')} with "
        f"{count(num_boxes, 'box', 'boxes')} (--subset evaluation shows it); what "
        "follows is the training set",
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
    forms = list_forms(source)
    paths += [path for form in forms for path in getattr(source, form)]
    names = [os.path.basename(os.path.normpath(path)) for path in paths]
    if source.folder.folder or source.config:
        names.append(f"{source.subset} set")
    else:
        parts = [form for form in forms if FORMS[form].place == "list"]
        names += [choose_list(form, source) for form in parts[:1]]
    return ", ".join(names)
