"""KerasHub and KerasCV backbones, read from preset folders of small random networks.

The tests of a package are skipped where it is not installed
(``pip install 'ehsod_tf[backbones]'``).
"""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from moved_variables import assert_only_unfrozen_variables_move

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import build_hub_backbone, build_keras_cv_backbone

SCALE, OFFSET = [1 / 58.395, 1 / 57.12, 1 / 57.375], [-2.118, -2.036, -1.804]


def _draw_images():
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(0, 255, [1, 64, 64, 3]), tf.float32)


def assert_same_features(backbone, features):
    """`features`: {"P2": maps, ...}, made by the package itself."""
    for level, maps in backbone(_draw_images()).items():
        assert maps.shape[1] == 64 // 2**level
        expected = features[f"P{level}"]
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------- KerasHub


@pytest.fixture
def keras_hub():
    return pytest.importorskip("keras_hub")


def _build_hub_resnet(keras_hub, version_2=False):
    return keras_hub.models.ResNetBackbone(
        [64], [7], [64] * 4, [1] * 4, [1, 2, 2, 2], "basic_block", version_2
    )


def _build_hub_densenet(keras_hub):
    return keras_hub.models.DenseNetBackbone([1] * 4, growth_rate=8)


def _save_hub_preset(folder, keras_hub, network, scale=None, offset=None):
    family = type(network).__name__.removesuffix("Backbone")
    converter = getattr(keras_hub.layers, f"{family}ImageConverter")
    network.save_to_preset(folder)
    # The size is that of the classifier, and none of the detector's business.
    converter((32, 32), scale, offset).save_to_preset(folder)
    return str(folder)


@pytest.mark.parametrize(
    "build, frozen",
    [
        (_build_hub_resnet, ("conv1_", "stack0_")),
        (lambda hub: _build_hub_resnet(hub, version_2=True), ("conv1_", "stack0_")),
        (_build_hub_densenet, ("conv1_", "stack1_")),
    ],
    ids=["resnet", "resnet_v2", "densenet"],
)
def test_hub_preset_is_built_and_stepped(build, frozen, keras_hub, tmp_path):
    network = build(keras_hub)
    preset = _save_hub_preset(tmp_path, keras_hub, network, SCALE, OFFSET)
    backbone = build_hub_backbone(preset)
    pyramid = keras.Model(network.inputs, network.pyramid_outputs)
    features = pyramid(_draw_images() * SCALE + OFFSET, training=False)
    assert_same_features(backbone, features)
    assert_only_unfrozen_variables_move(backbone, frozen)


@pytest.mark.parametrize(
    "scale, offset, expected",
    [
        (None, None, [201, 22, 123]),
        (1 / 255, None, [201 / 255, 22 / 255, 123 / 255]),
        (1 / 127.5, -1.0, [73.5 / 127.5, -105.5 / 127.5, -4.5 / 127.5]),
        (None, [-100.0, -10.0, 1.0], [101, 12, 124]),
    ],
)
def test_hub_preprocessing_is_the_presets(scale, offset, expected, keras_hub, tmp_path):
    network = _build_hub_densenet(keras_hub)
    preset = _save_hub_preset(tmp_path, keras_hub, network, scale, offset)
    pixel = tf.constant([[[[201.0, 22.0, 123.0]]]])
    found = build_hub_backbone(preset).preprocess(pixel)
    np.testing.assert_allclose(found[0, 0, 0], expected, rtol=1e-5)
    converter = keras_hub.layers.ImageConverter.from_preset(preset)
    converter.image_size = None
    np.testing.assert_allclose(found, converter(pixel), rtol=1e-5)


def test_hub_preset_without_its_weights_is_random(keras_hub, tmp_path):
    network = _build_hub_resnet(keras_hub)
    preset = _save_hub_preset(tmp_path, keras_hub, network)
    kernel = network.get_layer("conv1_conv").kernel.numpy()
    for load_weights in (True, False):
        backbone = build_hub_backbone(preset, load_weights=load_weights)
        loaded = backbone.network.get_layer("conv1_conv").kernel.numpy()
        assert np.array_equal(loaded, kernel) == load_weights


def test_hub_backbone_follows_the_policy_of_the_run(keras_hub, tmp_path):
    preset = _save_hub_preset(tmp_path, keras_hub, _build_hub_densenet(keras_hub))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = build_hub_backbone(preset)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = backbone.network.get_layer("conv1_conv")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert {maps.dtype for maps in backbone(_draw_images()).values()} == {tf.bfloat16}


def test_what_hub_cannot_give_is_a_config_error(keras_hub, monkeypatch, tmp_path):
    bare = str(tmp_path / "bare")
    _build_hub_resnet(keras_hub).save_to_preset(bare)
    shallow = keras_hub.models.ResNetBackbone(
        [64], [7], [64] * 2, [1] * 2, [1, 2], "basic_block"
    )
    shallow = _save_hub_preset(tmp_path / "shallow", keras_hub, shallow)
    for preset, message in [
        (bare, "image_converter.json"),
        (shallow, "has no feature map P4, P5; it has P2, P3"),
        (str(tmp_path / "nowhere"), "nowhere.*without a network, give the folder"),
    ]:
        with pytest.raises(ConfigError, match=f"^backbone: .*{message}") as caught:
            build_hub_backbone(preset)
        assert "\n" not in str(caught.value)

    def refuse(*args, **kwargs):
        raise ConnectionError("Failed to resolve 'api.kaggle.com'\nMax retries")

    monkeypatch.setattr("kagglehub.model_download", refuse)
    with pytest.raises(ConfigError, match="resolve.*without a network") as caught:
        build_hub_backbone("resnet_50_imagenet")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- KerasCV


