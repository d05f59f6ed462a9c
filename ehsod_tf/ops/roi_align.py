"""RoIAlign over a feature pyramid."""

import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_count
from ehsod_tf.ops import _library

MAX_OUTPUT_SIZE = 64
MAX_SAMPLING_RATIO = 16
MAX_LEVEL = 16
FEATURE_DTYPES = (tf.float32, tf.bfloat16, tf.float16)


def multilevel_roi_align(
    features, boxes, *, output_size=7, sampling_ratio=2, backend="auto"
):
    """Pools each box from the pyramid level that suits its size.

    A box of area a goes to level floor(4 + log2(sqrt(a) / 224)), clipped to the levels
    given (Lin et al., Feature Pyramid Networks, Eq. 1). The box is divided into S x S
    bins and each bin into r x r cells; a bin's value is the mean of the r * r values
    that bilinear interpolation gives at the cell centres (He et al., Mask R-CNN,
    Sec. 3). The pixel model is aligned: the centre of the map's first cell lies at
    half a stride, (0.5, 0.5) * 2**level. A sample up to one cell outside the outermost
    cell centres takes the nearest value on the map; one farther out contributes 0.

    Coordinates are clipped to +-2**24. A box with a coordinate that is not finite
    gives zeros; an inverted box is sampled backwards and has area 0. Boxes get no
    gradient.

    Args:
        features: {level: [B, H_l, W_l, C]}, consecutive levels of stride 2**level,
            float32, bfloat16 or float16, all of one type; H_l and W_l at least 1.
        boxes: [B, N, 4] float32 in pixels of the network input.
        output_size: S, from 1 to 64.
        sampling_ratio: r, from 1 to 16.
        backend: "auto", "native" or "stock"; see `ehsod_tf.ops`.

    Returns:
        [B, N, S, S, C] of the features' type, accumulated in float32.

    Raises:
        ConfigError: a setting is not as above.
        ValueError: a tensor's shape or type is not as above.
        NativeOpsUnavailableError: `backend` is "native" and there are no native ops.
    """
    levels = _check_levels(features)
    require_count("output_size", output_size, most=MAX_OUTPUT_SIZE)
    require_count("sampling_ratio", sampling_ratio, most=MAX_SAMPLING_RATIO)
    features = {level: tf.convert_to_tensor(features[level]) for level in levels}
    boxes = tf.stop_gradient(tf.convert_to_tensor(boxes))
    _check_tensors(features, boxes)
    library = _library.choose_library(backend)
    if library is None:
        return _library.choose_stock_ops(backend).multilevel_roi_align(
            features, boxes, output_size, sampling_ratio
        )
    return library.ehsod_multilevel_roi_align(
        features=[features[level] for level in levels],
        boxes=boxes,
        min_level=levels[0],
        output_size=output_size,
        sampling_ratio=sampling_ratio,
    )


def _check_levels(features):
    levels = sorted(features)
    if not levels or levels != list(range(levels[0], levels[-1] + 1)):
        raise ConfigError(f"features: levels {levels} must be consecutive integers.")
    if levels[0] < 0 or levels[-1] > MAX_LEVEL:
        raise ConfigError(f"features: levels {levels} must lie in 0..{MAX_LEVEL}.")
    return levels


def _check_tensors(features, boxes):
    dtypes = {tensor.dtype for tensor in features.values()}
    if len(dtypes) > 1 or not dtypes <= set(FEATURE_DTYPES):
        names = ", ".join(sorted(dtype.name for dtype in dtypes))
        raise ValueError(
            f"features: of type {names}; all must be float32, bfloat16 or float16."
        )
    for level, tensor in features.items():
        if not tensor.shape.is_compatible_with([None] * 4):
            raise ValueError(
                f"features[{level}]: shape {tensor.shape}, must be [B, H, W, C]."
            )
    if boxes.dtype != tf.float32:
        raise ValueError(f"boxes: of type {boxes.dtype.name}, must be float32.")
    if not boxes.shape.is_compatible_with([None, None, 4]):
        raise ValueError(f"boxes: shape {boxes.shape}, must be [B, N, 4].")


@tf.RegisterGradient("EhsodMultilevelRoiAlign")
def _differentiate(op, pooled_gradient):
    num_levels = op.get_attr("num_levels")
    gradients = _library.load_library().ehsod_multilevel_roi_align_grad(
        feature_shapes=[tf.shape(feature_map) for feature_map in op.inputs[:-1]],
        boxes=op.inputs[num_levels],
        pooled_gradient=pooled_gradient,
        min_level=op.get_attr("min_level"),
        output_size=op.get_attr("output_size"),
        sampling_ratio=op.get_attr("sampling_ratio"),
    )
    return [*gradients, None]
