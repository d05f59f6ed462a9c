"""Images that training and evaluation share: figures on them would say too much."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Hashable

import numpy as np

from ehsod_tf.data.checks.image_checks import map_in_threads
from ehsod_tf.data.columns import select_images
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet

_END_BYTES = 4096


@collects_or_raises
def leave_out_shared_images(
    training_set: ImageSet,
    evaluation_set: ImageSet,
    *,
    findings: Findings,
) -> ImageSet:
    """Returns the training images whose files are not in the evaluation set too.

    Files are the same if their bytes are, whatever their names. Files that cannot be
    read are nobody's copy; `validate` names them.

    Args:
        training_set, evaluation_set: the sets to be compared.
        findings: takes the problems, and a note about copies within the training set.

    Raises:
        DataError: images are shared and `findings` is None; or all of them are.
    """
    num_training = len(training_set.paths)
    is_own = np.ones(num_training, bool)
    for row, evaluation_path in _find_shared(training_set, evaluation_set, findings):
        is_own[row] = False
        findings.add(
            training_set.paths[row],
            f"image {training_set.image_ids[row]}",
            "",
            f"the evaluation set holds the same image, {evaluation_path}; remove "
            "it from one of the two",
        )
    if not is_own.any():
        raise DataError(
            f"{os.path.dirname(training_set.paths[0])}: all {num_training} training "
            "images are in the evaluation set too; check the two lists of images, or "
            "set Experiment.allow_shared_images = True to see whether a detector can "
            "learn them by heart"
        )
    return select_images(training_set, is_own)


def note_shared_images(
    training_set: ImageSet, evaluation_set: ImageSet, *, findings: Findings
) -> int:
    """Counts evaluation images that are training images too, where that is wanted.

    Args:
        training_set, evaluation_set: what may share images.
        findings: takes a note, if there are any.
    """
    shared = {path for _, path in _find_shared(training_set, evaluation_set, findings)}
    if shared:
        findings.note(
            f"{len(shared)} of {len(evaluation_set.paths)} evaluation images are "
            "training images too: the figures say how well these were learnt, not how "
            "well the detector does on others"
        )
    return len(shared)


def _find_shared(
    training_set: ImageSet, evaluation_set: ImageSet, findings: Findings
) -> list[tuple[int, str]]:
    """Returns (row in training, path in evaluation) of each shared image."""
    num_training = len(training_set.paths)
    shared, copies = [], []
    for group in group_same_files(training_set.paths + evaluation_set.paths):
        training_rows = [row for row in group if row < num_training]
        if group[-1] < num_training:
            copies.append(training_rows)
        else:
            path = evaluation_set.paths[group[-1] - num_training]
            shared += [(row, path) for row in training_rows]
    _note_copies(training_set, copies, findings)
    return shared


def _note_copies(
    training_set: ImageSet, copies: list[list[int]], findings: Findings
) -> None:
    if copies:
        first, second = (training_set.paths[row] for row in copies[0][:2])
        num_copies = sum(len(group) - 1 for group in copies)
        findings.note(
            f"{num_copies} training images are copies of others, to the byte (the "
            f"first: {second} of {first}); each counts as an image of its own"
        )


def group_same_files(paths: list[str]) -> list[list[int]]:
    """Returns the rows, ascending, of each group of two or more identical files."""
    groups = [list(range(len(paths)))]
    # Each key costs more than the one before, for fewer files.
    for key in (os.path.getsize, _hash_end, _hash_file):
        groups = _divide(groups, paths, key)
    return groups


def _divide(
    groups: list[list[int]], paths: list[str], key: Callable[[str], Hashable]
) -> list[list[int]]:
    def read(row: int) -> Hashable | None:
        try:
            return key(paths[row])
        except OSError:
            return None

    rows = [row for group in groups for row in group]
    keys = dict(zip(rows, map_in_threads(read, rows), strict=True))
    parts: list[list[int]] = []
    for group in groups:
        of_key = defaultdict(list)
        for row in group:
            if keys[row] is not None:
                of_key[keys[row]].append(row)
        parts += [part for part in of_key.values() if len(part) > 1]
    return parts


def _hash_end(path: str) -> bytes:
    # Files of one camera begin alike; they end with pixels.
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(-min(_END_BYTES, size), os.SEEK_END)
        return hashlib.sha256(file.read()).digest()


def _hash_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
