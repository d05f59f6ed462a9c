"""A list of images in a VOC devkit: which image does each line name?"""

import os
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS, find_path_fault
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.spelling import suggest
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

# Class-wise lists say in a second column whether the image shows the class, which says
# nothing about boxes.
_TWO_COLUMNS = re.compile(r"(\S.*?)\s+(-1|0|1)")


def read_image_list(
    devkit_dir: str, image_set: str, findings: Findings
) -> tuple[str, list[int], list[str]]:
    """Reads a list of ``ImageSets/Main``, one image name a line, exactly as written.

    A name may hold spaces, dots and folders. The second column of a class-wise list is
    passed over: lines that all end in -1, 0 or 1 are taken for that, unless there are
    annotations of these very names.

    Returns:
        path: of the list.
        ids: the digits of the names, or 1, 2, ... where those are not unique.
        names: those that are sound, each once.

    Raises:
        DataError: the list cannot be read or is empty.
    """
    path = os.path.join(devkit_dir, "ImageSets", "Main", f"{image_set}.txt")
    if not os.path.exists(path):
        raise DataError(_describe_missing_list(path, image_set))
    texts = enumerate(re.split("\r\n|\r|\n", read_text(path)), start=1)
    lines = {number: text for number, text in texts if text.strip()}
    if not lines:
        raise DataError(f"{path}: the image list is empty; name at least one image")
    folder = os.path.join(devkit_dir, "Annotations")

    def is_annotated(name: str) -> bool:
        return os.path.isfile(os.path.join(folder, f"{name}.xml"))

    names = _find_names(lines, is_annotated, path, findings)
    names = _drop_extensions(names, is_annotated, path, findings)
    return path, *_check_names(names, path, findings)


def _describe_missing_list(path: str, image_set: str) -> str:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return (
            f"{folder}: no such folder; the data folder must be the year's folder of a "
            "VOC devkit, e.g. VOCdevkit/VOC2007"
        )
    lists = sorted(f[:-4] for f in os.listdir(folder) if f.endswith(".txt"))
    return f"{path}: no such image list; {suggest(image_set, lists)}"


def _find_names(
    lines: Mapping[int, str],
    is_annotated: Callable[[str], bool],
    path: str,
    findings: Findings,
) -> dict[int, str]:
    """Returns the image name of each line; a line that may name two is a problem."""
    names = {}
    for number, line in lines.items():
        name = line.strip()
        # A blank at either end belongs to the name if there is such a file.
        names[number] = line if name != line and is_annotated(line) else name
    columns = {n: _TWO_COLUMNS.fullmatch(name) for n, name in names.items()}
    if not all(columns.values()):
        return names
    firsts = {number: match[1] for number, match in columns.items()}
    if not any(map(is_annotated, names.values())):
        return firsts
    for number, first in firsts.items():
        if is_annotated(first):
            mark = columns[number][2]
            findings.add(
                path,
                f"line {number}",
                "",
                f"may name the image {names[number]!r}, or {first!r} with the mark "
                f"{mark}; write a list without marks, or rename one of the two",
            )
            del names[number]
    return names


def _drop_extensions(
    names: Mapping[int, str],
    is_annotated: Callable[[str], bool],
    path: str,
    findings: Findings,
) -> dict[int, str]:
    """Takes "a.jpg" for "a" where only that has an annotation."""
    found, changed = {}, []
    for number, name in names.items():
        stem, extension = posixpath.splitext(name)
        if (
            extension.lower() in IMAGE_EXTENSIONS
            and not is_annotated(name)
            and is_annotated(stem)
        ):
            changed.append(name)
            name = stem
        found[number] = name
    if changed:
        findings.note(
            f"{path}: {count(len(changed), 'name')} with an image's extension, which "
            f"is passed over ({name_first(changed)})"
        )
    return found


def _check_names(
    lines: Mapping[int, str], path: str, findings: Findings
) -> tuple[list[int], list[str]]:
    """Returns ids and names of the images whose names are sound, each once."""
    names = list(dict.fromkeys(lines.values()))
    id_of_name = dict(zip(names, _number_images(names), strict=True))
    sound: dict[str, str] = {}
    for line, name in lines.items():
        fault = find_path_fault(name)
        same = posixpath.normpath(name)
        # A second line says nothing new: it alone is left out.
        if not fault and same in sound:
            fault = f"{name!r} is listed twice; remove one of the lines"
        if fault:
            findings.add(path, f"line {line}", "", fault)
        else:
            sound[same] = name
    return [id_of_name[name] for name in sound.values()], list(sound.values())


def _number_images(names: Sequence[str]) -> list[int]:
    digits = ["".join(c for c in name if c in "0123456789") for name in names]
    # 18 digits always fit into 64 bits.
    if all(0 < len(d) <= 18 for d in digits):
        numbers = [int(d) for d in digits]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(1, len(names) + 1))
