"""What the page and the terminal text of ``ehsod inspect`` both say, as rows.

``summary`` is an `ehsod_tf.data.statistics.DataSetSummary` throughout.
"""

from typing import NamedTuple

import numpy as np

_MEANINGS = {
    "boxed": "it is there, and each of its objects has a box",
    "boxed in part": "some of its objects have boxes, others may have none",
    "present, no box": "it is there, and nobody says where",
    "absent": "it is not there",
    "only ignored": "all that is boxed of it is a crowd or difficult",
    "unknown": "nobody says whether it is there; this teaches nothing",
}


class Pair(NamedTuple):
    """Two classes that some image shows together.

    Attributes:
        first: class index.
        second: class index, above `first`.
        both: images that show both.
        share: `both` divided by the images that show either.
    """

    first: int
    second: int
    both: int
    share: float


def list_supervision(summary) -> list[tuple[str, int]]:
    """Lists the kinds of images and their numbers; kinds without any are left out."""
    rows = [
        ("strong", summary.num_strong - summary.num_empty),
        ("strong, without any object", summary.num_empty),
        ("boxed in part", summary.num_partly),
        ("with a detector's boxes", summary.num_machine),
        ("weak, all labels known", summary.num_weak - summary.num_partial),
        ("weak, some labels unknown", summary.num_partial),
        ("nothing known", summary.num_unlabelled),
    ]
    return [row for row in rows if row[1]]


def count_images(summary) -> int:
    """All images of which something is known or not."""
    kinds = (summary.num_strong, summary.num_partly, summary.num_machine)
    return sum(kinds) + summary.num_weak + summary.num_unlabelled


def list_states(summary) -> list[tuple[str, np.ndarray]]:
    """Lists what may be known of a class, with [K] images; without empty columns."""
    return [(name, n) for name, n in summary.class_states.items() if n.any()]


def explain_states(summary) -> list[tuple[str, str]]:
    """What the names of `list_states` mean."""
    return [(name, _MEANINGS[name]) for name, _ in list_states(summary)]


def name_image_columns(summary) -> tuple[str, str]:
    """Heads of the columns `boxed_images` and `other_images`."""
    if summary.num_partly or summary.num_machine:
        return "boxed images", "others"
    return "strong images", "weak images"


def list_size_classes(summary) -> list[tuple[str, int]]:
    """Lists COCO's small, medium and large with their objects."""
    names = ("small < 32²", "medium < 96²", "large")
    return list(zip(names, summary.size_classes, strict=True))


def list_warnings(summary) -> list[str]:
    """Says which classes lack images, and which only boxes."""
    unboxed = summary.boxed_images == 0
    absent = unboxed & (summary.other_images == 0)
    warnings = []
    if absent.any():
        warnings.append(f"No image shows {_join(summary, absent)}.")
    if not summary.num_strong + summary.num_partly:
        warnings.append("No image has boxes, so boxes cannot be learnt.")
    elif (unboxed & ~absent).any():
        warnings.append(
            f"No image has boxes of {_join(summary, unboxed & ~absent)}, so they "
            "cannot be learnt. Draw some, or choose the strong images class by class "
            "(ehsod split --stratified)."
        )
    return warnings


def rank_classes(summary, count: int) -> list[int]:
    """Returns the `count` classes that most images show, the most frequent first."""
    num_images = np.diag(summary.co_occurrence)
    order = np.argsort(-num_images, kind="stable")[:count]
    return [int(k) for k in order if num_images[k]]


def rank_pairs(summary, count: int) -> list[Pair]:
    """Returns the `count` pairs that most often come together if either does.

    Classes that never come apart cannot be separated by image labels.
    """
    both = np.triu(summary.co_occurrence, k=1)
    firsts, seconds = np.nonzero(both)
    num_images = np.diag(summary.co_occurrence)
    together = both[firsts, seconds]
    shares = together / (num_images[firsts] + num_images[seconds] - together)
    order = np.lexsort((-together, -shares))[:count]
    columns = (firsts, seconds, together, shares)
    return [Pair(*(column[i].item() for column in columns)) for i in order]


def name_bins(histogram) -> list[str]:
    """Names the bins of whole numbers, such as "8" and "9–16"."""
    lows, highs = histogram.edges[:-1].tolist(), (histogram.edges[1:] - 1).tolist()
    return [
        str(low) if low == high else f"{low}–{high}"
        for low, high in zip(lows, highs, strict=True)
    ]


def _join(summary, mask):
    return ", ".join(summary.class_names[k] for k in np.flatnonzero(mask))
