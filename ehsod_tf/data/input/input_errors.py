"""Names the image files behind the errors of tf.data, which come without file names."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from ehsod_tf.data.input.image_reading import find_unreadable_images
from ehsod_tf.data.input.pipeline import make_training_plan
from ehsod_tf.data.problems import raise_problems
from ehsod_tf.structures import Batch, ImageSet


def explain_input_error(image_set: ImageSet, step: int, **plan_arguments) -> None:
    """Names the files behind an error that a training data set raised.

    Args:
        image_set: what the data set was built of.
        step: the step whose batch could not be had, counted from 0 at the beginning of
            the run.
        **plan_arguments: those of `make_training_plan`, as the data set got them.

    Raises:
        DataError: images of this step cannot be read. If all can, the function returns,
            and the error has another reason.
    """
    plan = make_training_plan(image_set, **plan_arguments)
    hint = "; check_pixels finds all such files before training"
    raise_problems(
        [
            problem._replace(message=problem.message + hint)
            for problem in find_unreadable_images(image_set, np.unique(plan[step]))
        ]
    )


def name_unreadable_images(
    batches: Iterable[Batch], image_set: ImageSet
) -> Iterator[Batch]:
    """Yields the batches, and names the files if one cannot be made.

    Args:
        batches: made of the image set.
        image_set: all of its images are looked at, once the error is there.

    Raises:
        DataError: images cannot be read; all such are named. An error that has another
            reason stays what it is.
    """
    try:
        yield from batches
    except tf.errors.OpError:
        rows = range(len(image_set.paths))
        raise_problems(find_unreadable_images(image_set, rows))
        raise
