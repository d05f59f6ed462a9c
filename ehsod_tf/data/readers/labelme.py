"""Reader of LabelMe's JSON files, one for each image."""

import os
import posixpath
from collections import Counter
from collections.abc import Iterable
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data import label_states
from ehsod_tf.data.image_files import IMAGE_EXTENSIONS, is_plain_text
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    NamedBox,
    assemble_annotated_images,
    list_bare_images,
    note_shapes_left_out,
)
from ehsod_tf.data.readers.embedded_images import EmbeddedImages, is_unpacked
from ehsod_tf.data.readers.image_folder import (
    FileIndex,
    list_files,
    list_image_files,
    split_path,
)
from ehsod_tf.data.readers.json_files import load_json, to_size
from ehsod_tf.data.readers.labelme_shapes import ShapeError, read_shapes
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count


class _File(NamedTuple):
    """One JSON file.

    Attributes:
        name: relative to the folder.
        content: as LabelMe writes it, with "shapes"; None where it cannot be read.
    """

    name: str
    content: dict | None


class _Content(NamedTuple):
    """What a file says.

    Attributes:
        objects: its shapes.
        labels: its flags that are set.
        size: (height, width), 0 where it does not say.
        marked: labels of shapes that enclose no object.
    """

    objects: list[NamedBox]
    labels: list[str]
    size: tuple[int, int]
    marked: list[str]