@pytest.fixture
def keras_cv():
    return pytest.importorskip("keras_cv")


def _build_cv_resnet(keras_cv, include_rescaling=True, stages=4):
    return keras_cv.models.ResNetBackbone(
        stackwise_filters=[8] * stages,
        stackwise_blocks=[1] * stages,
        stackwise_strides=[1, 2, 2, 2][:stages],
        include_rescaling=include_rescaling,
    )


def _build_cv_csp_darknet(keras_cv):
    return keras_cv.models.CSPDarkNetBackbone(
        stackwise_channels=[16] * 4, stackwise_depth=[1] * 4, include_rescaling=True
    )


def _build_cv_densenet(keras_cv):
    return keras_cv.models.DenseNetBackbone(
        stackwise_num_repeats=[1] * 4,
        include_rescaling=True,
        compression_ratio=0.5,
        growth_rate=8,
    )


def _build_cv_efficientnet_v2(keras_cv):
    return keras_cv.models.EfficientNetV2Backbone(
        stackwise_kernel_sizes=[3] * 5,
        stackwise_num_repeats=[1] * 5,
        stackwise_input_filters=[8] * 5,
        stackwise_output_filters=[8] * 5,
        stackwise_expansion_ratios=[1, 2, 2, 2, 2],
        stackwise_squeeze_and_excite_ratios=[0.0, 0.0, 0.0, 0.25, 0.25],
        stackwise_strides=[1, 2, 2, 2, 2],
        stackwise_conv_types=["fused", "fused", "fused", "unfused", "unfused"],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        include_rescaling=True,
    )


def _save_cv_preset(folder, network):
    # KerasCV's own writer, which it does not export.
    from keras_cv.src.utils.preset_utils import save_to_preset

    save_to_preset(network, str(folder))
    return str(folder)


@pytest.mark.parametrize(
    "build, frozen",
    [
        (_build_cv_resnet, ("conv1_", "v2_stack_0_")),
        (_build_cv_csp_darknet, ("stem_", "dark2_")),
        (_build_cv_densenet, ("conv1_", "conv2_")),
        (_build_cv_efficientnet_v2, ("stem_", "block1", "block2")),
    ],
    ids=["resnet", "csp_darknet", "densenet", "efficientnet_v2"],
)
def test_keras_cv_preset_is_built_and_stepped(build, frozen, keras_cv, tmp_path):
    network = build(keras_cv)
    backbone = build_keras_cv_backbone(_save_cv_preset(tmp_path, network))
    tensors = {
        level: network.get_layer(name).output
        for level, name in network.pyramid_level_inputs.items()
    }
    pyramid = keras.Model(network.inputs, tensors)
    assert_same_features(backbone, pyramid(_draw_images(), training=False))
    assert_only_unfrozen_variables_move(backbone, frozen)


@pytest.mark.parametrize("include_rescaling", [True, False])
def test_keras_cv_networks_see_pixels_in_0_to_1(include_rescaling, keras_cv, tmp_path):
    network = _build_cv_resnet(keras_cv, include_rescaling)
    backbone = build_keras_cv_backbone(_save_cv_preset(tmp_path, network))
    first = backbone.network.get_layer("conv1_conv").input
    seen = keras.Model(backbone.network.inputs, first)(
        backbone.preprocess(_draw_images())
    )
    np.testing.assert_allclose(seen, _draw_images() / 255, rtol=1e-5)


def test_what_keras_cv_cannot_give_is_a_config_error(keras_cv, monkeypatch, tmp_path):
    shallow = _save_cv_preset(tmp_path, _build_cv_resnet(keras_cv, stages=2))
    for preset, message in [
        (shallow, "has no feature map P4, P5; it has P2, P3"),
        (str(tmp_path / "nowhere"), "nowhere.*without a network, give the folder"),
    ]:
        with pytest.raises(ConfigError, match=f"^backbone: .*{message}") as caught:
            build_keras_cv_backbone(preset)
        assert "\n" not in str(caught.value)
    asked_for = []

    def refuse(handle, *args):
        asked_for.append(handle)
        raise ConnectionError("Failed to resolve 'api.kaggle.com'")

    monkeypatch.setattr("kagglehub.model_download", refuse)
    with pytest.raises(ConfigError, match="resolve.*without a network"):
        build_keras_cv_backbone("resnet50_imagenet")
    assert "resnet50_imagenet" in asked_for[0]


# ------------------------------------------------------------------ neither package


@pytest.mark.parametrize(
    "package, build",
    [("keras_hub", build_hub_backbone), ("keras_cv", build_keras_cv_backbone)],
)
def test_a_package_that_is_not_installed_is_named(package, build, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{package}.*pip install 'ehsod_tf\[back"):
        build("resnet50_imagenet")
