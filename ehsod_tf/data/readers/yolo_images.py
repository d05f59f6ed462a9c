"""The images of a YOLO subset: folders, lists, patterns; and their label files."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS, is_plain_text
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.image_folder import list_image_files, split_path
from ehsod_tf.data.readers.yolo_description import CLASSES_FILE, YoloDescription
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count


def list_images(
    description: YoloDescription,
    subset: str,
    entries: Sequence[str],
    findings: Findings,
) -> list[str]:
    """Returns the paths of a subset's images, each once.

    What is not where an entry says is looked for below the folder of the data set, as
    entries are often of another machine, or relative to another folder.

    Args:
        description: of the data set.
        subset: its name, for messages.
        entries: folders, text files with an image a line, images and patterns of these,
            in which ``**`` stands for folders at any depth.
        findings: takes the problems of the lines of lists, and notes.

    Raises:
        DataError: an entry is not there, or there is no image.
    """
    paths: dict[str, None] = {}
    for entry in entries:
        for path in _find_entry(description, subset, entry, findings):
            paths.update(dict.fromkeys(_list_entry(path, description, findings)))
    if not paths and not findings.problems:
        raise DataError(
            f"{description.path}, {subset}: no image in {', '.join(entries)}; check "
            "the folder"
        )
    return list(paths)


def _find_entry(
    description: YoloDescription, subset: str, entry: str, findings: Findings
) -> list[str]:
    candidates = list(guess_places(entry, description.roots))
    for path in candidates:
        found = [path] if os.path.exists(path) else _match(path, description.roots)
        if not found:
            continue
        if path != candidates[0]:
            findings.note(
                f"{description.path}, {subset}: {entry!r} is not there as it is "
                f"written; {path} is taken"
            )
        return found
    raise DataError(
        f"{description.path}, {subset}: {entry!r} is neither below "
        f"{' nor below '.join(description.roots)}; correct the entry or 'path'"
    )


def _match(pattern: str, roots: Sequence[str]) -> list[str]:
    """Returns what fits a pattern, whose ``**`` stands for folders at any depth."""
    # The folder of the data set may have a bracket in its name, which is no pattern.
    known = max((os.path.commonpath([pattern, root]) for root in roots), key=len)
    pattern = glob.escape(known) + pattern[len(known) :]
    return sorted(glob.glob(pattern, recursive=True))


def guess_places(entry: str, roots: Sequence[str]) -> Iterator[str]:
    """Yields where a path may lead: as written, then by its last parts."""
    entry = entry.replace("\\", "/")
    for root in roots:
        yield os.path.normpath(os.path.join(root, entry))
    parts = split_path(entry)
    # Roboflow's "../train/images" means a folder beside data.yaml.
    num_first = next((n for n, part in enumerate(parts) if part != ".."), 0)
    # A last part alone, such as "train", could be anything.
    for start in range(num_first, max(len(parts) - 1, num_first + 1)):
        for root in roots:
            yield os.path.normpath(os.path.join(root, *parts[start:]))


def _list_entry(
    path: str, description: YoloDescription, findings: Findings
) -> list[str]:
    if os.path.isdir(path):
        return [os.path.join(path, name) for name in list_image_files(path, findings)]
    if path.lower().endswith(IMAGE_EXTENSIONS):
        return [path]
    if path.lower().endswith(".txt"):
        return _read_list(path, description.roots, findings)
    raise DataError(
        f"{path}: neither a folder, nor a text file with an image a line, nor an "
        "image; correct the entry"
    )


def _read_list(path: str, roots: Sequence[str], findings: Findings) -> list[str]:
    folder = os.path.dirname(path)
    roots = tuple(dict.fromkeys((folder, *roots)))
    images, moved, last = [], [], 0
    for number, line in enumerate(re.split("\r\n|\r|\n", read_text(path)), start=1):
        line = line.strip()
        if not line:
            continue
        if not is_plain_text(line):
            message = f"{line!r} holds a character that is not text; rename the file"
            findings.add(path, f"line {number}", "", message)
            continue
        # The place that was right for the last line mostly is for this one.
        likely = islice(guess_places(line, roots), last, last + 1)
        places = chain(likely, guess_places(line, roots))
        first = next(guess_places(line, roots))
        found = next(filter(os.path.isfile, places), first)
        if found != first:
            last = list(guess_places(line, roots)).index(found)
        if found != first and last >= len(roots):
            moved.append(line)
        images.append(found)
    if moved:
        findings.note(
            f"{path}: {count(len(moved), 'image')} not there as written, but found by "
            f"the last parts of the path ({name_first(moved)})"
        )
    return images


def list_label_files(paths: Sequence[str]) -> list[str]:
    """Returns where the labels of each image are.

    In a path of images, the last folder ``images`` becomes ``labels``, as Ultralytics
    has it; where that is no folder, labels lie beside the images, as Darknet has it.
    Both folders and the extension may be in capitals.
    """
    folders: dict[str, str] = {}
    names: dict[str, set[str]] = {}
    labels = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = _choose_label_folder(folder)
            names[folder] = set(_list_names(folders[folder]))
        plain = f"{os.path.splitext(name)[0]}.txt"
        capital = f"{plain[:-4]}.TXT"
        is_capital = plain not in names[folder] and capital in names[folder]
        labels.append(f"{folders[folder]}/{capital if is_capital else plain}")
    return labels


def _choose_label_folder(folder: str) -> str:
    parts = folder.split("/")
    places = [n for n, part in enumerate(parts) if part.lower() == "images"]
    for name in ("labels", "Labels", "LABELS") if places else ():
        other = "/".join([*parts[: places[-1]], name, *parts[places[-1] + 1 :]])
        if os.path.isdir(other):
            return other
    return folder


def list_unused_labels(labels: Sequence[str]) -> list[str]:
    """Lists the label files that lie beside those of images and belong to none."""
    used = set(labels)
    unused = []
    for folder in sorted({os.path.dirname(path) for path in labels}):
        files = (f"{folder}/{name}" for name in sorted(_list_names(folder)))
        unused += [
            path
            for path in files
            if path.lower().endswith(".txt")
            and path not in used
            and os.path.basename(path) != CLASSES_FILE
        ]
    return unused


def _list_names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
