"""Raw outputs of the network, made by hand, and targets to go with them."""

import numpy as np
import tensorflow as tf

from ehsod_tf.modeling.boxes.anchors import generate_anchors
from ehsod_tf.modeling.cam_rpn import CamRpn, CamRpnOutputs
from ehsod_tf.modeling.cascade import StageOutputs
from ehsod_tf.modeling.hybrid_head import HeadOutputs
from ehsod_tf.modeling.roi_sampling import Rois
from ehsod_tf.modeling.rpn_targets import SampledAnchors
from ehsod_tf.structures import Targets, combine_states

NUM_CLASSES = 3
CANVAS = (96, 96)

# Strong with three boxes, strong without any, weak, strong with a box smaller than a
# cell and with a class that is known only to be unknown, weak.
IMAGE_SIZES = np.array([[96, 96], [80, 70], [64, 96], [96, 90], [50, 60]], np.int32)
BOXES = [
    [[16, 14, 46, 48], [30, 30, 94, 88], [20, 10, 40, 80]],
    [],
    [],
    [[60.5, 20.5, 63, 24], [10, 0, 42, 34]],
    [],
]
CLASSES = [[0, 1, 0], [], [], [2, 1], []]
IMAGE_LABELS = np.array(
    [[1, 1, 0], [0, 0, 0], [1, 0, -1], [-1, 1, 1], [0, 1, 1]], np.int32
)
HAS_BOXES = np.array([True, True, False, True, False])


def make_targets(images=range(5), max_boxes=4) -> Targets:
    """Targets of the chosen images, with `max_boxes` rows each."""
    images = list(images)
    boxes = np.zeros([len(images), max_boxes, 4], np.float32)
    classes = np.full([len(images), max_boxes], -1, np.int32)
    for row, image in enumerate(images):
        for m, box in enumerate(BOXES[image]):
            boxes[row, m], classes[row, m] = box, CLASSES[image][m]
    return Targets(
        tf.constant(boxes),
        tf.constant(classes),
        tf.constant(combine_states(IMAGE_LABELS, HAS_BOXES)[images], tf.int32),
    )


def leak_boxes(targets) -> Targets:
    """The same targets with boxes left in the rows of weak images."""
    weak = ~targets.has_boxes[:, tf.newaxis]
    leaked = tf.constant([10.0, 12.0, 46.0, 50.0])
    return targets._replace(
        boxes=tf.where(weak[..., tf.newaxis], leaked, targets.boxes),
        classes=tf.where(weak, 1, targets.classes),
    )


def make_cam_rpn(num_images=5, canvas=CANVAS, seed=0, scale=2.0) -> CamRpnOutputs:
    """Random logits and deltas on the pyramid of a canvas."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        values = scale * rng.standard_normal([num_images, *shape])
        return tf.constant(values, tf.float32)

    shapes = {level: [-(-side // 2**level) for side in canvas] for level in range(2, 7)}
    pyramid = {level: tf.zeros([1, *shape, 1]) for level, shape in shapes.items()}
    cells = {level: shape[0] * shape[1] for level, shape in shapes.items()}
    return CamRpnOutputs(
        cam_logits={v: draw(*shapes[v], NUM_CLASSES) for v in range(2, 6)},
        objectness_logits=draw(3 * sum(cells.values())),
        deltas=0.2 * draw(3 * sum(cells.values()), 4),
        anchors=generate_anchors(pyramid),
    )


def split_levels(cam_rpn: CamRpnOutputs, values, axis=1) -> dict:
    """What belongs to anchors, {level: the values of its own}."""
    counts = [int(count) for count in cam_rpn.anchors.counts.values()]
    parts = tf.split(values, counts, axis=axis)
    return dict(zip(cam_rpn.anchors.counts, parts, strict=True))


def sample_anchors(cam_rpn: CamRpnOutputs, targets, **settings) -> SampledAnchors:
    """The anchors of the five images that a step trains on, by `CamRpn`'s defaults."""
    layer = CamRpn(NUM_CLASSES, channels=1, **settings)
    seeds = tf.range(len(IMAGE_SIZES), dtype=tf.int64)
    return layer.sample_anchors(cam_rpn, targets, IMAGE_SIZES, seeds)


def make_stage(stds, seed=0) -> StageOutputs:
    """Random head outputs for six regions of each of the five images."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, [5, 6, 2])
    boxes = np.concatenate([low, low + rng.uniform(5, 45, [5, 6, 2])], axis=-1)
    valid = np.array([[1] * 6, [1] * 5 + [0], [1, 1, 1, 1, 0, 0], [1] * 6, [0] * 6])
    classes = np.array(
        [
            [0, 1, 0, 3, 3, 3],
            [3, 3, 3, 3, 3, -1],
            [-1] * 6,
            [2, 1, 1, 1, 3, 3],
            [-1] * 6,
        ]
    )
    matched_boxes = boxes + rng.uniform(-2, 2, boxes.shape)
    is_positive = (classes >= 0) & (classes < NUM_CLASSES)
    matched_boxes[~is_positive] = 0

    def draw(size):
        return tf.constant(2 * rng.standard_normal([5, 6, size]), tf.float32)

    return StageOutputs(
        rois=Rois(
            boxes=tf.constant(boxes * valid[..., None], tf.float32),
            valid=tf.constant(valid, tf.bool),
            classes=tf.constant(classes, tf.int32),
            matched_boxes=tf.constant(matched_boxes, tf.float32),
            is_ground_truth=tf.zeros([5, 6], tf.bool),
            explained=tf.constant([[i % 2 == 0 for i in range(6)]] * 5),
        ),
        head=HeadOutputs(draw(NUM_CLASSES + 1), draw(4), draw(NUM_CLASSES)),
        stds=stds,
    )
