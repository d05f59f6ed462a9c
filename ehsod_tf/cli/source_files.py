"""Data sets as files of one or several forms, each named by a flag of its own."""

from functools import partial
from typing import NamedTuple


class Form(NamedTuple):
    """How a form is read.

    Attributes:
        reader: a function of `ehsod_tf.data`; takes the path.
        place: the flag that it takes next, if any.
        options: flags that it takes by keyword.
    """

    reader: str
    place: str | None
    options: tuple[str, ...]


_UNANNOTATED, _UNLISTED, _OCCLUDED = "unannotated", "unlisted", "occluded"
FORMS = {
    "coco": Form("read_coco", "images", (_UNANNOTATED,)),
    "voc": Form("read_voc", "list", ()),
    "csv": Form("read_label_csv", "images", (_UNANNOTATED, _UNLISTED)),
    "folders": Form("read_class_folders", None, (_UNLISTED,)),
    "tfrecords": Form("read_tfrecords", "images", ()),
    "yolo": Form("read_yolo", "list", (_UNANNOTATED,)),
    "roboflow": Form("read_roboflow", "list", (_UNANNOTATED,)),
    "voc_xml": Form("read_voc_xml", None, (_UNANNOTATED,)),
    "cvat": Form("read_cvat", "images", (_UNANNOTATED, _UNLISTED, _OCCLUDED)),
    "label_studio": Form("read_label_studio", "images", (_UNANNOTATED, _UNLISTED)),
    "labelme": Form("read_labelme", "images", (_UNANNOTATED, _UNLISTED)),
    "via": Form(
        "read_via",
        "images",
        (_UNANNOTATED, _UNLISTED, "class_attribute", "label_attribute"),
    ),
    "box_csv": Form("read_box_csv", "images", (_UNANNOTATED,)),
}
_NEED_IMAGES = ("coco", "csv", "tfrecords", "label_studio", "via", "box_csv")
# What is said of all files together.
_SHARED = ("classes", "boxed")


def list_forms(source) -> list[str]:
    """The forms of which the flags name files."""
    return [form for form in FORMS if getattr(source, form)]


def list_used_flags(source) -> set[str]:
    """The flags that say something about these files."""
    used = set(_SHARED)
    for form in list_forms(source):
        used |= {form, FORMS[form].place, *FORMS[form].options}
    return used - {None}


def choose_list(form: str, source) -> str:
    """Which part of a form that comes in parts."""
    return source.list or ("trainval" if form == "voc" else "train")


def read_files(source, findings):
    """Reads all the files; the first one's classes are the classes of the rest.

    Args:
        source: the flags, see `sources.Source`.
        findings: takes the problems and notes.

    Raises:
        ConfigError: --images is missing.
        DataError: a file cannot be read at all.
    """
    from ehsod_tf import data
    from ehsod_tf.errors import ConfigError

    forms = list_forms(source)
    if not source.images and any(form in _NEED_IMAGES for form in forms):
        flags = ", ".join(f"--{form}" for form in _NEED_IMAGES)
        raise ConfigError(f"{flags} need --images, a folder")
    boxed = source.boxed
    if boxed not in ("all", "in part"):
        boxed = tuple(boxed.split(","))
    readers = tuple(
        _choose_reader(form, path, source)
        for form in forms
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

    reader, place, options = FORMS[form]
    arguments = [path]
    if place == "images":
        arguments.append(source.images)
    elif place == "list":
        arguments.append(choose_list(form, source))
    keywords = {name: getattr(source, name) for name in options}
    return partial(getattr(data, reader), *arguments, **keywords)
