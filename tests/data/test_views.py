"""Scale jitter with crop: boxes and labels follow the pixels."""

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import (
    Augmentation,
    Split,
    apply_split,
    build_training_dataset,
)
from ehsod_tf.data.augmentation.views import draw_views
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import ABSENT, BOXED, PRESENT, UNKNOWN

PLAIN = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
ZOOM = Augmentation(min_scale=0.5, max_scale=3.0, **PLAIN)


def train(image_set, augmentation=ZOOM, epochs=60, **changes):
    dataset = build_training_dataset(
        image_set,
        batch_size=1,
        resizing=Resizing(64, 96),
        seed=0,
        epochs=epochs,
        augmentation=augmentation,
        **changes,
    )
    return list(dataset.as_numpy_iterator())


def draw_rectangle(path, size, box):
    """White on black, where the class has its pixels."""
    image = np.zeros((*size, 3), np.uint8)
    ymin, xmin, ymax, xmax = map(int, box)
    image[ymin:ymax, xmin:xmax] = 255
    Image.fromarray(image).save(path)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (64, 64), (200, 310)])
def test_boxes_follow_the_pixels(make_image_set, size):
    """White fades into black across the box's edge: they agree to half a pixel."""
    shares = np.array([0.3, 0.2, 0.8, 0.7]) * np.tile(size, 2)
    box = tuple(np.round(shares))
    image_set = make_image_set([size], [(0, box, 1)])
    draw_rectangle(image_set.paths[0], size, box)
    sides, seen = set(), 0
    for batch in train(image_set):
        if batch.targets.classes[0, 0] < 0:
            continue
        seen += 1
        bright = batch.images[0, ..., 0] > 127.5
        rows, columns = np.nonzero(bright)
        found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        target = batch.targets.boxes[0, 0]
        assert abs(target - found).max() <= 0.5 + 1e-3
        height, width = batch.image_sizes[0]
        assert (target[2:] <= [height, width]).all() and (target >= 0).all()
        assert batch.images[0, height:].sum() == batch.images[0, :, width:].sum() == 0
        sides.add((height, width))
    assert seen > 40 and len(sides) > 15


def test_several_boxes_keep_their_order_and_classes(make_image_set, rng):
    """Each box, moved by hand, agrees; the crop that moved it is read from another."""
    size = (120, 160)
    corners = np.sort(rng.integers(0, 120, [5, 2, 2]), axis=1).reshape(5, 4)
    corners[:, 2:] += 8
    boxes = [tuple(map(float, np.minimum(box, [120, 160] * 2))) for box in corners]
    image_set = make_image_set([size], [(0, box, n % 3) for n, box in enumerate(boxes)])
    cropped = 0
    for batch in train(image_set, flip=False):
        scale = np.tile(batch.scales[0], 2)
        limit = np.tile(batch.image_sizes[0], 2)
        kept = batch.targets.classes[0] >= 0
        expected = np.array(boxes) * scale
        inner = kept & (batch.targets.boxes[0] > 0).all(axis=1)
        inner &= (batch.targets.boxes[0] < limit).all(axis=1)
        if not inner.any():
            continue
        shift = (expected - batch.targets.boxes[0])[inner][0]
        np.testing.assert_allclose(shift[:2], shift[2:], atol=1e-3)
        expected = np.clip(expected - shift, 0, limit)
        np.testing.assert_allclose(
            batch.targets.boxes[0][kept], expected[kept], atol=1e-3
        )
        assert (batch.targets.boxes[0][~kept] == 0).all()
        whole = np.prod(np.diff(np.reshape(boxes, [-1, 2, 2]), axis=1), axis=-1)[:, 0]
        left = np.prod(np.diff(expected.reshape(-1, 2, 2), axis=1), axis=-1)[:, 0]
        shares = left / (whole * scale[0] * scale[1])
        np.testing.assert_array_equal(kept, shares >= ZOOM.min_visible - 1e-4)
        np.testing.assert_array_equal(
            batch.targets.classes[0], np.where(kept, [0, 1, 2, 0, 1], -1)
        )
        cropped += not kept.all()
    assert cropped > 5


def test_what_is_left_of_a_dropped_box_is_ignored_with_the_crowds(make_image_set):
    """Beside the region of a crowd, which fills the image."""
    objects = [
        (0, (10.0, 20.0, 50.0, 70.0), 0),
        (0, (0.0, 0.0, 64.0, 80.0), 0),
        (0, (0.0, 0.0, 64.0, 80.0), 1),
    ]
    image_set = make_image_set([(64, 80)], objects, ignored={2})
    num_dropped = 0
    for batch in train(image_set, crowds="ignored", flip=False):
        targets = batch.targets
        is_dropped = targets.classes[0] < 0
        crowd, *remains = targets.ignored_boxes[0]
        np.testing.assert_array_equal(crowd, [0, 0, *batch.image_sizes[0]])
        assert targets.ignored_classes[0, 0] == 1
        for n, (region, area) in enumerate(
            zip(remains, (40 * 50, 64 * 80), strict=True)
        ):
            left = (region[2:] - region[:2]).prod()
            whole = area * batch.scales[0].prod()
            assert left <= ZOOM.min_visible * whole * is_dropped[n]
            assert targets.ignored_classes[0, 1 + n] == (0 if left else -1)
            num_dropped += left > 0
    assert num_dropped > 2
    for batch in train(image_set, epochs=3):
        assert batch.targets.ignored_boxes is None


