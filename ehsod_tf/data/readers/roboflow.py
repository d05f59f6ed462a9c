"""Reader of Roboflow's COCO exports: a folder for each subset, with images and JSON."""

import os

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.coco import build_image_set
from ehsod_tf.data.readers.coco_json import ANNOTATION_DTYPE, load_coco_json
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet

ANNOTATION_FILE = "_annotations.coco.json"


@collects_or_raises
def read_roboflow(
    export_dir: str | os.PathLike,
    subset: str = "train",
    *,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads ``export_dir/subset/_annotations.coco.json`` and the images beside it.

    Args:
        export_dir: the folder of the export, as it is unpacked.
        subset: "train", "valid" or "test"; "val" means "valid".
        class_names: see `read_coco`. None takes all categories but the root, which
            groups the others and has no object of its own.
        unannotated: see `read_coco`. Roboflow writes images that somebody marked as
            showing nothing, and none that nobody has looked at.
        findings: takes the problems and notes; None raises and warns instead.

    Raises:
        DataError: see `read_coco`; or there is no such subset.
        ConfigError: `unannotated` is neither of the two.
    """
    label_states.require_reading_choices(unannotated=unannotated)
    folder = _find_subset(os.fspath(export_dir), subset)
    path = os.path.join(folder, ANNOTATION_FILE)
    content = load_coco_json(path)
    _leave_root_out(content, path, class_names, findings)
    return build_image_set(content, path, folder, class_names, unannotated, findings)


def _find_subset(export_dir: str, subset: str) -> str:
    names = ("valid", "val") if subset in ("val", "valid") else (subset,)
    for name in names:
        folder = os.path.join(export_dir, name)
        if os.path.isfile(os.path.join(folder, ANNOTATION_FILE)):
            return folder
    if not os.path.isdir(export_dir):
        raise DataError(f"{export_dir}: there is no such folder; check the path")
    if os.path.isfile(os.path.join(export_dir, ANNOTATION_FILE)):
        parent = os.path.dirname(os.path.abspath(export_dir))
        raise DataError(
            f"{export_dir}: is one subset of an export; give the folder above it, "
            f"{parent}, and the name of the subset"
        )
    there = [
        name
        for name in sorted(os.listdir(export_dir))
        if os.path.isfile(os.path.join(export_dir, name, ANNOTATION_FILE))
    ]
    remedy = suggest(subset, there) if there else "check the path"
    raise DataError(
        f"{export_dir}: has no subset {subset!r} with a file {ANNOTATION_FILE}; "
        f"{remedy}"
    )


def _leave_root_out(
    content: dict[str, list],
    path: str,
    class_names: tuple[str, ...] | None,
    findings: Findings,
) -> None:
    """Takes the category away that is the group of all others, if nothing uses it.

    It may have the name of a class, as it is the name of the project.
    """
    categories = content["categories"]
    if not all(isinstance(category, dict) for category in categories):
        return
    root, others = categories[:1], categories[1:]
    if not others or root[0].get("supercategory") not in (None, "", "none"):
        return
    name = root[0].get("name")
    if any(other.get("supercategory") != name for other in others):
        return
    root_id = root[0].get("id")
    if type(root_id) is not int or root_id in _list_used(content["annotations"]):
        return
    asked = class_names is not None and name in class_names
    if asked and name not in [other.get("name") for other in others]:
        return
    content["categories"] = others
    findings.note(
        f"{path}: the category {name!r} only groups the others and has no object; it "
        "is left out"
    )


def _list_used(annotations: list) -> set[int]:
    packed = b"".join(a for a in annotations if isinstance(a, bytes))
    return set(np.frombuffer(packed, ANNOTATION_DTYPE)["category_id"].tolist())
