"""Feature pyramid network (Lin et al. 2017): C2 - C5 in, P2 - P6 out."""

import tensorflow as tf
from keras import layers


class FeaturePyramid(layers.Layer):
    """Top-down pathway with lateral connections; every level gets equal channels.

    Args:
        channels: channels of each output level.
    """

    def __init__(self, channels: int = 256, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.laterals: dict[str, layers.Layer] = {}
        self.outputs: dict[str, layers.Layer] = {}

    def build(self, input_shape):
        for level, shape in sorted(input_shape.items()):
            lateral = layers.Conv2D(
                self.channels, 1, name=f"lateral_{level}", dtype=self.dtype_policy
            )
            output = layers.Conv2D(
                self.channels,
                3,
                padding="same",
                name=f"output_{level}",
                dtype=self.dtype_policy,
            )
            lateral.build(shape)
            output.build((*shape[:3], self.channels))
            self.laterals[str(level)] = lateral
            self.outputs[str(level)] = output
        self.built = True

    def call(self, features):
        """{2..5: [B, H_l, W_l, C_l]} -> {2..6: [B, H_l, W_l, channels]}.

        P6 is every second cell of P5 (a max-pool of window 1 and stride 2). It serves
        the RPN's largest anchors only.
        """
        merged = None
        pyramid = {}
        for level in sorted(features, reverse=True):
            lateral = self.laterals[str(level)](features[level])
            merged = lateral if merged is None else lateral + _upsample(merged, lateral)
            pyramid[level] = self.outputs[str(level)](merged)
        coarsest = max(pyramid)
        pyramid[coarsest + 1] = pyramid[coarsest][:, ::2, ::2, :]
        return pyramid


def _upsample(coarse, fine):
    """Repeats each cell 2 x 2, cut to the shape of the finer level."""
    height, width = tf.shape(coarse)[1], tf.shape(coarse)[2]
    # `tf.repeat` would do, but its gradient transposes int32, at which oneDNN grumbles.
    doubled = tf.stack([coarse, coarse], axis=3)
    doubled = tf.reshape(doubled, [-1, height, 2 * width, coarse.shape[-1]])
    doubled = tf.stack([doubled, doubled], axis=2)
    doubled = tf.reshape(doubled, [-1, 2 * height, 2 * width, coarse.shape[-1]])
    shape = tf.shape(fine)
    return doubled[:, : shape[1], : shape[2], :]