@collects_or_raises
def read_labelme(
    data_dir: str | os.PathLike,
    unpack_dir: str | os.PathLike | None = None,
    *,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads a folder of JSON files; one with shapes is strong, one with flags weak.

    Rectangles (of two or four points), polygons, circles and masks become boxes; points
    and lines are counted in a note. A flag of the image that is set is a label of it. A
    flag ``difficult`` of a shape makes an object an ignored one.

    Args:
        data_dir: holds the files and the images, at any depth.
        unpack_dir: takes the images that have no file but are embedded in theirs, as
            ``a.embedded-1f3c22aa.png`` for ``a.json``; it may hold other files too.
        class_names: selects and orders the classes. None takes all labels, by name, and
            the flags that are set.
        unlisted: state of the classes that an image without shapes has no flag of,
            "absent" or "unknown".
        unannotated: what an image is that has no JSON file, or one with points and
            lines alone: "leave_out" or "empty". One whose file holds neither shape nor
            flag shows nothing.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names.

    Raises:
        DataError: there is no such file, or a class name is unknown; without
            `findings`, also any problem of a single file.
        ConfigError: `unlisted` or `unannotated` is not one of its choices.
    """
    label_states.require_reading_choices(unlisted, unannotated)
    data_dir = os.fspath(data_dir)
    # What an earlier reading unpacked is no image with a file, then as now.
    names = [n for n in list_image_files(data_dir, findings) if not is_unpacked(n)]
    index, others = FileIndex(names), Counter()
    unpacked = EmbeddedImages(unpack_dir, findings)
    images = [
        _read_image(file, data_dir, index, unpacked, others, findings)
        for file in _read_files(data_dir, findings)
    ]
    index.note(data_dir, findings)
    images += list_bare_images(data_dir, names, images)
    known = {item.class_name for image in images for item in image.objects}
    known |= {name for image in images for name in image.labels}
    note_shapes_left_out(others, data_dir, findings)
    unpacked.note(data_dir)
    return assemble_annotated_images(
        images,
        sorted(known),
        class_names=class_names,
        source=data_dir,
        unannotated=unannotated,
        unlisted=unlisted,
        findings=findings,
    )


def _read_files(data_dir: str, findings: Findings) -> Iterable[_File]:
    names = list_files(data_dir, ".json", findings)
    passed_over, num_read = [], 0
    for name in names:
        path = os.path.join(data_dir, name)
        try:
            content = load_json(path)
        except DataError as error:
            place, _, message = str(error).removeprefix(path).partition(": ")
            findings.add(path, place.removeprefix(", "), "", message)
            yield _File(name, None)
            continue
        keys = content.keys() if isinstance(content, dict) else set()
        if not keys & {"shapes", "imagePath"}:
            passed_over.append(name)
            continue
        num_read += 1
        yield _File(name, content)
    if passed_over:
        findings.note(
            f"{data_dir}: {count(len(passed_over), 'JSON file')}, not LabelMe's, "
            f"passed over ({name_first(passed_over)})"
        )
    if not num_read and not findings.problems:
        raise DataError(
            f"{data_dir}: holds no JSON file of LabelMe's; check the folder"
        )


def _read_image(
    file: _File,
    data_dir: str,
    index: FileIndex,
    unpacked: EmbeddedImages,
    others: Counter[str],
    findings: Findings,
) -> AnnotatedImage:
    path = os.path.join(data_dir, file.name)
    found = _Content([], [], (0, 0), [])
    name = _find_image(file, index)
    is_sound = file.content is not None
    if is_sound:
        try:
            found = _read_content(file.content, others)
        except ShapeError as error:
            findings.add(path, *error.args)
            is_sound = False
    image_path = os.path.join(data_dir, name or "")
    if name is None:
        name = _guess_name(file)
        image_path = os.path.join(data_dir, name)
        data = file.content.get("imageData") if is_sound else None
        if data is not None:
            target = unpacked.unpack(data, os.path.splitext(file.name)[0], path)
            is_sound = target is not None
            image_path = target or image_path
    return AnnotatedImage(
        f"image {name}",
        name,
        image_path,
        found.size,
        found.objects,
        found.labels,
        # Where there are points alone, something is seen, but not where it ends.
        is_boxed=bool(found.objects) or not (found.labels or found.marked),
        is_sound=is_sound,
        marked=found.marked,
    )


def _read_content(content: dict, others: Counter[str]) -> _Content:
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        message = f"{shorten(shapes)} is not a list of shapes; correct it"
        raise ShapeError("", "shapes", message)
    given = content.get("imagePath")
    if not isinstance(given, str) or not split_path(given) or not is_plain_text(given):
        message = f"{shorten(given)} is no path of an image; correct it"
        raise ShapeError("", "imagePath", message)
    size = to_size(content, "imageHeight", "imageWidth")
    if size is None:
        fields = (content.get("imageHeight"), content.get("imageWidth"))
        message = f"{shorten(fields)} are not whole numbers of pixels; correct them"
        raise ShapeError("", "imageHeight", message)
    objects, marked = read_shapes(shapes, others)
    return _Content(objects, _read_flags(content), size, marked)


def _read_flags(content: dict) -> list[str]:
    flags = content.get("flags") or {}
    if not isinstance(flags, dict):
        message = f"{shorten(flags)} is not an object of flags; correct it"
        raise ShapeError("", "flags", message)
    for name in flags:
        if not name.strip() or not is_plain_text(name):
            raise ShapeError("", "flags", f"{shorten(name)} is no name; correct it")
    return [name.strip() for name, is_set in flags.items() if is_set is True]


def _find_image(file: _File, index: FileIndex) -> str | None:
    """Returns the image's name: by ``imagePath``, or else by that of the JSON file."""
    folder, own_name = posixpath.split(file.name)
    stem = os.path.splitext(own_name)[0]
    paths = [
        "/".join(_split_image_path(file)),
        *(f"{stem}{extension}" for extension in IMAGE_EXTENSIONS),
    ]
    places = (index.find_from(folder, path) for path in paths)
    return next((name for name in places if name), None)


def _split_image_path(file: _File) -> list[str]:
    given = (file.content or {}).get("imagePath")
    if isinstance(given, str) and is_plain_text(given):
        return split_path(given)
    return []


def _guess_name(file: _File) -> str:
    """The name of an image that is not there, for messages, or to be unpacked."""
    parts = _split_image_path(file)
    if parts:
        return posixpath.join(posixpath.dirname(file.name), parts[-1])
    return os.path.splitext(file.name)[0]
