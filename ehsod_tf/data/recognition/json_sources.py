"""Sources in JSON files: COCO's forms, looked at by their beginnings."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence

from ehsod_tf.data.readers.roboflow import ANNOTATION_FILE
from ehsod_tf.data.recognition import json_outline
from ehsod_tf.data.recognition.image_places import ImageIndex
from ehsod_tf.data.recognition.json_outline import JsonHead
from ehsod_tf.data.recognition.listing import Listing, parent
from ehsod_tf.data.recognition.source import (
    BOXES,
    LABELS,
    FolderSource,
    choose_folder,
    find_common_folder,
    find_role,
)
from ehsod_tf.data.recognition.tool_sources import (
    describe_label_studio,
    describe_labelme,
    describe_via,
)
from ehsod_tf.wording import count

# A file for each image: some tell the form of all.
_NUM_LOOKED_AT = 20


def recognize_json(
    listing: Listing, index: ImageIndex
) -> tuple[list[FolderSource], dict[str, list[str]]]:
    """Recognises the JSON files of a folder.

    Returns:
        The sources, and what is passed over, by a word for why.
    """
    sources, of_labelme, others = [], [], defaultdict(list)
    for group in _group(listing.documents["json"], index.stems):
        heads = [
            json_outline.read_json_head(os.path.join(listing.root, path))
            for path in group[:: -(-len(group) // _NUM_LOOKED_AT)]
        ]
        form = heads[0].form
        if form in (json_outline.COCO, json_outline.LVIS) and len(group) == 1:
            sources.append(_recognize_coco(listing.root, group[0], heads[0], index))
        elif form == json_outline.LABEL_STUDIO and len(group) == 1:
            sources.append(describe_label_studio(listing.root, group[0], index))
        elif form == json_outline.VIA and len(group) == 1:
            sources.append(describe_via(listing.root, group[0], index))
        elif form == json_outline.LABELME:
            of_labelme += group
        else:
            others[form] += group
    sources += describe_labelme(of_labelme, index)
    return sources, dict(others)


def _group(paths: Sequence[str], stems: set[str]) -> Iterable[list[str]]:
    """The files one by one, but those that are each of one image by their folders."""
    of_images = defaultdict(list)
    for path in paths:
        folder = parent(path)
        if os.path.splitext(path[len(folder) :])[0] in stems:
            of_images[folder].append(path)
        else:
            yield [path]
    yield from of_images.values()


def _recognize_coco(
    root: str, path: str, head: JsonHead, index: ImageIndex
) -> FolderSource:
    if os.path.basename(path) == ANNOTATION_FILE:
        return _describe_roboflow(root, path, index)
    role = find_role(path)
    names = json_outline.read_category_names(os.path.join(root, path))
    is_lvis = head.form == json_outline.LVIS
    gives = [BOXES] * head.has_boxes
    gives += [LABELS] * (is_lvis or "images.[].image_labels" in head.keys)
    return FolderSource(
        path=path,
        form=head.form,
        reader="read_lvis" if is_lvis else "read_coco",
        arguments={"annotation_file": path},
        gives=tuple(gives),
        role=role,
        image_dirs=choose_folder(index.find_folders(head.file_names), path, role),
        below=find_common_folder(head.file_names),
        takes=("image_dir",) if is_lvis else ("image_dir", "unannotated"),
        class_names=tuple(names or ()),
    )


def _describe_roboflow(root: str, path: str, index: ImageIndex) -> FolderSource:
    subset_dir = parent(path)
    names = json_outline.read_category_names(os.path.join(root, path)) or []
    export_dir = parent(subset_dir.rstrip("/"))
    return FolderSource(
        path=path,
        form="Roboflow COCO",
        reader="read_roboflow",
        arguments={
            "export_dir": export_dir.rstrip("/"),
            "subset": subset_dir[len(export_dir) :].rstrip("/"),
        },
        gives=(BOXES,),
        role=find_role(path),
        image_dirs=(subset_dir,),
        takes=("unannotated",),
        # The reader leaves the root category out, if nothing shows it.
        detail=count(len(names), "category", "categories"),
    )
