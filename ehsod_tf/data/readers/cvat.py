"""Reader of CVAT's XML for images: boxes and labels of whole images in one file."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from xml.etree import ElementTree

from ehsod_tf.data import label_states
from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    NamedBox,
    assemble_annotated_images,
    note_shapes_left_out,
)
from ehsod_tf.data.readers.cvat_shapes import (
    AREAS,
    OTHERS,
    ShapeError,
    follow_marks,
    follow_track,
    read_shape,
)
from ehsod_tf.data.readers.image_folder import FileIndex, list_image_files
from ehsod_tf.data.readers.xml_files import parse_xml, quote, read_number
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import DataError, require_choice
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count


@collects_or_raises
def read_cvat(
    annotation_file: str | os.PathLike,
    image_dir: str | os.PathLike | None = None,
    *,
    class_names: tuple[str, ...] | None = None,
    occluded: str = "objects",
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads "CVAT for images 1.1"; an image with shapes is strong, one with tags weak.

    Rotated boxes, polygons, ellipses, masks and cuboids become the boxes around them;
    lines, points and skeletons are counted in a note. An attribute ``difficult`` or
    ``is_crowd`` makes an object an ignored one.

    Args:
        annotation_file: the XML file.
        image_dir: the folder of the images, looked through at any depth. None takes
            ``images`` beside the file, or else the file's own folder.
        class_names: selects and orders the classes. None takes all labels of the file.
        occluded: what objects are that are marked as partly hidden: "objects" like
            others, or "ignored", neither target nor miss.
        unlisted: state of the classes that an image without boxes has no tag of,
            "absent" or "unknown". On an image with boxes a tag adds to them.
        unannotated: what an image is that has neither shapes nor tags: "leave_out", for
            CVAT lists all images of a task, or "empty".
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names.

    Raises:
        DataError: the file cannot be read or lists no image, or a class name is
            unknown; without `findings`, also any problem of a single image.
        ConfigError: `occluded`, `unlisted` or `unannotated` is not one of its choices.
    """
    label_states.require_reading_choices(unlisted, unannotated)
    require_choice("occluded", occluded, ("objects", "ignored"))
    path = os.fspath(annotation_file)
    root = _parse(path)
    if image_dir is None:
        beside = os.path.dirname(os.path.abspath(path))
        image_dir = os.path.join(beside, "images")
        image_dir = image_dir if os.path.isdir(image_dir) else beside
    reader = _Reader(path, root, occluded == "ignored", findings)
    images = reader.read_images(os.fspath(image_dir))
    return assemble_annotated_images(
        images,
        reader.labels,
        class_names=class_names,
        source=path,
        unannotated=unannotated,
        unlisted=unlisted,
        findings=findings,
    )


def _parse(path: str) -> ElementTree.Element:
    try:
        root = parse_xml(path, "check the path")
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if root.tag != "annotations":
        raise DataError(
            f"{path}: begins with <{quote(root.tag)[1:-1]}>, not <annotations>; export "
            "the task as 'CVAT for images 1.1'"
        )
    if root.find("image") is None:
        raise DataError(
            f"{path}: lists no image; export the task as 'CVAT for images 1.1', also "
            "if it is a video"
        )
    return root


