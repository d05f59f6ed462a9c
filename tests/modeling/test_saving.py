"""The detector as a Keras model: compile, fit, save, load."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_detector import NUM_CLASSES, build_small_detector, make_batch

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import (
    Cascade,
    Ehsod,
    FunctionalBackbone,
    build_detector,
    build_small_backbone,
)


@pytest.fixture(scope="module")
def fitted():
    """Two steps of `fit` with one of Keras's own optimizers."""
    model = build_small_detector()
    model.compile(optimizer=keras.optimizers.SGD(1e-3, momentum=0.9))
    history = model.fit(
        tf.data.Dataset.from_tensors(make_batch(range(2))).repeat(2), verbose=0
    )
    assert np.isfinite(history.history["total_loss"]).all()
    assert int(model.optimizer.iterations) == 2
    return model


def test_a_keras_file_gives_back_the_same_detector(fitted, tmp_path):
    path = tmp_path / "detector.keras"
    fitted.save(path)
    loaded = keras.models.load_model(path)
    assert isinstance(loaded, Ehsod)
    assert loaded.criterion == fitted.criterion
    assert loaded.selector == fitted.selector
    batch = make_batch(range(3))
    expected, actual = fitted(batch), loaded(batch)
    assert expected.num_detections.numpy().sum() > 0
    for name, one, other in zip(expected._fields, expected, actual, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert int(loaded.optimizer.iterations) == 2


def test_what_was_frozen_stays_frozen():
    network = build_small_backbone(8).network
    backbone = FunctionalBackbone(network, network.outputs, "torch", frozen_level=3)
    copy = FunctionalBackbone.from_config(backbone.get_config())
    assert 0 < len(copy.trainable_variables) == len(backbone.trainable_variables)
    assert len(copy.variables) == len(backbone.variables)


def test_config_holds_every_setting_of_the_parts():
    model = build_small_detector(num_stages=3)
    copy = Ehsod.from_config(model.get_config())
    for part in ("fpn", "cam_rpn", "cascade"):
        assert getattr(copy, part).get_config() == getattr(model, part).get_config()
    assert len(copy.cascade.heads) == 3


def test_a_detector_is_built_from_a_name():
    model = build_detector(
        NUM_CLASSES, "small", cascade=Cascade(NUM_CLASSES, units=16, num_rois=8)
    )
    assert model.num_classes == NUM_CLASSES
    assert model.selector.train_max_proposals == 2000


def test_an_unknown_backbone_is_named():
    with pytest.raises(ConfigError, match="'resnet5' is neither one of resnet50, "):
        build_detector(3, "resnet5")
