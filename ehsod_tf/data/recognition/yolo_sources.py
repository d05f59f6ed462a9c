"""YOLO data sets: a source for each subset of a ``data.yaml``."""

import os

from ehsod_tf.data.readers.yolo_description import (
    CLASSES_FILE,
    YoloDescription,
    read_description,
)
from ehsod_tf.data.readers.yolo_images import guess_places
from ehsod_tf.data.recognition.listing import Listing, parent
from ehsod_tf.data.recognition.source import BOXES, FolderSource, find_role
from ehsod_tf.errors import DataError


def recognize_yolo(listing: Listing) -> list[FolderSource]:
    """Recognises ``data.yaml`` by its keys, and ``classes.txt`` beside ``labels/``."""
    texts = listing.documents["txt"]
    label_folders = {parent(path) for path in texts}
    candidates = list(listing.documents["yaml"])
    described = {parent(path) for path in candidates}
    for path in texts:
        folder = parent(path)
        has_labels = any(f.startswith(f"{folder}labels/") for f in label_folders)
        is_list = os.path.basename(path) == CLASSES_FILE
        if is_list and has_labels and folder not in described:
            candidates.append(path)
    sources = []
    for path in candidates:
        try:
            description = read_description(os.path.join(listing.root, path))
        # A YAML file of something else; what is wrong in one of YOLO, its reader says.
        except DataError:
            continue
        sources += [
            _describe(listing.root, path, description, subset)
            for subset in description.subsets
        ]
    return sources


def is_label_file(path: str) -> bool:
    """Whether a text file lies where YOLO's labels do."""
    return "labels" in path.split("/")[:-1]


def _describe(
    root: str, path: str, description: YoloDescription, subset: str
) -> FolderSource:
    return FolderSource(
        path=f"{path}:{subset}",
        form="YOLO",
        reader="read_yolo",
        arguments={"data_yaml": path, "subset": subset},
        gives=(BOXES,),
        role=find_role(subset),
        image_dirs=_find_folders(root, description, subset),
        takes=("unannotated",),
        class_names=description.class_names,
    )


def _find_folders(
    root: str, description: YoloDescription, subset: str
) -> tuple[str, ...]:
    """The folder of the images, where the subset is a single one."""
    found = []
    for entry in description.subsets[subset]:
        places = guess_places(entry, description.roots)
        place = next((p for p in places if os.path.isdir(p)), None)
        if place is None:
            return ()
        found.append(place)
    top = os.path.abspath(root)
    common = os.path.relpath(os.path.commonpath(list(map(os.path.abspath, found))), top)
    if common.split(os.sep)[0] == os.pardir:
        return ()
    return ("",) if common == "." else (f"{common.replace(os.sep, '/')}/",)
