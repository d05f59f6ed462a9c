"""One thing in a folder that a reader can read, and what part it plays."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TRAINING, VALIDATION, TEST = "training", "validation", "test"
# Both of them together.
JOINED = "training and validation"
_ROLE_OF_WORD = {
    "train": TRAINING,
    "training": TRAINING,
    "trainval": JOINED,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "minival": VALIDATION,
    "test": TEST,
    "testing": TEST,
}

BOXES, LABELS = "boxes", "image labels"


class FolderSource(NamedTuple):
    """One source that was recognised. Paths are below the folder, "/" between.

    Attributes:
        path: of the annotation file or folder; it is what ``--use`` names.
        form: for people, such as "COCO instances".
        reader: name of the reader in a config.
        arguments: the reader's, but for ``data_dir`` and what the next three give.
        gives: `BOXES`, `LABELS` or both.
        role: `TRAINING`, `VALIDATION`, `TEST`, `JOINED`, or "" where no name says.
        image_dirs: the folders that its images may be in, "" or with "/" at the end:
            one, or several between which a flag must choose, or none.
        below: the folder in these that all its images lie in, as far as one can see.
        takes: further arguments of the reader that a flag may set: "image_dir",
            "unpack_dir", "unannotated", "unlisted", "occluded", "class_attribute",
            "label_attribute".
        class_names: where they can be told; () else.
        detail: what else is said of it.
    """

    path: str
    form: str
    reader: str
    arguments: dict[str, object]
    gives: tuple[str, ...]
    role: str
    image_dirs: tuple[str, ...]
    below: str = ""
    takes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    detail: str = ""


def find_role(path: str) -> str:
    """The part that a path below the folder speaks of, the innermost name first.

    "annotations/instances_val2017.json" is of validation, "train/boxes.json" of
    training; a name with two such words, such as "train_val.json", says nothing.
    """
    for name in reversed(path.rstrip("/").split("/")):
        words = re.findall("[a-z]+", name.lower())
        roles = {_ROLE_OF_WORD[word] for word in words if word in _ROLE_OF_WORD}
        if len(roles) == 1:
            return roles.pop()
    return ""


def find_common_folder(names: Iterable[str]) -> str:
    """The innermost folder of all the names, "" or with "/" at its end."""
    folders = [name.split("/")[:-1] for name in names]
    common = [parts[0] for parts in zip(*folders, strict=False) if len({*parts}) == 1]
    # Equal parts behind different ones do not count.
    while common and any(parts[: len(common)] != common for parts in folders):
        common.pop()
    return "".join(f"{part}/" for part in common)


def choose_folder(
    folders: Sequence[str], annotation: str, role: str
) -> tuple[str, ...]:
    """Of the folders that hold images of the right names, those meant by a rule.

    Names such as "0001.jpg" are in many folders. The folder of the annotation's own
    role comes first, then the one that is nearest to it.

    Args:
        folders: each "" or with "/" at its end.
        annotation: path of the annotation.
        role: of the annotation.
    """
    fitting = [f for f in folders if role and find_role(f) == role] or list(folders)
    near = [len(find_common_folder([annotation, f])) for f in fitting]
    return tuple(
        f for f, nearness in zip(fitting, near, strict=True) if nearness == max(near)
    )
