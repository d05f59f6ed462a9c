"""RoIAlign and NMS as ONNX's own operations, which TensorFlow does not have.

TensorFlow traces a stand-in, a Python function that is never called, and tf2onnx puts
the operation in its place. The batch may have any size.
"""

import numpy as np
import tensorflow as tf

from ehsod_tf.ops.portable import integrate_over_boxes as integrate_over_boxes
from ehsod_tf.ops.reference import assign_levels

# The type of the stand-ins' nodes in a TensorFlow graph.
_STAND_IN = "PyFunc"


def multilevel_roi_align(features, boxes, output_size, sampling_ratio):
    """See `ehsod_tf.ops.multilevel_roi_align`, whose pixel model is "half_pixel"."""
    levels = sorted(features)
    batch, count = tf.unstack(tf.shape(boxes)[:2])
    boxes = tf.reshape(boxes, [-1, 4])
    index = assign_levels(boxes, levels)
    rows, crops = [], []
    for number, level in enumerate(levels):
        rows_here = tf.cast(tf.where(index == number)[:, 0], tf.int32)
        rows.append(rows_here)
        crops.append(
            _stand_in(
                "roi_align",
                features[level],
                tf.gather(tf.gather(boxes, rows_here), [1, 0, 3, 2], axis=1),
                tf.cast(rows_here // count, tf.int64),
                output_size,
                sampling_ratio,
                2.0**-level,
                dtype=tf.float32,
            )
        )
    # Where each box's row stands in the rows that were pooled level by level.
    rows = tf.concat(rows, axis=0)
    places = tf.tensor_scatter_nd_update(
        index, rows[:, tf.newaxis], tf.range(batch * count)
    )
    pooled = tf.gather(tf.concat(crops, axis=0), places)
    channels = features[levels[0]].shape[-1]
    return tf.reshape(pooled, [batch, count, output_size, output_size, channels])


def non_max_suppression(
    boxes,
    scores,
    classes,
    iou_threshold,
    max_outputs,
    score_threshold,
    num_classes=None,
):
    """See `ehsod_tf.ops.non_max_suppression`; one operation for images and classes."""
    by_class = scores[:, tf.newaxis]
    if classes is not None:
        is_of_class = classes[:, tf.newaxis] == tf.range(num_classes)[:, tf.newaxis]
        by_class = tf.where(is_of_class, by_class, -float("inf"))
    kept = _stand_in(
        "non_max_suppression",
        boxes,
        by_class,
        max_outputs,
        iou_threshold,
        score_threshold,
        dtype=tf.int64,
    )
    kept = tf.gather(tf.reshape(kept, [-1, 3]), [0, 2], axis=1)  # image, row
    marks = tf.scatter_nd(
        kept,
        tf.ones_like(kept[:, 0], tf.float32),
        tf.shape(scores, tf.int64),
    )
    scores = tf.where(marks > 0, scores, -float("inf"))
    # Padded first, there are always enough rows to take the best of.
    scores = tf.pad(scores, [[0, 0], [0, max_outputs]], constant_values=-float("inf"))
    best, rows = tf.math.top_k(scores, max_outputs)
    is_valid = best > -float("inf")
    num_valid = tf.reduce_sum(tf.cast(is_valid, tf.int32), axis=1)
    return tf.where(is_valid, rows, -1), num_valid


def _stand_in(name, *inputs, dtype):
    def refuse(*_):
        raise NotImplementedError(f"{name} runs in ONNX only")

    return tf.numpy_function(refuse, inputs, dtype, name=f"onnx_{name}")


def _convert(ctx, node, name, args):
    """Puts ONNX's operation in the place of a stand-in; called by tf2onnx."""
    kind = next(kind for kind in _MAKERS if f"onnx_{kind}" in name)
    outputs = node.output
    ctx.remove_node(name)
    _MAKERS[kind](ctx, node, outputs)


def _make_roi_align(ctx, node, outputs):
    features, boxes, images, *settings = node.input
    size, ratio, scale = (_read_constant(ctx, name) for name in settings)
    # tf2onnx's optimizer cancels this against the transposition of the convolution.
    features = ctx.make_node("Transpose", [features], attr={"perm": [0, 3, 1, 2]})
    pooled = ctx.make_node(
        "RoiAlign",
        [features.output[0], boxes, images],
        attr={
            "mode": "avg",
            "coordinate_transformation_mode": "half_pixel",
            "output_height": int(size),
            "output_width": int(size),
            "sampling_ratio": int(ratio),
            "spatial_scale": float(scale),
        },
    )
    ctx.make_node(
        "Transpose",
        pooled.output,
        attr={"perm": [0, 2, 3, 1]},
        outputs=outputs,
        dtypes=[1],
        shapes=[[-1, int(size), int(size), -1]],
    )


def _make_non_max_suppression(ctx, node, outputs):
    boxes, scores, *settings = node.input
    max_outputs, iou, threshold = (_read_constant(ctx, name) for name in settings)
    constants = [
        ctx.make_const(f"{outputs[0]}_{i}", np.array([value], dtype)).output[0]
        for i, (value, dtype) in enumerate(
            [(max_outputs, np.int64), (iou, np.float32), (threshold, np.float32)]
        )
    ]
    ctx.make_node(
        "NonMaxSuppression",
        [boxes, scores, *constants],
        outputs=outputs,
        dtypes=[7],
        shapes=[[-1, 3]],
    )


def _read_constant(ctx, name):
    return ctx.get_node_by_output(name).get_tensor_value()


_MAKERS = {
    "roi_align": _make_roi_align,
    "non_max_suppression": _make_non_max_suppression,
}
HANDLERS = {_STAND_IN: (_convert, [])}
