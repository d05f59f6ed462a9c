"""Reader of image-level labels in the shape of folders: one folder per class."""

import hashlib
import os
from typing import NamedTuple

from ehsod_tf.data.columns import assemble_labelled_images
from ehsod_tf.data.image_files import (
    IMAGE_EXTENSIONS,
    find_path_fault,
    is_plain_text,
    read_headers,
)
from ehsod_tf.data.label_states import (
    UNLISTED_STATES,
    mark_labels,
    name_first,
    require_reading_choices,
)
from ehsod_tf.data.problems import Findings, check_class_names, collects_or_raises
from ehsod_tf.data.readers.image_folder import walk_files
from ehsod_tf.data.spelling import find_joined_names, refuse_lookalikes, suggest
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count


class _File(NamedTuple):
    """One image file.

    Attributes:
        folder: the class folder.
        name: relative to the class folder, with "/" between folders.
        path: of the file.
    """

    folder: str
    name: str
    path: str


@collects_or_raises
def read_class_folders(
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    findings: Findings,
) -> ImageSet:
    """Reads ``image_dir/<class>/**/<image>``; sizes come from the image headers.

    An image that shows several classes lies in several folders: files of one name (in
    their class folder) and the same bytes are one image. Hidden files and folders, and
    files whose names do not end like an image's, are passed over with a note.

    Args:
        image_dir: the folder that holds the class folders.
        class_names: selects and orders the classes. None takes all folders, sorted.
        unlisted: state of the classes in whose folders an image does not lie, "absent"
            or "unknown".
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of weak images, named "class/file"; `image_ids` are made of these.

    Raises:
        DataError: the folder is missing or holds no class folder; without `findings`,
            also any problem of a single file.
        ConfigError: `unlisted` is neither of the two.
    """
    require_reading_choices(unlisted=unlisted)
    root = os.fspath(image_dir)
    folders = _list_class_folders(root, findings)
    if class_names is None:
        refuse_lookalikes(folders, root)
        class_names = _leave_out_joined(folders, root, findings)
    class_names = tuple(class_names)
    check_class_names(class_names, class_names, root, findings)
    folders = _choose_folders(folders, class_names, root, findings)
    files = _list_images(root, folders, findings)
    if not files and not findings.problems:
        raise DataError(
            f"{root}: no image in the folders of: {', '.join(class_names)}; check the "
            "folder and the class list"
        )
    groups = _group_copies(files, findings)
    headers = read_headers([group[0].path for group in groups])
    images = []
    for group, header in zip(groups, headers, strict=True):
        name = f"{group[0].folder}/{group[0].name}"
        if isinstance(header, DataError):
            findings.add(group[0].path, "", "", str(header))
            continue
        present = [class_names.index(file.folder) for file in group]
        rest = UNLISTED_STATES[unlisted]
        labels = mark_labels(present, [], len(class_names), rest)
        images.append((name, group[0].path, (header.height, header.width), labels))
    columns = list(zip(*images, strict=True)) or [(), (), (), ()]
    return assemble_labelled_images(class_names, *map(list, columns))


def _list_class_folders(root: str, findings: Findings) -> list[str]:
    try:
        names = sorted(os.listdir(root))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{root}: the folder of class folders cannot be read ({error}); check the "
            "path"
        ) from error
    folders, others = [], []
    for name in names:
        if name.startswith(".") or not os.path.isdir(os.path.join(root, name)):
            others.append(name)
        elif not is_plain_text(name) or "\\" in name:
            message = "the name is not plain text without backslashes; rename it"
            findings.add(root, f"folder {name!r}", "", message)
        else:
            folders.append(name)
    if not folders:
        raise DataError(
            f"{root}: holds no class folder; put the images of each class into a "
            "folder with the name of the class"
        )
    if others:
        findings.note(
            f"{root}: "
            f"{count(len(others), 'file or hidden folder', 'files or hidden folders')} "
            "beside the class folders, passed over "
            f"({name_first(list(map(repr, others)))})"
        )
    return folders


def _leave_out_joined(folders: list[str], root: str, findings: Findings) -> list[str]:
    """Returns the folders that stand for one class; any other is a problem."""
    faults = {folder: find_joined_names(folder, folders) for folder in folders}
    for folder, fault in faults.items():
        if fault:
            # The images of several classes lie in several folders.
            what = fault.partition(";")[0]
            message = f"{what}; put its images into the folder of each of the classes"
            findings.add(root, f"folder {folder!r}", "", message)
    return [folder for folder in folders if not faults[folder]]


def _choose_folders(
    folders: list[str], class_names: tuple[str, ...], root: str, findings: Findings
) -> list[str]:
    strangers = [folder for folder in folders if folder not in class_names]
    for name in strangers:
        remedy = suggest(name, class_names)
        findings.note(f"{root}: folder {name!r} is no class and is left out; {remedy}")
    for name in class_names:
        if name not in folders:
            findings.note(f"{root}: there is no folder of class {name!r}")
    return [folder for folder in folders if folder in class_names]


def _list_images(root: str, folders: list[str], findings: Findings) -> list[_File]:
    files, others = [], []
    for folder in folders:
        top = os.path.join(root, folder)
        num_before = len(files)
        for path in walk_files(top, others, findings):
            name = os.path.relpath(path, top).replace(os.sep, "/")
            hidden = os.path.basename(name).startswith(".")
            if hidden or not name.lower().endswith(IMAGE_EXTENSIONS):
                others.append(f"{folder}/{name}")
            elif fault := find_path_fault(name):
                findings.add(top, f"file {name!r}", "", fault)
            else:
                files.append(_File(folder, name, path))
        if len(files) == num_before:
            findings.note(f"{top}: this class folder holds no image")
    if others:
        findings.note(
            f"{root}: {count(len(others), 'file or folder', 'files or folders')}, "
            "hidden, links to folders or no images, passed over "
            f"({name_first(list(map(repr, others)))})"
        )
    return files


def _group_copies(files: list[_File], findings: Findings) -> list[list[_File]]:
    """Returns the files of each image: those of one name and the same bytes."""
    namesakes: dict[str, list[_File]] = {}
    for file in files:
        namesakes.setdefault(file.name, []).append(file)
    groups: dict[tuple[str, bytes], list[_File]] = {}
    for file in files:
        digest = b""
        if len(namesakes[file.name]) > 1:
            try:
                with open(file.path, "rb") as content:
                    digest = hashlib.file_digest(content, "sha256").digest()
            except OSError as error:
                message = (
                    f"the file cannot be read ({error.strerror}); grant permission"
                )
                findings.add(file.path, "", "", message)
                continue
        groups.setdefault((file.name, digest), []).append(file)
    return list(groups.values())
