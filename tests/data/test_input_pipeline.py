import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import (
    Split,
    apply_split,
    build_evaluation_dataset,
    build_training_dataset,
    select_images,
)
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import PRESENT, UNKNOWN, Batch

SIZES = [(24, 32), (32, 24), (32, 32), (30, 40), (24, 32), (40, 30), (12, 32)]
OBJECTS = [
    (0, (2.0, 4.0, 10.0, 20.0), 1),
    (0, (0.0, 0.0, 24.0, 32.0), 2),
    (1, (1.0, 1.0, 9.0, 9.0), 0),
    (3, (3.0, 6.0, 15.0, 30.0), 2),
    (3, (0.0, 0.0, 8.0, 8.0), 0),
    (4, (5.0, 5.0, 6.0, 6.0), 0),
]
SIDES = {"resizing": Resizing(64, 64)}


@pytest.fixture
def image_set(make_image_set):
    """Seven images; the second object of image 3 is a crowd."""
    return make_image_set(SIZES, OBJECTS, ignored={4})


def collect(dataset):
    return list(dataset.as_numpy_iterator())


def assert_equal_batches(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def train(image_set, **changes):
    arguments = {"batch_size": 2, "seed": 0, "epochs": 4, **SIDES, **changes}
    return build_training_dataset(image_set, **arguments)


def test_element_spec(image_set):
    for dataset in (
        train(image_set),
        build_evaluation_dataset(image_set, batch_size=2, **SIDES),
    ):
        spec = dataset.element_spec
        assert isinstance(spec, Batch)
        assert spec.images.shape.as_list() == [2, None, None, 3]
        assert spec.targets.boxes.shape.as_list() == [2, None, 4]
        assert spec.targets.class_states.shape.as_list() == [2, 3]
        # They are made within the training step.
        assert spec.teacher_images is None or not hasattr(spec.teacher_images, "shape")
        spec = spec._replace(teacher_images=spec.images)
        dtypes = tf.nest.map_structure(lambda s: getattr(s, "dtype", None), spec)
        assert dtypes.images == dtypes.scales == dtypes.targets.boxes == tf.float32
        assert dtypes.image_sizes == tf.int32
        assert dtypes.targets.classes == dtypes.targets.class_states == tf.int32
        assert dtypes.image_ids == tf.int64


def test_images_labels_and_boxes_belong_together(image_set):
    """An image's red value is its row in the set."""
    batches = collect(train(image_set, flip=False))
    assert len(batches) == 4 * 3
    for batch in batches:
        for row, image_id in enumerate(batch.image_ids):
            index = image_id - 100
            height, width = batch.image_sizes[row]
            image = batch.images[row]
            np.testing.assert_allclose(image[:height, :width, 0], index, atol=1e-4)
            assert (image[height:] == 0).all() and (image[:, width:] == 0).all()
            expected = image_set.image_labels[index]
            np.testing.assert_array_equal(batch.targets.image_labels[row], expected)
            np.testing.assert_allclose(
                batch.scales[row], batch.image_sizes[row] / SIZES[index], rtol=1e-6
            )
            real = batch.targets.classes[row] >= 0
            targets = [o for n, o in enumerate(OBJECTS) if o[0] == index and n != 4]
            np.testing.assert_array_equal(
                batch.targets.classes[row][real], [o[2] for o in targets]
            )
            boxes = np.array([o[1] for o in targets]).reshape(-1, 4)
            np.testing.assert_allclose(
                batch.targets.boxes[row][real],
                boxes * np.tile(batch.scales[row], 2),
                rtol=1e-5,
            )
            assert (batch.targets.boxes[row][~real] == 0).all()


def test_weak_images_carry_no_boxes(image_set):
    mixed = apply_split(image_set, Split(0, 30, (100, 101)))
    seen = set()
    for batch in collect(train(mixed, epochs=8)):
        strong = np.isin(batch.image_ids, [100, 101])
        np.testing.assert_array_equal(batch.targets.has_boxes, strong)
        assert (batch.targets.classes[~strong] == -1).all()
        assert (batch.targets.boxes[~strong] == 0).all()
        assert (batch.targets.classes[strong] >= 0).any(axis=1).all()
        assert batch.targets.boxes.shape[1] >= 1
        seen |= set(batch.image_ids)
    assert seen == set(range(100, 107))


@pytest.mark.parametrize("start_step", [1, 7, 12])
def test_a_resumed_run_sees_what_it_would_have_seen(image_set, start_step):
    whole = collect(train(image_set))
    rest = collect(train(image_set, start_step=start_step))
    assert_equal_batches(rest, whole[start_step:])


def test_the_seed_decides(image_set):
    first = collect(train(image_set))
    assert_equal_batches(first, collect(train(image_set)))
    ids = [batch.image_ids.tolist() for batch in first]
    other = [batch.image_ids.tolist() for batch in collect(train(image_set, seed=1))]
    assert ids != other


@pytest.mark.parametrize("scale", [1, 2])
def test_flip_moves_boxes_with_the_pixels(make_image_set, scale):
    """The object is white on black, so that its box can be read from the pixels.

    With the scale 2 the image has its size already.
    """
    box = tuple(scale * side for side in (4.0, 2.0, 20.0, 10.0))
    image_set = make_image_set([(32 * scale, 32 * scale)], [(0, box, 1)])
    image = np.zeros((32 * scale, 32 * scale, 3), np.uint8)
    image[4 * scale : 20 * scale, 2 * scale : 10 * scale] = 255
    Image.fromarray(image).save(image_set.paths[0])
    lefts = []
    for batch in collect(train(image_set, batch_size=1, epochs=40)):
        rows, columns = np.nonzero(batch.images[0, ..., 0] > 127)
        found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_array_equal(batch.targets.boxes[0], [found])
        lefts.append(found[1])
    assert set(lefts) == {4, 44}
    assert 8 <= lefts.count(4) <= 32


def test_flip_leaves_the_padding_where_it_is(make_image_set):
    image_set = make_image_set([(10, 40)], [(0, (1.0, 1.0, 5.0, 39.0), 1)])
    for batch in collect(train(image_set, batch_size=1, epochs=8)):
        height, width = batch.image_sizes[0]
        assert (batch.images[0, :height, :width, 1] > 0).all()
        assert batch.images[0, height:].sum() == 0
        assert (batch.targets.boxes[0, :, 3] <= width).all()


def test_batch_mates_share_a_canvas(make_image_set):
    """An image is the same on its own as in any batch, except for black behind it."""
    image_set = make_image_set([(30, 64)] * 5 + [(64, 30), (20, 20), (64, 48)])
    sides = {"resizing": Resizing(32, 64)}
    alone = {
        batch.image_ids[0]: batch
        for batch in collect(build_evaluation_dataset(image_set, batch_size=1, **sides))
    }
    num_mixed = 0
    for batch in collect(train(image_set, batch_size=4, flip=False, **sides)):
        canvases = [alone[i].images.shape[1:3] for i in batch.image_ids]
        assert batch.images.shape[1:3] == tuple(np.max(canvases, axis=0))
        num_mixed += len(set(canvases)) > 1
        for row, image_id in enumerate(batch.image_ids):
            own, image = alone[image_id].images[0], batch.images[row]
            height, width, _ = own.shape
            np.testing.assert_array_equal(image[:height, :width], own)
            assert image.sum() == own.sum()
            np.testing.assert_array_equal(batch.scales[row], alone[image_id].scales[0])
    assert num_mixed


def test_images_that_have_their_size_already(make_image_set, rng):
    """Alone in a set they are moved as bytes; the network sees the same."""
    sizes = [(64, 48), (48, 64), (64, 64), (64, 30), (30, 64), (32, 32)]
    mixed = make_image_set(sizes)
    for path, size in zip(mixed.paths, sizes, strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    fitting = select_images(mixed, np.arange(6) < 5)
    images = []
    for image_set in (fitting, mixed):
        dataset = build_evaluation_dataset(image_set, batch_size=4, **SIDES)
        assert dataset.element_spec.images.dtype == tf.float32
        batches = collect(dataset)
        ids = np.concatenate([batch.image_ids for batch in batches])
        order = [ids.tolist().index(image_id) for image_id in range(100, 105)]
        images.append(np.concatenate([batch.images for batch in batches])[order])
    np.testing.assert_array_equal(*images)


def test_fixed_fraction_of_strong_images(make_image_set):
    image_set = make_image_set([(32, 32)] * 9, [(0, (1.0, 1.0, 9.0, 9.0), 0)])
    mixed = apply_split(image_set, Split(0, 10, (100,)))
    for batch in collect(train(mixed, batch_size=4, strong_fraction=0.25)):
        assert batch.targets.has_boxes.sum() == 1
    with pytest.raises(ConfigError, match="strong_fraction"):
        train(mixed, batch_size=2, strong_fraction=0.1)


def test_class_aware_order(make_image_set):
    """One image of class 0 with a box, one of class 1 with a tag, twelve of class 2."""
    objects = [(row, (1.0, 1.0, 9.0, 9.0), min(row, 2)) for row in range(14)]
    image_set = make_image_set([(32, 32)] * 14, objects)
    mixed = apply_split(image_set, Split(0, 10, (100,)))
    batches = collect(train(mixed, batch_size=3, class_aware=True, epochs=12))
    for batch in batches:
        labels = batch.targets.image_labels == PRESENT
        np.testing.assert_array_equal(labels.sum(axis=0), [1, 1, 1])
    assert len({image_id for batch in batches for image_id in batch.image_ids}) == 14


def test_class_aware_order_with_a_fixed_fraction(make_image_set):
    """Two strong images of each class among many weak ones of class 2."""
    objects = [(row, (1.0, 1.0, 9.0, 9.0), row % 3) for row in range(6)]
    objects += [(row, (1.0, 1.0, 9.0, 9.0), 2) for row in range(6, 16)]
    objects += [(16, (1.0, 1.0, 9.0, 9.0), 0), (17, (1.0, 1.0, 9.0, 9.0), 1)]
    image_set = make_image_set([(32, 32)] * 18, objects)
    mixed = apply_split(image_set, Split(0, 30, tuple(range(100, 106))))
    for batch in collect(
        train(mixed, batch_size=6, class_aware=True, strong_fraction=0.5, epochs=6)
    ):
        strong = batch.targets.has_boxes
        np.testing.assert_array_equal(strong, [True] * 3 + [False] * 3)
        labels = batch.targets.image_labels == PRESENT
        np.testing.assert_array_equal(labels[strong].sum(axis=0), [1, 1, 1])
        np.testing.assert_array_equal(labels[~strong].sum(axis=0), [1, 1, 1])


def test_a_file_of_another_size_stops_the_run(image_set, write_image):
    write_image("images/2.png", 20, 20)
    with pytest.raises(tf.errors.InvalidArgumentError, match="disagree.*2.png"):
        collect(train(image_set))


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_evaluation_covers_each_image_once(image_set, batch_size):
    batches = collect(
        build_evaluation_dataset(image_set, batch_size=batch_size, **SIDES)
    )
    ids = np.concatenate([batch.image_ids for batch in batches])
    np.testing.assert_array_equal(np.sort(ids[ids >= 0]), np.arange(100, 107))
    for batch in batches:
        assert len(batch.image_ids) == batch_size
        filler = batch.image_ids < 0
        canvas = batch.images.shape[1:3]
        assert (batch.images[filler] == 0).all()
        assert (batch.image_sizes[filler] == canvas).all()
        assert (batch.targets.image_labels[filler] == UNKNOWN).all()
        assert not batch.targets.has_boxes[filler].any()
        assert (batch.targets.classes[filler] == -1).all()


def test_evaluation_targets_leave_crowds_out(image_set):
    """Image 3 is resized from 30 x 40 to 48 x 64; its second object is a crowd."""
    batches = collect(build_evaluation_dataset(image_set, batch_size=1, **SIDES))
    (targets,) = [b.targets for b in batches if b.image_ids[0] == 103]
    np.testing.assert_array_equal(targets.classes, [[2]])
    np.testing.assert_allclose(targets.boxes, [[[4.8, 9.6, 24, 48]]], rtol=1e-6)


def test_a_trace_for_the_spec_serves_all_batches(image_set):
    """Shapes vary within the element spec, so a step need be traced only once."""
    dataset = train(image_set)
    traces = []

    @tf.function(input_signature=[dataset.element_spec])
    def step(batch):
        traces.append(batch.images.shape)
        return tf.reduce_sum(batch.images)

    assert all(step(batch) > 0 for batch in dataset)
    assert len(traces) == 1
