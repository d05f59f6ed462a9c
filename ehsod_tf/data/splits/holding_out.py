"""One source, dealt into images to train on and images to evaluate on."""

from collections.abc import Callable

import numpy as np

from ehsod_tf.data.checks.leakage import group_same_files
from ehsod_tf.data.columns import select_images
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.splits.split import make_split
from ehsod_tf.errors import ConfigError, DataError, require_choice
from ehsod_tf.structures import ImageSet


@collects_or_raises
def read_part(
    source: Callable[..., ImageSet],
    part: str,
    *,
    percent: float = 20.0,
    seed: int = 0,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads the images of a source that are for training, or those for validation.

    A share of the strong images is held out for validation. All other images, such as
    those with labels alone, are for training. The draw depends on the seed and on the
    ids of the images; the training part is stratified, so that it shows each class.
    Files that are the same to the byte stay together, in the training part.

    Args:
        source: a reader that lacks nothing but ``class_names`` and ``findings``.
        part: "training" or "validation".
        percent: share of the strong images that is held out, above 0 and below 100.
        seed: of the draw.
        class_names: as of the reader; None takes the classes of the source.
        findings: as of the reader. What two parts of one source say twice is kept once.

    Raises:
        DataError: fewer than two images are strong; also as the reader does.
        ConfigError: `part` or `percent` is out of range.
    """
    require_choice("read_part.part", part, ("training", "validation"))
    if not 0 < percent < 100:
        raise ConfigError(
            f"read_part.percent must be above 0 and below 100, got {percent:g}"
        )
    own = Findings()
    chosen = {} if class_names is None else {"class_names": class_names}
    whole = source(findings=own, **chosen)
    findings.take(own)
    is_held_out = choose_held_out(whole, percent, seed)
    if part == "validation" and not is_held_out.any():
        raise DataError(
            f"too few images with all their boxes, {whole.is_strong.sum()} of "
            f"{len(whole.paths)}: none can be held out for validation; draw boxes on "
            "at least two images"
        )
    return select_images(whole, is_held_out if part == "validation" else ~is_held_out)


def choose_held_out(image_set: ImageSet, percent: float, seed: int) -> np.ndarray:
    """Chooses strong images to evaluate on; at least one where there are two.

    Returns:
        [I] bool.
    """
    strong = image_set.is_strong
    num_strong = int(strong.sum())
    if num_strong < 2:
        return np.zeros(len(strong), bool)
    num_held_out = min(max(round(num_strong * percent / 100), 1), num_strong - 1)
    share = 100 * (num_strong - num_held_out) / num_strong
    # The images that keep training are the drawn ones: they show every class.
    split = make_split(select_images(image_set, strong), share, seed, stratified=True)
    is_held_out = strong & ~np.isin(image_set.image_ids, split.strong_image_ids)
    for rows in group_same_files(image_set.paths):
        if not is_held_out[rows].all():
            is_held_out[rows] = False
    return is_held_out
