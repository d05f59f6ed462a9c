"""What a YOLO data set says of itself: ``data.yaml``, or ``classes.txt``."""

import json
import os
import re
from reprlib import repr as shorten
from typing import NamedTuple

import yaml

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.spelling import suggest
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

CLASSES_FILE = "classes.txt"
_NOTES_FILE = "notes.json"
_SUBSETS = ("train", "val", "valid", "validation", "test", "minival")
_LONGEST_LIST = 100_000


class YoloDescription(NamedTuple):
    """What a data set says of itself.

    Attributes:
        path: of the file that says it.
        roots: folders that entries may be relative to, the likeliest first.
        class_names: in the order of their numbers.
        subsets: by name, files, folders and patterns of images.
        has_keypoints: behind each box.
    """

    path: str
    roots: tuple[str, ...]
    class_names: tuple[str, ...]
    subsets: dict[str, list[str]]
    has_keypoints: bool = False


def read_description(path: str) -> YoloDescription:
    """Reads ``data.yaml``, or what lies in its place in a folder.

    Args:
        path: of a YAML file, or of a folder with one or with a ``classes.txt``.

    Raises:
        DataError: there is no such file, or something in it is wrong.
    """
    if not os.path.isdir(path):
        if os.path.basename(path) == CLASSES_FILE:
            return _read_classes(path)
        return _read_yaml(path)
    names = sorted(os.listdir(path))
    files = [name for name in names if name.endswith((".yaml", ".yml"))]
    if "data.yaml" in files or len(files) == 1:
        file = "data.yaml" if "data.yaml" in files else files[0]
        return _read_yaml(os.path.join(path, file))
    if files:
        raise DataError(f"{path}: which of {', '.join(files)}? Give the file itself")
    if CLASSES_FILE in names:
        return _read_classes(os.path.join(path, CLASSES_FILE))
    raise DataError(
        f"{path}: holds neither data.yaml nor {CLASSES_FILE}; give the file, or the "
        "folder that it lies in"
    )


class _Loader(yaml.BaseLoader):
    """Takes every value as the text that it is: a class may be called "no"."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                message = f"the key {shorten(key)} occurs twice"
                mark = node.value[number][0].start_mark
                raise yaml.MarkedYAMLError(problem=message, problem_mark=mark)
        return super().construct_mapping(node, deep)


def _read_yaml(path: str) -> YoloDescription:
    try:
        content = yaml.load(read_text(path), _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise DataError(
            f"{path}{place}: not valid YAML ({_join_lines(error.problem)}); correct it"
        ) from error
    # ValueError, TypeError: a key that is a list, a tag that Python cannot follow.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: not valid YAML ({_join_lines(str(error))}); correct it"
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            f"{path}: holds no keys such as train and names; give the data.yaml of a "
            "YOLO data set"
        )
    folder = os.path.dirname(os.path.abspath(path))
    return YoloDescription(
        path,
        _list_roots(content.get("path", ""), folder, path),
        _read_names(content, path),
        _read_subsets(content, path),
        "kpt_shape" in content,
    )


def _join_lines(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if is_plain_text(text) else ascii(text)


def _list_roots(root: object, folder: str, path: str) -> tuple[str, ...]:
    if not isinstance(root, str) or not is_plain_text(root):
        raise DataError(f"{path}, path: {shorten(root)} is no folder; correct it")
    # An absolute path stays what it is.
    given = os.path.normpath(os.path.join(folder, root.replace("\\", "/")))
    return tuple(dict.fromkeys((given, folder)))


def _read_names(content: dict, path: str) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict):
        for key in names:
            if not isinstance(key, str) or not re.fullmatch("[0-9]{1,9}", key):
                message = f"{shorten(key)} is not the number of a class; correct it"
                raise DataError(f"{path}, names: {message}")
        names = {int(key): name for key, name in names.items()}
        for number in range(len(names)):
            if number not in names:
                raise DataError(
                    f"{path}, names: class {number} has no name, beside "
                    f"{count(len(names), 'other')}; number them from 0"
                )
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(
            f"{path}, names: {shorten(names)} is no list of class names; add the names "
            "in the order of their numbers"
        )
    names = [name.strip() if isinstance(name, str) else name for name in names]
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name or not is_plain_text(name):
            message = f"{shorten(name)} is not the name of class {number}; correct it"
            raise DataError(f"{path}, names: {message}")
        if name in names[:number]:
            message = f"{name!r} is class {names.index(name)} and class {number}"
            raise DataError(f"{path}, names: {message}; give each its own name")
    number = content.get("nc", str(len(names)))
    if number != str(len(names)):
        raise DataError(
            f"{path}, nc: {shorten(number)}, but {count(len(names), 'name')}; "
            "correct one of them"
        )
    return tuple(names)


def _read_subsets(content: dict, path: str) -> dict[str, list[str]]:
    subsets = {}
    for name in _SUBSETS:
        entries = content.get(name, "")
        entries = entries if isinstance(entries, list) else [entries]
        for entry in entries:
            if not isinstance(entry, str) or not is_plain_text(entry):
                message = f"{shorten(entry)} is no folder or file; correct it"
                raise DataError(f"{path}, {name}: {message}")
        entries = [entry for entry in map(str.strip, entries) if entry]
        if entries:
            subsets[name] = entries
    return subsets


def choose_subset(description: YoloDescription, subset: str) -> list[str]:
    """Returns the files, folders and patterns of one subset.

    Raises:
        DataError: there is no such subset.
    """
    names = {"val": ("val", "valid", "validation")}.get(subset, (subset,))
    for name in names:
        if name in description.subsets:
            return description.subsets[name]
    known = suggest(subset, description.subsets) if description.subsets else "add it"
    raise DataError(f"{description.path}: has no images of {subset!r}; {known}")


def _read_classes(path: str) -> YoloDescription:
    """The export of Label Studio, and of other tools without a data.yaml."""
    names = [line.strip() for line in re.split("\r\n|\r|\n", read_text(path))]
    while names and not names[-1]:
        names.pop()
    if not names or len(names) > _LONGEST_LIST:
        raise DataError(f"{path}: holds no class; write one name a line")
    names = _read_names({"names": names}, path)
    folder = os.path.dirname(os.path.abspath(path))
    _compare_with_notes(names, os.path.join(folder, _NOTES_FILE))
    images = os.path.join(folder, "images")
    if not os.path.isdir(images):
        return YoloDescription(path, (folder,), names, {"train": ["."]})
    subsets = {
        name: [f"images/{name}"]
        for name in _SUBSETS
        if os.path.isdir(os.path.join(images, name))
    }
    return YoloDescription(path, (folder,), names, subsets or {"train": ["images"]})


def _compare_with_notes(names: tuple[str, ...], path: str) -> None:
    """Label Studio writes the classes twice; where the two differ, numbers are lost."""
    if not os.path.isfile(path):
        return
    try:
        noted = {
            category["id"]: category["name"]
            for category in json.loads(read_text(path))["categories"]
        }
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: holds no list of categories; fetch it again, or remove it"
        ) from error
    for number, name in enumerate(names):
        if noted.get(number) != name:
            raise DataError(
                f"{path}: class {number} is {shorten(noted.get(number))} here and "
                f"{name!r} in {CLASSES_FILE}; correct one of them"
            )
