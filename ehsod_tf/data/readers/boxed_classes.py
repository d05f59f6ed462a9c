"""Sources that do not box every object of every class: "this one boxes cars only"."""

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import select_images
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import UNKNOWN, ImageSet
from ehsod_tf.wording import count


@collects_or_raises
def restrict_boxes(
    image_set: ImageSet,
    boxed: str | tuple[str, ...],
    source: str,
    *,
    findings: Findings,
) -> ImageSet:
    """Takes the boxes of a set for those of some objects only.

    Args:
        image_set: the set; labels of its weak images stay what they are.
        boxed: "all" changes nothing; "in part": no class need be boxed completely; or
            the names of the classes that are.
        source: what notes and errors call the set.
        findings: takes the note; None warns instead.

    Returns:
        `ImageSet`, in which the other classes are boxed in part where they have a box,
        and unknown where they have none. Images of which nothing is known any more are
        left out, with a note.

    Raises:
        ConfigError: `boxed` is another word, or names no class of the set.
    """
    if boxed == "all":
        return image_set
    is_open = _find_open_classes(image_set.class_names, boxed, source)
    states = image_set.class_states
    states = np.where(is_open, label_states.take_in_part(states), states)
    is_known = (states != UNKNOWN).any(axis=1)
    if not is_known.all():
        names = [image_set.image_names[row] for row in np.flatnonzero(~is_known)]
        findings.note(
            f"{source}: {count(len(names), 'image')} without a box, boxed in part, of "
            f"which so nothing is known, left out ({label_states.name_first(names)})"
        )
    return select_images(image_set._replace(class_states=states), is_known)


def _find_open_classes(class_names, boxed, source) -> np.ndarray:
    """[K] bool: the classes that are not boxed completely."""
    if boxed == "in part":
        return np.ones(len(class_names), bool)
    if isinstance(boxed, str):
        raise ConfigError(
            f"{source}: boxed is 'all', 'in part' or a tuple of class names, got "
            f"{boxed!r}"
        )
    for name in boxed:
        if name not in class_names:
            raise ConfigError(
                f"{source}: boxed: no class is called {name!r}; "
                f"{suggest(name, class_names)}"
            )
    return ~np.isin(class_names, boxed)
