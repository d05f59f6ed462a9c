"""What the writers of all forms have in common: a new folder, with the images."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from ehsod_tf.data.columns import select_images
from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.problems import Findings, collects_or_raises, format_problems
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ANY_CLASS, PRESENT, UNKNOWN, ImageSet


@contextlib.contextmanager
def create_folder(output_dir: str | os.PathLike) -> Iterator[str]:
    """Gives a temporary folder that takes the place of a new one, if all goes well.

    Where `output_dir` is a link, it is to an empty folder, and stays.

    Raises:
        DataError: the folder holds something already.
    """
    output_dir = os.path.realpath(output_dir)
    if os.path.isdir(output_dir) and os.listdir(output_dir):
        raise DataError(
            f"{output_dir}: this folder is not empty; give a new one, or empty it first"
        )
    os.makedirs(os.path.dirname(output_dir), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(output_dir)) as temporary:
        # A folder of its own, as temporary ones are closed to other users.
        folder = os.path.join(temporary, "export")
        os.mkdir(folder)
        yield folder
        os.replace(folder, output_dir)


def name_images(image_set: ImageSet) -> list[str]:
    """Returns the names of the image files relative to the folder that has them all."""
    folders = {os.path.dirname(os.path.abspath(path)) for path in image_set.paths}
    root = os.path.commonpath(folders)
    return [
        os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")
        for path in image_set.paths
    ]


def copy_images(image_set: ImageSet, names: list[str], folder: str) -> None:
    """Copies the image files to these names in a folder.

    Raises:
        DataError: files cannot be read; all are named.
    """
    findings = Findings()
    for path, name in zip(image_set.paths, names, strict=True):
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            findings.add(path, "", "", f"cannot be copied ({error.strerror})")
    findings.settle()


@collects_or_raises
def select_expressible(
    image_set: ImageSet,
    form: str,
    *,
    labels: str = "all",
    holds_ignored: bool = True,
    needs_own_stems: bool = False,
    findings: Findings,
) -> ImageSet:
    """Returns the images of which a form can say all that is known.

    Args:
        image_set: the images.
        form: its name, for messages.
        labels: what it can say of whole images: "all" states; "present" classes, all
            others being absent; or "none".
        holds_ignored: it has crowds or difficult objects.
        needs_own_stems: "a.jpg" and "a.png" would have one annotation file.
        findings: takes the problem of each other image; None raises instead.

    Raises:
        DataError: an image cannot be expressed, or with `findings` none can.
    """
    checks: list[tuple[np.ndarray, str, str]] = []
    states, weak = image_set.image_labels, ~image_set.has_boxes
    if labels != "all":
        partly = ~weak & ~image_set.is_strong
        checks.append((partly, "boxes", "is boxed in part, which {} cannot say"))
    if labels == "none":
        checks.append((weak, "labels", "has labels alone, for which {} has no place"))
    elif labels == "present":
        mute = weak & ~(states == PRESENT).any(axis=1)
        checks.append((mute, "labels", "shows no class, which {} cannot say of labels"))
        mixed = weak & (states == UNKNOWN).any(axis=1) & ~mute
        checks.append(
            (mixed, "labels", "has unknown labels, which {} would call absent")
        )
    images = np.repeat(np.arange(len(weak)), np.diff(image_set.row_splits))
    if not holds_ignored:
        crowded = np.bincount(images, image_set.ignored, len(weak)) > 0
        checks.append((crowded, "objects", "has a crowd, for which {} has no place"))
    if labels != "all":
        of_any = np.bincount(images, image_set.classes == ANY_CLASS, len(weak)) > 0
        message = "has an ignored region of any class, for which {} has no place"
        checks.append((of_any, "objects", message))
    if needs_own_stems:
        shared = _find_shared_stems(name_images(image_set))
        message = (
            "has another image's name but for its ending; {} would mix their boxes"
        )
        checks.append((shared, "name", message))
    return leave_out_inexpressible(image_set, form, checks, findings=findings)


@collects_or_raises
def leave_out_inexpressible(
    image_set: ImageSet,
    form: str,
    checks: Iterable[tuple[np.ndarray, str, str]],
    *,
    findings: Findings,
) -> ImageSet:
    """Returns the images that pass all checks.

    Args:
        image_set: the images.
        form: name of the form, for which "{}" stands in messages.
        checks: ([I] bool of the images at fault, field, message).
        findings: as of `select_expressible`.

    Raises:
        DataError: as of `select_expressible`.
    """
    is_held = np.ones(len(image_set.paths), bool)
    for mask, field, message in checks:
        for row in np.flatnonzero(mask & is_held):
            findings.add(
                image_set.paths[row],
                f"image {image_set.image_ids[row]}",
                field,
                f"{message.format(form)}; write the data as coco, or leave such images "
                "out with --skip_bad",
            )
        is_held &= ~mask
    is_held &= _check_names(image_set, findings)
    if not is_held.any():
        raise DataError(
            f"no image of the data set can be written as {form}; "
            f"{format_problems(findings.problems)}"
        )
    return select_images(image_set, is_held)


def _find_shared_stems(names: list[str]) -> np.ndarray:
    stems = np.array([os.path.splitext(name)[0] for name in names])
    _, inverse, counts = np.unique(stems, return_inverse=True, return_counts=True)
    return counts[inverse] > 1


def _check_names(image_set: ImageSet, findings: Findings) -> np.ndarray:
    is_sound = np.ones(len(image_set.paths), bool)
    for row, name in enumerate(name_images(image_set)):
        if fault := find_path_fault(name):
            findings.add(image_set.paths[row], "", "name", fault)
            is_sound[row] = False
    return is_sound


def format_number(number: float) -> str:
    """Returns the shortest text that gives the number again, "3" for 3.0."""
    return repr(float(number)).removesuffix(".0")


def list_objects(image_set: ImageSet, row: int) -> Iterator[tuple[str, list, bool]]:
    """Yields (class name, [ymin, xmin, ymax, xmax], ignored) of an image's objects."""
    for number in range(*image_set.row_splits[row : row + 2].tolist()):
        name = image_set.class_names[image_set.classes[number]]
        yield name, image_set.boxes[number].tolist(), bool(image_set.ignored[number])


def list_labels(image_set: ImageSet, row: int) -> list[str]:
    """Returns the classes that an image is labelled with beyond its own boxes."""
    boxed = {name for name, _, ignored in list_objects(image_set, row) if not ignored}
    present = np.flatnonzero(image_set.image_labels[row] == PRESENT)
    names = [image_set.class_names[index] for index in present]
    return [name for name in names if name not in boxed]
