"""Several sources as one image set: boxes here, image-level labels there."""

import functools
from collections.abc import Callable

from ehsod_tf.data.columns import align_classes
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.boxed_classes import restrict_boxes
from ehsod_tf.data.readers.merging import merge_image_sets
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import UNKNOWN, ImageSet
from ehsod_tf.wording import count


@collects_or_raises
def read_mixture(
    sources: tuple[Callable[..., ImageSet], ...],
    *,
    class_names: tuple[str, ...] | None = None,
    boxed: tuple[str | tuple[str, ...], ...] | None = None,
    own_classes: tuple[tuple[str, ...] | None, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads several sources as one data set: boxes here, image-level labels there.

    Args:
        sources: readers that lack nothing but ``class_names`` and ``findings``.
        class_names: the classes; None takes those of the first source for all.
        boxed: for each source, what the boxes in it are: "all", as the source itself
            has it; "in part", so that a place without a box says little; or the names
            of the classes that are boxed completely, all others being boxed in part or
            not at all. None is "all" for every source.
        own_classes: for each source, the only classes that it can speak of, all others
            being unknown in its images; None, of it or of all, for all classes.
        findings: takes the problems and notes; None raises and warns instead.

    Raises:
        DataError: see `merge_image_sets` and the readers.
        ConfigError: see `restrict_boxes`; or `boxed` or `own_classes` is of another
            length, or the latter names a class that is none of `class_names`.
    """
    boxed = ("all",) * len(sources) if boxed is None else boxed
    own_classes = (None,) * len(sources) if own_classes is None else own_classes
    for name, entries in (("boxed", boxed), ("own_classes", own_classes)):
        if len(entries) != len(sources):
            raise ConfigError(
                f"read_mixture.{name} has {count(len(entries), 'entry', 'entries')} "
                f"for {count(len(sources), 'source')}; give one for each"
            )
    image_sets = []
    for number, (read, kind, own) in enumerate(
        zip(sources, boxed, own_classes, strict=True), start=1
    ):
        read = functools.partial(read, findings=findings)
        image_set = _read_source(read, own, class_names, number)
        image_sets.append(
            restrict_boxes(image_set, kind, f"source {number}", findings=findings)
        )
        class_names = image_sets[0].class_names
    if len(image_sets) == 1:
        return image_sets[0]
    return merge_image_sets(image_sets, findings=findings)


def _read_source(
    read: Callable[..., ImageSet],
    own_classes: tuple[str, ...] | None,
    class_names: tuple[str, ...] | None,
    number: int,
) -> ImageSet:
    """Reads a source by its own classes; the others become unknown in its images."""
    if own_classes is None:
        return read() if class_names is None else read(class_names=class_names)
    for name in own_classes:
        if name not in (class_names or ()):
            raise ConfigError(
                f"source {number}: own_classes: no class is called {name!r}; list it "
                "in read_mixture.class_names, which own_classes needs"
            )
    ids = range(1, len(class_names) + 1)
    return align_classes(read(class_names=own_classes), class_names, ids, UNKNOWN)