def test_a_class_that_a_crop_took_away_becomes_unknown(make_image_set):
    """Class 0 in a corner, class 1 everywhere, class 2 nowhere."""
    objects = [(0, (0.0, 0.0, 12.0, 12.0), 0), (0, (0.0, 0.0, 64.0, 64.0), 1)]
    image_set = make_image_set([(64, 64)], objects)
    # At a scale of 2.5 a view still shows 24 % of the image, above `min_visible`.
    zoom = Augmentation(min_scale=0.5, max_scale=2.5, **PLAIN)
    states = set()
    for batch in train(image_set, zoom):
        labels = batch.targets.image_labels[0].tolist()
        is_kept = 0 in batch.targets.classes[0]
        assert labels == [PRESENT if is_kept else UNKNOWN, PRESENT, ABSENT]
        states.add(is_kept)
    assert states == {True, False}


def test_a_class_without_any_box(make_image_set):
    """Shown by a crowd or a label: present in whole images, unknown in cropped ones."""
    image_set = make_image_set([(64, 64)])
    image_set.class_states[0, 2] = BOXED
    states = set()
    for batch in train(image_set):
        # An image that fills its canvas is cropped when it is enlarged.
        is_cropped = bool(batch.scales[0].max() > 1)
        states.add((is_cropped, int(batch.targets.image_labels[0, 2])))
    assert states == {(True, UNKNOWN), (False, PRESENT)}


def test_weak_images_keep_labels_and_most_of_their_area(make_image_set):
    objects = [(row, (1.0, 1.0, 9.0, 9.0), row) for row in range(2)]
    image_set = make_image_set([(60, 80)] * 2, objects)
    mixed = apply_split(image_set, Split(0, 50, (100,)))
    areas = {True: [], False: []}
    for batch in train(mixed):
        extents = batch.image_sizes[0] / batch.scales[0]
        is_strong = bool(batch.targets.has_boxes[0])
        areas[is_strong].append(np.prod(extents) / (60 * 80))
        if not is_strong:
            expected = mixed.image_labels[batch.image_ids[0] - 100]
            np.testing.assert_array_equal(batch.targets.image_labels[0], expected)
            assert (batch.targets.classes == -1).all()
    # To a row and a column of pixels.
    assert 0.5 - 1 / 40 <= min(areas[False]) < 0.75
    assert min(areas[True]) < 0.3


def test_without_jitter_a_view_is_the_whole_image(make_image_set, rng):
    sizes = [(40, 60), (64, 64), (30, 90)]
    image_set = make_image_set(sizes, [(0, (2.0, 3.0, 30.0, 50.0), 1)])
    for path, size in zip(image_set.paths, sizes, strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    still = Augmentation(min_scale=1.0, max_scale=1.0, **PLAIN)
    batches = zip(
        train(image_set, still, epochs=4),
        train(image_set, None, epochs=4),
        strict=True,
    )
    for view, plain in batches:
        boxes = plain.targets.boxes
        np.testing.assert_allclose(view.targets.boxes, boxes, rtol=1e-6, atol=1e-4)
        view = view._replace(targets=view.targets._replace(boxes=boxes))
        for a, b in zip(
            view[:4] + view.targets, plain[:4] + plain.targets, strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_scales_are_log_uniform_and_windows_inside(rng):
    count = 20_000
    original = rng.integers(40, 400, [count, 2])
    usual = np.maximum(original * 2 // 3, 1)
    canvases = usual + rng.integers(0, 32, [count, 2])
    views = draw_views(
        Augmentation(min_scale=0.5, max_scale=2.0),
        rng.random([count, 3]),
        original_sizes=original,
        usual_sizes=usual,
        canvases=canvases,
        is_strong=np.ones(count, bool),
    )
    starts, extents = views.windows[:, :2], views.windows[:, 2:]
    assert (starts >= 0).all() and (starts + extents <= original).all()
    assert (views.sizes >= 1).all() and (views.sizes <= canvases).all()
    # Half of the images are smaller than usual. Five standard deviations.
    smaller = (views.sizes < usual).all(axis=1).mean()
    assert abs(smaller - 0.5) < 5 * 0.5 / count**0.5 + 0.01
    # Both axes are scaled alike, to a pixel of the window.
    scales = views.sizes / extents
    ratios = scales[:, 0] / scales[:, 1]
    assert np.quantile(abs(np.log(ratios)), 0.99) < 0.05


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"min_scale": 0.0}, "0 < min_scale <= max_scale, got 0.0 and 2.0"),
        ({"min_scale": 3.0}, "got 3.0 and 2.0"),
        ({"min_visible": 0.0}, "min_visible is above 0, up to 1, got 0.0"),
        ({"weak_min_area": 1.5}, "weak_min_area"),
        ({"contrast": -0.1}, "contrast must be a number from 0 to 1, got -0.1"),
        ({"erase_probability": 2.0}, "erase_probability"),
        ({"hue": 0.6}, "hue is from 0 to 0.5"),
        ({"erase_area": (0.2, 0.1)}, "erase_area needs two bounds"),
        ({"erase_area": (0.2,)}, "erase_area needs two bounds"),
        ({"erase_area": (0.2, 1.1)}, "cannot exceed the whole image"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(ConfigError, match=f"^Augmentation: .*{message}"):
        Augmentation(**changes)
