"""Files of labelling tools: VOC's XML, CVAT, Label Studio, LabelMe, VIA."""

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote

from ehsod_tf.data.recognition.image_places import ImageIndex, find_image_dirs
from ehsod_tf.data.recognition.listing import Listing, parent
from ehsod_tf.data.recognition.source import (
    BOXES,
    LABELS,
    FolderSource,
    choose_folder,
    find_common_folder,
    find_role,
)

_HEAD_BYTES = 1 << 16
_ROOT = re.compile(r"<([A-Za-z][\w.-]*)[\s>/]")
_CVAT_NAME = re.compile(r'<image\b[^>]*?\bname="([^"]*)"')
_STUDIO_NAME = re.compile(r'"data"\s*:\s*\{[^{}]*?:\s*"([^"]*\.\w{3,4})"')
_VIA_NAME = re.compile(r'"filename"\s*:\s*"([^"]*)"')
# Label Studio puts eight such digits before the name of an uploaded file.
_UPLOAD = re.compile("^[0-9a-f]{8}-")
# A file for each image: some tell the form of all.
_NUM_LOOKED_AT = 20


def recognize_xml(
    listing: Listing, index: ImageIndex, devkits: Sequence[str]
) -> tuple[list[FolderSource], dict[str, list[str]]]:
    """Recognises XML files by their first element.

    Args:
        listing: the folder.
        index: its images.
        devkits: folders whose XML files belong to a devkit.

    Returns:
        The sources, and what is passed over, by a word for why.
    """
    sources, others = [], []
    folders: dict[str, list[str]] = {}
    for path in listing.documents["xml"]:
        if not path.startswith(tuple(devkits)):
            folders.setdefault(parent(path), []).append(path)
    of_voc = []
    for folder, paths in folders.items():
        step = -(-len(paths) // _NUM_LOOKED_AT)
        heads = {p: _read_head(os.path.join(listing.root, p)) for p in paths[::step]}
        roots = {path: _find_root(head) for path, head in heads.items()}
        if "annotation" in roots.values():
            of_voc.append(folder)
            continue
        is_cvat = [path for path, root in roots.items() if root == "annotations"]
        sources += [_describe_cvat(path, heads[path], index) for path in is_cvat]
        others += [path for path in paths if path not in is_cvat]
    sources += [_describe_voc_xml(*item) for item in _join_folders(of_voc, index)]
    return sources, {"XML of no form that is known": others} if others else {}


def describe_labelme(paths: Sequence[str], index: ImageIndex) -> list[FolderSource]:
    """Sources of LabelMe's files, a folder for each part."""
    folders = sorted({parent(path) for path in paths})
    return [
        FolderSource(
            path=folder or "./",
            form="LabelMe",
            reader="read_labelme",
            arguments={"folder": folder.rstrip("/")},
            gives=(BOXES, LABELS),
            role=role,
            image_dirs=(folder,),
            takes=("unpack_dir", "unannotated", "unlisted"),
        )
        for folder, role in _join_folders(folders, index)
    ]


def describe_label_studio(root: str, path: str, index: ImageIndex) -> FolderSource:
    """The source of an export of Label Studio's tasks."""
    head = _read_head(os.path.join(root, path))
    names = [
        _UPLOAD.sub("", unquote(name).rpartition("/")[2])
        for name in _STUDIO_NAME.findall(head)
    ]
    whole = [unquote(name).rpartition("/")[2] for name in _STUDIO_NAME.findall(head)]
    role = find_role(path)
    folders = index.find_folders(whole) or index.find_folders(names)
    return FolderSource(
        path=path,
        form="Label Studio",
        reader="read_label_studio",
        arguments={"json_file": path},
        gives=_find_gives(head, ("labels",), ("choices",)),
        role=role,
        image_dirs=choose_folder(folders, path, role) if folders else (),
        takes=("image_dir", "unannotated", "unlisted"),
    )


def describe_via(root: str, path: str, index: ImageIndex) -> FolderSource:
    """The source of a file of VGG Image Annotator."""
    names = _VIA_NAME.findall(_read_head(os.path.join(root, path)))
    role = find_role(path)
    return FolderSource(
        path=path,
        form="VGG Image Annotator",
        reader="read_via",
        arguments={"json_file": path},
        gives=(BOXES,),
        role=role,
        image_dirs=find_image_dirs(index, names, path, role),
        takes=(
            *("image_dir", "unannotated", "unlisted"),
            *("class_attribute", "label_attribute"),
        ),
    )


def _read_head(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _find_root(head: str) -> str:
    match = _ROOT.search(head)
    return match[1] if match else ""


def _find_gives(
    head: str, boxes: Sequence[str], labels: Sequence[str]
) -> tuple[str, ...]:
    """What a beginning shows; both where it shows neither."""
    found = (BOXES,) * any(word in head for word in boxes)
    found += (LABELS,) * any(word in head for word in labels)
    return found or (BOXES, LABELS)


def _describe_cvat(path: str, head: str, index: ImageIndex) -> FolderSource:
    names, role = _CVAT_NAME.findall(head), find_role(path)
    folders = index.find_folders(names)
    return FolderSource(
        path=path,
        form="CVAT for images",
        reader="read_cvat",
        arguments={"annotation_file": path},
        gives=_find_gives(head, ("<box", "<polygon", "<track"), ("<tag",)),
        role=role,
        image_dirs=choose_folder(folders, path, role) if folders else (),
        below=find_common_folder(names),
        takes=("image_dir", "unannotated", "unlisted", "occluded"),
    )


def _describe_voc_xml(folder: str, role: str) -> FolderSource:
    return FolderSource(
        path=folder or "./",
        form="VOC's XML files",
        reader="read_voc_xml",
        arguments={"folder": folder.rstrip("/")},
        gives=(BOXES,),
        role=role,
        image_dirs=(folder,),
        takes=("unannotated",),
    )


def _join_folders(folders: Sequence[str], index: ImageIndex) -> list[tuple[str, str]]:
    """The folders to read, and their parts: one for all of a part, if none is in it."""
    bases: dict[str, list[str]] = {}
    for folder in folders:
        base = folder
        # Annotations in a folder of their own lie beside one of images.
        while base and not index.count_below(base):
            base = parent(base.rstrip("/"))
        bases.setdefault(find_role(folder), []).append(base)
    joined = []
    for role, places in bases.items():
        top = find_common_folder([f"{place}x" for place in places])
        rest = [p for other, ps in bases.items() if other != role for p in ps]
        is_apart = not any(place.startswith(top) for place in rest)
        tops = [top] if is_apart else sorted(set(places))
        joined += [(place, role) for place in tops]
    return joined
