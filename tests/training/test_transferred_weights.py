"""Starting from another run's weights, with the same or with other classes."""

import os

import keras
import numpy as np
import pytest
from toy_detector import get_weights, make_checkpoints, make_model

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import (
    CamRpn,
    Cascade,
    Ehsod,
    FeaturePyramid,
    build_small_backbone,
)
from ehsod_tf.training import Checkpoints, CoupledSGD, has_checkpoints, transfer_weights


def make_detector(num_classes, num_stages=2, units=8):
    """A detector with weights and, as in a run, names of its own."""
    keras.utils.clear_session()
    model = Ehsod(
        build_small_backbone(8),
        FeaturePyramid(8),
        CamRpn(num_classes, channels=8),
        Cascade(num_classes, num_stages=num_stages, units=units, num_rois=8),
    )
    model.compile(optimizer=CoupledSGD(0.1), jit_compile=False)
    return model


def save(model, folder, class_names, step=4):
    identity = {"class_names": class_names}
    Checkpoints(model, folder / "checkpoints", identity=identity).save(step)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of three classes, no variable of which has its initial value."""
    folder = tmp_path_factory.mktemp("source")
    model = make_detector(3)
    for variable in model.variables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    save(model, folder, ("cat", "dog", "cow"))
    return folder, get_weights(model)


REMADE = (
    "cam_rpn/cam/kernel",
    "cam_rpn/cam/bias",
    "cascade/stage1/class_logits/kernel",
    "cascade/stage1/class_logits/bias",
    "cascade/stage1/confidence_logits/kernel",
    "cascade/stage1/confidence_logits/bias",
    "cascade/stage2/class_logits/kernel",
    "cascade/stage2/class_logits/bias",
    "cascade/stage2/confidence_logits/kernel",
    "cascade/stage2/confidence_logits/bias",
)


def count_equal(variables, arrays):
    return sum(
        np.array_equal(variable.numpy(), array)
        for variable, array in zip(variables, arrays, strict=True)
    )


def test_class_variables_are_those_whose_shape_the_number_of_classes_changes():
    few, many = make_detector(3), make_detector(5)
    differing = {
        id(variable)
        for variable, other in zip(few.variables, many.variables, strict=True)
        if variable.shape != other.shape
    }
    assert {id(variable) for variable in few.class_variables} == differing
    assert differing


def test_the_same_classes_bring_all_weights(source):
    folder, weights = source
    model = make_detector(3)
    assert transfer_weights(model, folder, ["cat", "dog", "cow"]) == (4, ())
    assert count_equal(model.variables, weights) == len(weights)


@pytest.mark.parametrize(
    "class_names",
    [
        ("cat", "dog"),
        ("cat", "dog", "cow", "hen", "ewe"),
        ("cat", "dog", "hen"),
        ("cow", "dog", "cat"),
    ],
)
def test_other_classes_leave_their_layers_as_they_are(source, class_names):
    """Also if there are as many as before, or the same in another order."""
    folder, weights = source
    model = make_detector(len(class_names))
    before = [variable.numpy() for variable in model.class_variables]
    transfer = transfer_weights(model, folder, class_names)
    assert transfer == (4, REMADE)
    assert count_equal(model.class_variables, before) == len(REMADE)
    assert count_equal(model.variables, weights) == len(weights) - len(REMADE)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"units": 9}, r"\[392, 8\] where this model has .*\[392, 9\]"),
        ({"num_stages": 1}, "where this model has no further variable"),
        ({"num_stages": 3}, "it has no further variable where"),
    ],
)
@pytest.mark.parametrize("num_classes", [3, 5])
def test_another_architecture_is_refused_and_left_as_it_was(
    source, num_classes, change, message
):
    model = make_detector(num_classes, **change)
    before = get_weights(model)
    with pytest.raises(ConfigError, match=message):
        transfer_weights(model, source[0], [f"class {i}" for i in range(num_classes)])
    assert count_equal(model.variables, before) == len(before)


def test_unknown_classes_count_as_others_and_it_says_so(tmp_path, caplog):
    source = make_model()
    make_checkpoints(source, tmp_path).save(2)
    model = make_model(seed=9)
    transfer = transfer_weights(model, tmp_path, ["cat", "dog"])
    assert len(transfer.remade) == 4
    assert "step-2 does not say which classes its run had" in caplog.text
    equal = count_equal(model.variables, get_weights(source))
    # The hidden layer, and the biases of the heads, which all start as 0.
    assert equal == 2 + 2


def test_a_run_has_checkpoints_as_soon_as_one_is_saved(tmp_path):
    assert not has_checkpoints(tmp_path / "checkpoints")
    save(make_model(), tmp_path, ("cat", "dog"))
    assert has_checkpoints(tmp_path / "checkpoints")
    # One that is damaged stops the run later on; it must not begin again before.
    os.remove(tmp_path / "checkpoints" / "step-4" / "manifest.json")
    assert has_checkpoints(tmp_path / "checkpoints")
