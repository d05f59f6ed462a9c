"""Image-level labels out of what a source lists, and how labels and boxes agree."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError, require_choice
from ehsod_tf.structures import (
    ABSENT,
    BOXED,
    BOXED_ABSENT,
    BOXED_OFFSET,
    BOXED_UNCERTAIN,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
)
from ehsod_tf.wording import count

UNLISTED_STATES = {"absent": ABSENT, "unknown": UNKNOWN}

# What a state is if the boxes of its class need not be all that there are.
_IN_PART = {BOXED: PARTLY_BOXED, BOXED_ABSENT: UNKNOWN, BOXED_UNCERTAIN: UNKNOWN}

_NAMED_IMAGES = 3


def require_reading_choices(unlisted: str = "absent", unannotated: str = "leave_out"):
    """Raises ConfigError unless both are choices that readers know.

    Args:
        unlisted: "absent" | "unknown", the state of a class that a list of labels does
            not name.
        unannotated: "leave_out" | "empty", what becomes of an image of which nothing
            is said.
    """
    require_choice("unlisted", unlisted, tuple(UNLISTED_STATES))
    require_choice("unannotated", unannotated, ("leave_out", "empty"))


def mark_labels(
    present: Iterable[int], absent: Iterable[int], num_classes: int, rest: int
) -> np.ndarray:
    """Returns [K] int8 states: `rest` for the classes that are in neither list."""
    states = np.full(num_classes, rest, np.int8)
    states[list(absent)] = ABSENT
    states[list(present)] = PRESENT
    return states


def add_labels_to_boxes(
    boxed: np.ndarray, listed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Completes the labels that follow from boxes by those that a source lists.

    Args:
        boxed: [..., K] from complete boxes; `UNKNOWN` where only a crowd or a difficult
            object is boxed.
        listed: [..., K] from a list of labels.

    Returns:
        labels: [..., K]. A crowd's class becomes `PRESENT` if it is listed so, but
            never `ABSENT`: something of it was boxed.
        contradicted: [..., K] bool, where one says present and the other absent.
    """
    contradicted = (boxed != UNKNOWN) & (listed != UNKNOWN) & (boxed != listed)
    filled = (boxed == UNKNOWN) & (listed == PRESENT)
    return np.where(filled, PRESENT, boxed).astype(np.int8), contradicted


def derive_class_states(
    boxed: np.ndarray, listed: np.ndarray, is_complete: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joins what the boxes of images say of each class with what a source lists.

    Args:
        boxed: [..., K] labels as if all boxes were complete, see `add_labels_to_boxes`.
        listed: [..., K] from a list of labels.
        is_complete: [..., K] bool, classes of which every object has a box.

    Returns:
        class_states: [..., K] int8.
        contradicted: [..., K] bool, where one says present and the other absent.
    """
    is_boxed = boxed == PRESENT
    known = np.where(is_complete | is_boxed, boxed, UNKNOWN)
    labels, contradicted = add_labels_to_boxes(known, listed)
    labels = np.where(~is_complete & ~is_boxed, listed, labels)
    of_rest = np.where(is_boxed, PARTLY_BOXED, labels)
    states = np.where(is_complete, labels + BOXED_OFFSET, of_rest)
    return states.astype(np.int8), contradicted


def take_in_part(states: np.ndarray) -> np.ndarray:
    """Returns class states, of any shape, if boxes need not be all that there are."""
    in_part = states.copy()
    for state, instead in _IN_PART.items():
        in_part[states == state] = instead
    return in_part


def describe_contradiction(
    boxed: np.ndarray, contradicted: np.ndarray, class_names: Sequence[str]
) -> str:
    """Says how boxes and labels of one image disagree about the first such class.

    Args:
        boxed: [K] states that follow from the boxes.
        contradicted: [K] bool, True for one class at least.
        class_names: K names.
    """
    index = int(np.argmax(contradicted))
    name = class_names[index]
    if boxed[index] == PRESENT:
        fault = f"{name!r} has a box but is not labelled as present"
    else:
        fault = f"{name!r} is labelled as present but has no box"
    return f"{fault}; correct the labels or the boxes"


def describe_kinds(
    source: str, num_strong: int, num_weak: int, left_out: Mapping[str, Sequence[str]]
) -> str:
    """Returns the note of how the supervision of a source's images was inferred.

    Args:
        source: path of the file or folder.
        num_strong, num_weak: images with boxes, and with image labels only.
        left_out: names of the images of other kinds, by a description of the kind.
    """
    parts = [f"{count(num_strong, 'image')} with boxes, {num_weak:,} with image labels"]
    for kind, names in left_out.items():
        if names:
            parts.append(f"{len(names)} {kind}, left out ({name_first(names)})")
    note = f"{source}: {', '.join(parts)}"
    if left_out.get(NO_ANNOTATION):
        note += "; if they show none of the classes, set unannotated = 'empty'"
    return note


def require_annotated_images(num_images: int, source: str, findings: Findings) -> None:
    """Raises DataError if a source without problems gave no image at all."""
    if not num_images and not findings.problems:
        raise DataError(
            f"{source}: no image in it is annotated; add boxes or labels, or set "
            "unannotated = 'empty' if its images show none of the classes"
        )


NO_ANNOTATION = "without any annotation"
NO_KNOWN_LABEL = "whose labels are all unknown"


def name_first(names: Sequence[str]) -> str:
    """Returns "first: a.jpg, b.jpg" for a long list of names."""
    return "first: " + ", ".join(names[:_NAMED_IMAGES])
