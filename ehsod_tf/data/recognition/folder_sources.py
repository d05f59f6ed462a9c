"""Folders of images by class, and TFRecord files."""

import re
from collections.abc import Callable

from ehsod_tf.data.recognition.image_places import ImageIndex
from ehsod_tf.data.recognition.listing import Listing, parent
from ehsod_tf.data.recognition.source import (
    BOXES,
    LABELS,
    FolderSource,
    find_role,
)
from ehsod_tf.wording import count

# Names that say what lies in a folder, not what the images show.
_PLAIN_NAMES = {
    *("image", "images", "img", "imgs", "pictures", "photos", "jpegimages", "data"),
    *("mask", "masks", "segmentationclass", "segmentationobject", "frames", "raw"),
    *("unlabelled", "unlabeled", "unannotated", "background", "backgrounds"),
}
_SHARD = re.compile(r"\d+-of-\d+")


def recognize_class_folders(
    index: ImageIndex, is_taken: Callable[[str], bool]
) -> list[FolderSource]:
    """Recognises folders of which each holds the images of one class.

    Args:
        index: the images of the folder.
        is_taken: says of a folder of images that another source has them.
    """
    free = [folder for folder in index.folders if not is_taken(folder)]
    sources = []
    waiting = [""]
    while waiting:
        top = waiting.pop()
        below = [folder for folder in free if folder.startswith(top)]
        if top in below or not below:
            continue
        names = sorted({folder[len(top) :].split("/")[0] for folder in below})
        # "train" is a class too, but not beside "val" and "test" alone.
        are_parts = all(find_role(name) for name in names)
        if len(names) > 1 and not are_parts and not any(map(_is_plain, names)):
            sources.append(_describe_class_folders(top, names))
        else:
            waiting += [f"{top}{name}/" for name in names]
    return sources


def _is_plain(name: str) -> bool:
    return name.lower() in _PLAIN_NAMES or name.lower().startswith("image")


def _describe_class_folders(top: str, names: list[str]) -> FolderSource:
    return FolderSource(
        path=top or "./",
        form="one folder per class",
        reader="read_class_folders",
        arguments={"image_dir": top.rstrip("/") or "."},
        gives=(LABELS,),
        role=find_role(top),
        image_dirs=(top,),
        takes=("unlisted",),
        class_names=tuple(names),
    )


def recognize_records(listing: Listing) -> list[FolderSource]:
    """Recognises TFRecord files, the shards of one set together."""
    patterns: dict[str, int] = {}
    for path in listing.records:
        folder, name = parent(path), path[len(parent(path)) :]
        pattern = f"{folder}{_SHARD.sub('*', name)}"
        patterns[pattern] = patterns.get(pattern, 0) + 1
    return [
        FolderSource(
            path=pattern,
            form="TFRecord",
            reader="read_tfrecords",
            arguments={"pattern": pattern},
            gives=(BOXES, LABELS),
            role=find_role(pattern),
            image_dirs=(),
            takes=("image_dir",),
            detail=count(number, "file"),
        )
        for pattern, number in patterns.items()
    ]
