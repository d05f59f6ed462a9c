"""Which classes the sources of a folder have, and of which of them each has boxes."""

import glob
import os
from collections.abc import Sequence

from ehsod_tf.data.problems import Findings, NoClassesError
from ehsod_tf.data.readers.box_csv import read_box_csv
from ehsod_tf.data.readers.coco import read_coco
from ehsod_tf.data.readers.cvat import read_cvat
from ehsod_tf.data.readers.label_studio import read_label_studio
from ehsod_tf.data.readers.labelme import read_labelme
from ehsod_tf.data.readers.lvis import read_lvis
from ehsod_tf.data.readers.open_images import read_open_images
from ehsod_tf.data.readers.roboflow import read_roboflow
from ehsod_tf.data.readers.via import read_via
from ehsod_tf.data.readers.voc import read_voc
from ehsod_tf.data.readers.voc_xml import read_voc_xml
from ehsod_tf.data.readers.yolo import read_yolo
from ehsod_tf.data.recognition.source import BOXES, FolderSource
from ehsod_tf.data.spelling import refuse_lookalikes
from ehsod_tf.data.tfrecord.reading import read_tfrecords

# The readers of all forms that may have boxes.
_READERS = {
    reader.__name__: reader
    for reader in (
        *(read_box_csv, read_coco, read_cvat, read_label_studio, read_labelme),
        *(read_lvis, read_open_images, read_roboflow, read_tfrecords, read_voc),
        *(read_via, read_voc_xml, read_yolo),
    )
}
# Arguments in a config that the readers call otherwise, and those that are no paths.
_NAME_IN_READER = {"folder": "data_dir", "devkit": "devkit_dir"}
_PLAIN = ("subset", "image_set", "class_attribute", "label_attribute")


def settle_classes(
    root: str, sources: Sequence[FolderSource], remarks: list[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...] | None, ...]]:
    """The classes of all sources together, and of each those that it knows.

    Args:
        root: the folder.
        sources: all that are trained on, those with boxes first.
        remarks: takes what was decided.

    Returns:
        class_names: () where the first source's are those of all.
        own_classes: of each source, see `read_mixture`.

    Raises:
        DataError: a source cannot be read, or two have classes whose names look alike.
    """
    same = (None,) * len(sources)
    of_boxes = [source for source in sources if BOXES in source.gives]
    if len(of_boxes) < 2:
        return (), same
    own = [source.class_names or _read_classes(root, source) for source in of_boxes]
    if len(set(map(frozenset, own))) == 1:
        return (), same
    joined = tuple(dict.fromkeys(name for names in own for name in names))
    refuse_lookalikes(joined, root)
    # Where no class is named, all that is said is that there is nothing.
    if len({frozenset(names) for names in own if names}) == 1:
        return joined, same
    remarks.append(
        f"classes: all {len(joined)} of the sources; each has boxes of its own alone, "
        "and the others are unknown in its images (--classes changes it)"
    )
    return joined, (*(names or None for names in own), *same[len(own) :])


def _read_classes(root: str, source: FolderSource) -> tuple[str, ...]:
    """The classes of a source that were not told by its beginning; reads it whole.

    What is wrong in single records is said when the source is read to be used.
    """
    # The reader of TFRecord files takes a pattern; the folder's name is none.
    root = glob.escape(root) if "pattern" in source.arguments else root
    arguments = {
        _NAME_IN_READER.get(name, name): value
        if name in _PLAIN
        else os.path.join(root, value)
        for name, value in source.arguments.items()
    }
    if "unannotated" in source.takes:
        # A source without any annotation has its list of classes nevertheless.
        arguments["unannotated"] = "empty"
    try:
        return _READERS[source.reader](**arguments, findings=Findings()).class_names
    except NoClassesError:
        return ()
