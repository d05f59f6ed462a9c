"""Whether a backbone's feature maps have the scale that the detector counts on.

The detector's layers are initialised for features of about unit scale. A backbone of
another scale trains badly or not at all, and a wrong preprocessing wastes pretrained
weights; both can be measured on a few photographs before the first step.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ehsod_tf.modeling.functional_backbone import FunctionalBackbone

# A detector trains well with features of a third to three times unit scale.
_RMS_BOUNDS = (0.1, 10.0)
# Variances of a few photographs differ from those of a data set by less.
_VARIANCE_BOUNDS = (1 / 3, 3.0)


def find_scale_faults(backbone: FunctionalBackbone, images: list) -> list[str]:
    """Returns a sentence for each thing that looks wrong, with what to do.

    Args:
        backbone: as it will be trained.
        images: a few of [h, w, 3] float32 RGB in [0, 255], without any padding.
    """
    images = [tf.convert_to_tensor(image)[tf.newaxis] for image in images]
    faults = []
    rms = measure_rms(backbone, images)
    low, high = _RMS_BOUNDS
    if not all(low <= value <= high for value in rms.values()):
        values = ", ".join(f"C{level} {value:.3g}" for level, value in rms.items())
        faults.append(
            f"the backbone's feature maps are far from unit scale (RMS on the first "
            f"images: {values}): check its preprocessing, or end each of the feature "
            "layers in a normalisation"
        )
    ratio = measure_stem_variance(backbone, images)
    low, high = _VARIANCE_BOUNDS
    if ratio is not None and not low <= ratio <= high:
        faults.append(
            "the first batch normalisation of the backbone sees "
            f"{ratio:.3g} times the variance that its statistics expect: the "
            "preprocessing is probably not that of the weights, or they are random"
        )
    return faults


def measure_rms(backbone: FunctionalBackbone, images: list) -> dict[int, float]:
    """Returns {level: root mean square of the feature map} over [1, h, w, 3] images."""
    squares = [
        {
            level: np.mean(np.square(np.asarray(tf.cast(maps, tf.float32))))
            for level, maps in backbone(image).items()
        }
        for image in images
    ]
    return {
        level: float(np.sqrt(np.mean([square[level] for square in squares])))
        for level in squares[0]
    }


def measure_stem_variance(backbone: FunctionalBackbone, images: list) -> float | None:
    """Compares what the first batch normalisation sees with its own statistics.

    Returns:
        The median over the channels of (variance around the stored mean / stored
        variance), or None where the network itself has no batch normalisation.
    """
    norms = [
        layer
        for layer in backbone.network.layers
        if type(layer) is layers.BatchNormalization
    ]
    if not norms:
        return None
    stem = keras.Model(backbone.network.inputs, norms[0].input)
    mean = np.asarray(norms[0].moving_mean, np.float32)
    variance = np.asarray(norms[0].moving_variance, np.float32)
    deviations = []
    for image in images:
        inputs = backbone.preprocess(tf.cast(image, tf.float32))
        cells = tf.cast(stem(tf.cast(inputs, backbone.compute_dtype)), tf.float32)
        deviations.append(np.square(np.asarray(cells) - mean).mean(axis=(0, 1, 2)))
    return float(np.median(np.mean(deviations, axis=0) / (variance + norms[0].epsilon)))
