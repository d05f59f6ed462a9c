"""Feature pyramid network (Lin et al. 2017): C2 - C5 in, P2 - P6 out."""

import tensorflow as tf
from keras import layers

from ehsod_tf.modeling.biased_layers import Conv2D


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

    def get_config(self):
        return super().get_config() | {"channels": self.channels}

    def build(self, input_shape):
        for level, shape in sorted(input_shape.items()):
            lateral = Conv2D(
                self.channels, 1, name=f"lateral_{level}", dtype=self.dtype_policy
            )
            output = Conv2D(
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
            merged = (
                lateral
                if merged is None
                else tf.add_n([lateral, _upsample(merged, tf.shape(lateral)[1:3])])
            )
            pyramid[level] = self.outputs[str(level)](merged)
        coarsest = max(pyramid)
        pyramid[coarsest + 1] = pyramid[coarsest][:, ::2, ::2, :]
        return pyramid


def _upsample(maps, size):
    """Repeats cells 2 x 2: [B, H, W, C] -> [B, *size, C]; 2 H or 2 H - 1 rows."""

    @tf.custom_gradient
    def upsample(maps):
        # TensorFlow's own gradient of this adds in no fixed order on a GPU.
        def differentiate(upstream):
            means = tf.nn.avg_pool2d(upstream, 2, 2, "SAME")
            return means * _count_repetitions(tf.shape(maps)[1:3], size, means.dtype)

        return tf.raw_ops.ResizeNearestNeighbor(images=maps, size=size), differentiate

    return upsample(maps)


def _count_repetitions(coarse, fine, dtype):
    """[H, W, 1]: how many fine cells repeat each coarse one, 4 but at odd borders."""
    rows, columns = (
        tf.minimum(2, fine[axis] - 2 * tf.range(coarse[axis])) for axis in range(2)
    )
    return tf.cast(rows[:, tf.newaxis] * columns, dtype)[..., tf.newaxis]
