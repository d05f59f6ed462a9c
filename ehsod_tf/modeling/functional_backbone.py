"""Any functional Keras network as a backbone: feature maps C2 - C5 (Sec. 3).

A backbone here is a layer called with RGB images in [0, 255]; it returns
``{2: C2, 3: C3, 4: C4, 5: C5}`` of strides 4, 8, 16 and 32. It owns the preprocessing
that its weights were trained with, so no one else needs to know of it.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import layers

from ehsod_tf.errors import ConfigError, require_choice
from ehsod_tf.modeling.batch_norm_folding import run_folded

LEVELS = (2, 3, 4, 5)


@keras.saving.register_keras_serializable("ehsod_tf")
class FunctionalBackbone(layers.Layer):
    """Any functional Keras model with four feature maps.

    Args:
        network: functional `keras.Model` with one [B, H, W, 3] input.
        features: C2, C3, C4 and C5: names of layers of `network`, or its tensors.
        preprocessing: what the network expects: "caffe" (BGR minus the ImageNet mean),
            "torch" (RGB scaled to [0, 1], ImageNet mean and deviation), "tf" (RGB
            scaled to [-1, 1]), "lite" ((RGB - 127) / 128), "none", or a function that
            makes it of [B, H, W, 3] float32 RGB in [0, 255].
        frozen_level: layers up to and including this level's feature map are not
            trained, nor those beside them that lead to a lower level's map only; 0
            trains everything, 5 freezes the whole network. 2 freezes the stem and the
            first stage, as detectors of the paper's time do.

    Batch normalisation always runs in inference mode: detection batches are too small
    for batch statistics. Its scale and shift are trained above `frozen_level`. After a
    convolution it is computed as part of that, see `batch_norm_folding`.
    """

    def __init__(
        self,
        network: keras.Model,
        features: Sequence,
        preprocessing: str | Callable = "caffe",
        frozen_level: int = 2,
        **kwargs,
    ):
        # The preprocessing below is float32; only its result is cast.
        super().__init__(autocast=False, **kwargs)
        if len(features) != len(LEVELS):
            raise ConfigError(
                f"backbone: {network.name} needs four feature maps (C2 to C5), "
                f"got {len(features)}: {', '.join(map(str, features))}"
            )
        if not callable(preprocessing):
            require_choice("backbone: preprocessing", preprocessing, _PREPROCESSING)
        if frozen_level not in (0, *LEVELS):
            raise ConfigError(
                f"backbone: frozen_level is 0 or a level from 2 to 5, "
                f"got {frozen_level!r}"
            )
        self.preprocessing = preprocessing
        self.preprocess = _PREPROCESSING.get(preprocessing, preprocessing)
        self.frozen_level = frozen_level
        _check_input(network)
        outputs = [_find_feature(network, feature) for feature in features]
        self.network = keras.Model(network.inputs, outputs, name=network.name)
        _check_strides(self.network)
        if frozen_level:
            _freeze_up_to(frozen_level, outputs, self.network)

    def get_config(self):
        return super().get_config() | {
            "network": keras.saving.serialize_keras_object(self.network),
            "preprocessing": keras.saving.serialize_keras_object(self.preprocessing),
            "frozen_level": self.frozen_level,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        preprocessing = keras.saving.deserialize_keras_object(
            config.pop("preprocessing")
        )
        return cls(network, network.outputs, preprocessing, **config)

    def build(self, input_shape):
        self.built = True

    def compute_output_shape(self, input_shape):
        shapes = self.network.compute_output_shape(input_shape)
        return dict(zip(LEVELS, shapes, strict=True))

    def call(self, images):
        """[B, H, W, 3] RGB in [0, 255] -> {level: [B, H / 2**l, W / 2**l, C_l]}."""
        images = self.preprocess(tf.cast(images, tf.float32))
        images = tf.cast(images, self.compute_dtype)
        features = run_folded(self.network, images)
        return dict(zip(LEVELS, features, strict=True))


def _check_input(network):
    height, width = network.input_shape[1:3]
    if height is not None or width is not None:
        raise ConfigError(
            f"backbone: {network.name} takes images of {height} x {width} only; "
            "save it with an input of shape (None, None, 3)"
        )


def _find_feature(network, feature):
    if isinstance(feature, keras.KerasTensor):
        return feature
    names = [layer.name for layer in network.layers]
    if feature not in names:
        raise ConfigError(
            f"backbone: {network.name} has no layer {feature!r}; its layers are "
            f"{', '.join(names)}"
        )
    return network.get_layer(feature).output


def _check_strides(network):
    shapes = network.compute_output_shape((None, 64, 64, 3))
    for level, shape in zip(LEVELS, shapes, strict=True):
        if shape[1] != 64 // 2**level:
            raise ConfigError(
                f"backbone: what stands for C{level} of {network.name} needs stride "
                f"{2**level}, but maps 64 pixels to {shape[1]} cells"
            )


def _freeze_up_to(frozen_level, features, network):
    """Freezes what the feature maps up to a level are computed from.

    A layer that only a lower level's map needs, such as a lateral branch that ends in
    it, is as low as that map. Nested layers are frozen with the model that holds them.
    """
    frozen = features[: LEVELS.index(frozen_level) + 1]
    for layer in keras.Model(network.inputs, frozen).layers:
        layer.trainable = False


def _standardize(images):
    """RGB in [0, 255] to ImageNet's zero mean and unit deviation per channel."""
    mean = tf.constant([123.675, 116.28, 103.53])
    deviation = tf.constant([58.395, 57.12, 57.375])
    return (images - mean) / deviation


def _to_caffe(images):
    """RGB to BGR minus the ImageNet mean, as the original ResNet weights expect."""
    return images[..., ::-1] - tf.constant([103.939, 116.779, 123.68])


_PREPROCESSING = {
    "caffe": _to_caffe,
    "torch": _standardize,
    "tf": lambda images: images / 127.5 - 1.0,
    "lite": lambda images: (images - 127.0) / 128.0,
    "none": lambda images: images,
}
