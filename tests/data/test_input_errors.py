import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.data import (
    build_evaluation_dataset,
    build_training_dataset,
    explain_input_error,
    name_unreadable_images,
)
from ehsod_tf.data.input.pipeline import make_training_plan
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.errors import DataError

SIDES = {"resizing": Resizing(64, 64)}
PLAN_ARGUMENTS = {"batch_size": 2, "seed": 0, "epochs": 4, **SIDES}


@pytest.fixture
def image_set(make_image_set):
    sizes = [(24, 32), (32, 24), (32, 32), (30, 40), (24, 32), (40, 30), (12, 32)]
    return make_image_set(sizes)


def break_image(path):
    with open(path, "r+b") as file:
        file.truncate(60)


@pytest.mark.parametrize("start_step", [0, 1])
def test_an_unreadable_image_is_named(image_set, start_step):
    """The error comes with the very step that the image belongs to."""
    plan = make_training_plan(image_set, **PLAN_ARGUMENTS)
    row = plan[1, 0]
    step = start_step + np.flatnonzero((plan[start_step:] == row).any(axis=1))[0]
    break_image(image_set.paths[row])
    batches = iter(
        build_training_dataset(image_set, start_step=start_step, **PLAN_ARGUMENTS)
    )
    for _ in range(step - start_step):
        next(batches)
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(batches)
    message = f"{row}.png, image {100 + row}: .*decoded.*check_pixels"
    with pytest.raises(DataError, match=message):
        explain_input_error(image_set, step, **PLAN_ARGUMENTS)


def test_the_arguments_of_the_order_count(make_image_set):
    """Image 0 is the only one of its class, so that each step takes it."""
    objects = [(row, (1.0, 1.0, 9.0, 9.0), min(row, 1)) for row in range(9)]
    image_set = make_image_set([(32, 32)] * 9, objects)
    break_image(image_set.paths[0])
    without = make_training_plan(image_set, **PLAN_ARGUMENTS)
    step = int(np.flatnonzero((without != 0).all(axis=1))[0])
    explain_input_error(image_set, step, **PLAN_ARGUMENTS)
    with pytest.raises(DataError, match="0.png"):
        explain_input_error(image_set, step, class_aware=True, **PLAN_ARGUMENTS)


def test_another_error_is_not_blamed_on_the_images(image_set):
    plan = make_training_plan(image_set, **PLAN_ARGUMENTS)
    explain_input_error(image_set, 0, **PLAN_ARGUMENTS)
    step = int(np.flatnonzero((plan != 2).all(axis=1))[0])
    break_image(image_set.paths[2])
    explain_input_error(image_set, step, **PLAN_ARGUMENTS)


def test_an_image_of_another_size_is_named(image_set, write_image):
    write_image("images/2.png", 20, 21)
    plan = make_training_plan(image_set, **PLAN_ARGUMENTS)
    step = int(np.flatnonzero((plan == 2).any(axis=1))[0])
    with pytest.raises(DataError, match="2.png, image 102, size: .*21 wide"):
        explain_input_error(image_set, step, **PLAN_ARGUMENTS)


def evaluate(image_set):
    dataset = build_evaluation_dataset(image_set, batch_size=2, **SIDES)
    return name_unreadable_images(dataset, image_set)


def test_unreadable_evaluation_images_are_all_named(image_set):
    for row in (1, 5):
        break_image(image_set.paths[row])
    with pytest.raises(DataError, match="(?s)1.png, image 101: .*5.png, image 105: "):
        list(evaluate(image_set))


def test_what_can_be_read_is_passed_on(image_set):
    ids = np.concatenate([batch.image_ids for batch in evaluate(image_set)])
    assert sorted(ids[ids >= 0]) == image_set.image_ids.tolist()


def test_an_evaluation_error_of_another_reason_stays(image_set):
    def fail(batch):
        return tf.debugging.check_numerics(batch.images / 0.0, "not the file's fault")

    dataset = build_evaluation_dataset(image_set, batch_size=2, **SIDES).map(fail)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not the file's fault"):
        list(name_unreadable_images(dataset, image_set))


def test_an_error_of_the_model_is_not_looked_into(image_set):
    """Where the memory is too small, not all images are decoded for nothing."""
    break_image(image_set.paths[6])
    with pytest.raises(tf.errors.ResourceExhaustedError):
        for _ in evaluate(image_set):
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