class _Reader:
    """The images of one file."""

    def __init__(
        self,
        path: str,
        root: ElementTree.Element,
        ignores_occluded: bool,
        findings: Findings,
    ):
        self._path, self._root, self._findings = path, root, findings
        self._ignores_occluded = ignores_occluded
        self._others: Counter[str] = Counter()
        self._num_occluded = 0
        # The points of a skeleton have labels too, which name it as their parent.
        names = (
            label.findtext("name", "").strip()
            for label in root.iterfind("meta//label")
            if label.find("parent") is None
        )
        self.labels = list(dict.fromkeys(name for name in names if is_plain_text(name)))
        self.labels = [name for name in self.labels if name]
        self._has_label_list = bool(self.labels)
        self._bad_records: set[str] = set()

    def read_images(self, image_dir: str) -> list[AnnotatedImage]:
        elements = self._root.findall("image")
        index = FileIndex(list_image_files(image_dir, self._findings))
        boxes, marks = self._follow_tracks(elements)
        images, moved = [], []
        for number, element in enumerate(elements, start=1):
            given = element.get("name", "").strip()
            record = f"image {quote(given)}" if given else f"image element {number}"
            name = index.find(given)
            if name is not None and not name.endswith(given):
                moved.append(given)
            # The check of the image files says that it is missing.
            name = given.replace("\\", "/") if name is None else name
            image = self._read_image(element, record, name, image_dir)
            image.objects.extend(boxes[element.get("id", "")])
            image.marked.extend(marks[element.get("id", "")])
            images.append(image)
        self._note(moved)
        if not self._has_label_list:
            self.labels.sort()
        return [
            image._replace(
                is_boxed=bool(image.objects),
                is_sound=image.record not in self._bad_records,
            )
            for image in images
        ]

    def _read_image(
        self, element: ElementTree.Element, record: str, name: str, image_dir: str
    ) -> AnnotatedImage:
        objects: list[NamedBox] = []
        tags: list[str] = []
        marked: list[str] = []
        size = self._read_size(element, record)
        for number, shape in enumerate(element, start=1):
            label = shape.get("label", "").strip()
            place = f"{record}, shape {number}"
            if shape.tag == "tag" or shape.tag in AREAS:
                if not self._check_label(label, place, record):
                    continue
            if shape.tag == "tag":
                tags.append(label)
            elif shape.tag in AREAS:
                objects += self._read_shape(shape, label, place, record)
            else:
                self._others[shape.tag] += 1
                marked.append(label)
        path = os.path.join(image_dir, name)
        return AnnotatedImage(
            record, name, path, size, objects, tags, is_boxed=False, marked=marked
        )

    def _read_shape(
        self, shape: ElementTree.Element, label: str, place: str, record: str
    ) -> list[NamedBox]:
        try:
            found = read_shape(shape, label, self._ignores_occluded)
        except ShapeError as error:
            self._add(place, *error.args, record)
            return []
        self._num_occluded += shape.get("occluded", "0").strip() == "1"
        return [found]

    def _read_size(self, element: ElementTree.Element, record: str) -> tuple[int, int]:
        size = []
        for field in ("height", "width"):
            text = element.get(field, "0")
            number = read_number(text)
            # Written so that a NaN fails too.
            if not 0 <= number < 2**31 or number != int(number):
                message = f"{quote(text)} is not a whole number of pixels; correct it"
                self._add(record, field, message, record)
                number = 1
            size.append(int(number))
        return size[0], size[1]

    def _check_label(self, label: str, place: str, record: str | None) -> bool:
        if label in self.labels:
            return True
        if not label or not is_plain_text(label):
            message = f"{quote(label)} is no label; name one"
        elif self._has_label_list:
            message = f"unknown label {quote(label)}; {suggest(label, self.labels)}"
        else:
            self.labels.append(label)
            return True
        self._add(place, "label", message, record)
        return False

    def _follow_tracks(
        self, elements: list[ElementTree.Element]
    ) -> tuple[Mapping[str, list[NamedBox]], Mapping[str, list[str]]]:
        """Returns, by the id of the image, the boxes and the other marks of tracks."""
        boxes, marks = defaultdict(list), defaultdict(list)
        if self._root.find("track") is None:
            return boxes, marks
        numbers = self._number_images(elements)
        for place, track in enumerate(self._root.iterfind("track"), start=1):
            record = f"track {track.get('id', f'element {place}')}"
            try:
                label = track.get("label", "").strip()
                if not self._check_label(label, record, None):
                    continue
                shapes = follow_track(track, sorted(numbers), self._ignores_occluded)
                marked = follow_marks(track, sorted(numbers))
            except ShapeError as error:
                self._add(record, *error.args, None)
                continue
            for frame, shape in shapes.items():
                boxes[numbers[frame]].append(shape)
            for frame in marked:
                marks[numbers[frame]].append(label)
            self._others.update({e.tag for e in track if e.tag in OTHERS})
        return boxes, marks

    def _number_images(self, elements: list[ElementTree.Element]) -> dict[int, str]:
        """Returns the ids of images, by their numbers; refuses those of two images."""
        numbers, records = {}, {}
        for element in elements:
            text = element.get("id", "")
            if not re.fullmatch("[0-9]{1,9}", text):
                continue
            record = f"image {quote(element.get('name', '').strip())}"
            first = records.setdefault(int(text), record)
            if first != record:
                message = (
                    f"{text} is also that of {first}, and nobody can tell which of the "
                    "two the tracks are about; export each task by itself"
                )
                self._add(record, "id", message, record)
                self._bad_records.add(first)
            numbers[int(text)] = text
        return numbers

    def _add(self, place: str, field: str, message: str, record: str | None) -> None:
        if record is None:
            # Nobody knows which images a broken track is seen on.
            message += "; or remove the track and check the images that it is on"
        self._findings.add(self._path, place, field, message)
        self._bad_records |= {record} if record else self._list_records()

    def _list_records(self) -> set[str]:
        names = (e.get("name", "").strip() for e in self._root.iterfind("image"))
        return {f"image {quote(name)}" for name in names}

    def _note(self, moved: list[str]) -> None:
        counted = {tag: self._others[tag] for tag in OTHERS}
        note_shapes_left_out(counted, self._path, self._findings)
        strange = sorted(set(self._others) - set(OTHERS))
        for tag in strange:
            self._findings.note(
                f"{self._path}: the element {quote(tag)} of images is unknown; "
                f"passed over, {self._others[tag]:,} in all"
            )
        if self._num_occluded:
            means = "ignored" if self._ignores_occluded else "taken like others"
            self._findings.note(
                f"{self._path}: {count(self._num_occluded, 'shape')} marked as "
                f"occluded, {means} (set 'occluded' to change that)"
            )
        if moved:
            self._findings.note(
                f"{self._path}: {count(len(moved), 'image')} found by the last parts "
                f"of the names ({name_first(moved)})"
            )
