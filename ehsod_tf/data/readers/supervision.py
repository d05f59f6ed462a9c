"""Strong or weak? What is known of each image of a source, whatever its form."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import (
    BoxColumns,
    assemble_columns,
    derive_image_labels,
    select_images,
)
from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import UNKNOWN, ImageSet, list_labels


class ImageTable(NamedTuple):
    """One row for each image of a source, those of faulty records included.

    Attributes:
        ids: of the images.
        records: what problems call each, e.g. "image 17".
        names: file names; "" where the record has none that can be used.
        sizes: [I, 2] int32 (height, width), 0 where the record does not say.
        supervision: "boxes", "labels", "none"; "" where the record does not say.
        listed: [I, K] int8 label states that the source lists.
        has_list: [I] bool, the record lists labels.
        sound: [I] bool, False for images that must be left out.
        complete: [I, K] bool, classes of which every object in the image has a box,
            if the image has boxes at all; None for all classes.
    """

    ids: list[int]
    records: list[str]
    names: list[str]
    sizes: np.ndarray
    supervision: np.ndarray
    listed: np.ndarray
    has_list: np.ndarray
    sound: np.ndarray
    complete: np.ndarray | None = None


def tell_kinds(
    images: ImageTable, annotated: np.ndarray, unannotated: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns [I] bool of the strong and of the weak images; the rest is left out.

    `supervise` leaves out more: those of which no label is known. For the arguments see
    there.
    """
    unspoken = images.supervision == ""
    strong = (images.supervision == "boxes") | (unspoken & annotated)
    if unannotated == "empty":
        strong |= unspoken & ~images.has_list
    weak = (images.supervision == "labels") | (unspoken & ~annotated & images.has_list)
    return strong, weak


def supervise(
    images: ImageTable,
    boxes: BoxColumns,
    annotated: np.ndarray,
    *,
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
    source: str,
    unannotated: str,
    findings: Findings,
) -> ImageSet:
    """Decides which images are strong and which weak; the rest is left out.

    Args:
        images: what is known of each image but its boxes.
        boxes: of the chosen classes; `images` are rows of the table.
        annotated: [I] bool, the source has boxes of the image, or says that it shows
            no object.
        class_names: K names.
        category_ids: K ids.
        source: path of the file or folder, for messages.
        unannotated: what becomes of an image with neither annotation nor labels:
            "leave_out", or "empty", a strong image that shows no object.
        findings: takes the problems, and notes of how many images are of each kind.

    Returns:
        `ImageSet` of the sound images; its `paths` are the names.
    """
    asked, has_list = images.supervision, images.has_list
    strong, weak = tell_kinds(images, annotated, unannotated)
    boxed = derive_image_labels(boxes, len(strong), len(class_names))
    _find_missing_labels(images, weak & ~annotated & ~has_list, source, findings)
    complete = np.ones_like(boxed, bool) if images.complete is None else images.complete
    states, contradicted = label_states.derive_class_states(
        boxed, images.listed, complete
    )
    _note_contradictions(
        images, strong & has_list, boxed, contradicted, class_names, source, findings
    )
    labels = np.where((weak & has_list)[:, None], images.listed, list_labels(states))
    states = np.where(strong[:, None], states, labels)
    unknown = (strong | weak) & (states == UNKNOWN).all(axis=1)
    strong &= ~unknown
    weak &= ~unknown
    left_out = {
        label_states.NO_ANNOTATION: (asked == "") & ~strong & ~weak & ~unknown,
        label_states.NO_KNOWN_LABEL: unknown,
        "of supervision 'none'": asked == "none",
    }
    _note_kinds(images, strong, weak, left_out, source, findings)
    of_strong = strong[boxes.images]
    image_set = assemble_columns(
        class_names=class_names,
        category_ids=category_ids,
        image_ids=images.ids,
        image_names=images.names,
        paths=images.names,
        sizes=images.sizes,
        boxes=BoxColumns(*(column[of_strong] for column in boxes)),
        class_states=states,
    )
    return select_images(image_set, images.sound & (strong | weak))


def _find_missing_labels(
    images: ImageTable, bare: np.ndarray, source: str, findings: Findings
) -> None:
    for row in np.flatnonzero(bare & images.sound):
        findings.add(
            source,
            images.records[row],
            "supervision",
            "'labels' is asked for, but the image has neither image_labels nor "
            "annotations; add one of them or remove the field",
        )
    images.sound[bare] = False


def _note_contradictions(
    images: ImageTable,
    both: np.ndarray,
    boxed: np.ndarray,
    contradicted: np.ndarray,
    class_names: Sequence[str],
    source: str,
    findings: Findings,
) -> None:
    contradicted = contradicted & (both & images.sound)[:, None]
    for row in np.flatnonzero(contradicted.any(axis=1)):
        message = label_states.describe_contradiction(
            boxed[row], contradicted[row], class_names
        )
        findings.add(source, images.records[row], "image_labels", message)
        images.sound[row] = False


def _note_kinds(
    images: ImageTable,
    strong: np.ndarray,
    weak: np.ndarray,
    left_out: dict[str, np.ndarray],
    source: str,
    findings: Findings,
) -> None:
    if (strong | ~images.sound).all():
        return
    names = {
        kind: [images.names[row] for row in np.flatnonzero(mask & images.sound)]
        for kind, mask in left_out.items()
    }
    num_strong = int((strong & images.sound).sum())
    num_weak = int((weak & images.sound).sum())
    findings.note(label_states.describe_kinds(source, num_strong, num_weak, names))
    findings.count_unannotated(source, len(names[label_states.NO_ANNOTATION]))
