"""What a run must keep in order to go on, and what it may change."""

import dataclasses
import functools
import json

import keras
import numpy as np
import pytest

from ehsod_tf import data
from ehsod_tf.modeling import (
    CamRpn,
    Cascade,
    DetectionDecoder,
    Ehsod,
    FeaturePyramid,
    HybridCriterion,
    ProposalSelector,
    Teacher,
    build_small_backbone,
)
from ehsod_tf.runs.data import load_data
from ehsod_tf.runs.resumption import list_fixed_parts
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.training import CoupledSGD

NUM_CLASSES = 6


@pytest.fixture(scope="module")
def backbone():
    return build_small_backbone(8)


@pytest.fixture(scope="module")
def experiment(scenes):
    def read(subset, findings):
        path = scenes / "annotations" / f"instances_{subset}.json"
        return data.read_coco(path, scenes / subset, findings=findings)

    return Experiment(
        build_model=lambda num_classes: None,
        read_training_set=functools.partial(read, "train"),
        read_evaluation_set=functools.partial(read, "val"),
        batch_size=2,
        strong_percent=50.0,
    )


@pytest.fixture(scope="module")
def run_data(experiment):
    return load_data(experiment, data.Findings())


@pytest.fixture
def list_parts(backbone, experiment, run_data):
    """Lists what a run keeps whose model has some settings of its own."""

    def list_parts(run_data=run_data, experiment=experiment, **settings):
        def take(name):
            return settings.get(name, {})

        model = Ehsod(
            backbone,
            FeaturePyramid(8),
            CamRpn(NUM_CLASSES, channels=8, **take("cam_rpn")),
            Cascade(NUM_CLASSES, num_stages=1, units=8, **take("cascade")),
            ProposalSelector(**take("selector")),
            HybridCriterion(**take("criterion")),
            DetectionDecoder(**take("decoder")),
            settings.get("teacher"),
        )
        optimizer = CoupledSGD(**take("optimizer"))
        model.compile(optimizer=optimizer, jit_compile=False)
        # As a checkpoint holds it.
        return json.loads(json.dumps(list_fixed_parts(experiment, run_data, model)))

    return list_parts


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("cam_rpn", {"border_anchors": True}),
        ("cam_rpn", {"anchor_scale": 6.0}),
        ("cam_rpn", {"num_samples": 64}),
        ("cascade", {"num_rois": 64}),
        ("cascade", {"sampling_ratio": 1}),
        ("selector", {"cam_objectness": "none"}),
        ("criterion", {"mid": 0.3}),
        ("optimizer", {"momentum": 0.8}),
    ],
)
def test_what_changes_training_is_to_stay(list_parts, part, settings):
    """Also where the shapes of the variables stay, which say nothing of it."""
    before, after = list_parts(), list_parts(**{part: settings})
    [(name, value)] = settings.items()
    assert before[part].pop(name) != after[part].pop(name) == value
    assert before == after


def test_a_teacher_is_to_stay(list_parts):
    before = list_parts()
    after = list_parts(teacher=Teacher(best_score=0.8))
    assert after.pop("teacher")["best_score"] == 0.8
    assert before == after


def test_the_images_are_to_stay(list_parts, run_data):
    """Not only their number."""
    ids = run_data.training_set.image_ids
    for others in (np.where(ids == ids[3], 99, ids), ids[::-1]):
        images = run_data.training_set._replace(image_ids=others)
        before, after = list_parts(), list_parts(run_data._replace(training_set=images))
        changed = [name for name in before if before[name] != after[name]]
        assert changed == ["training_images_sha256"]


def test_what_may_change(list_parts, experiment):
    """What the detector does at test time, the epochs, and the names of layers."""
    longer = dataclasses.replace(experiment, epochs=24)
    decoder = {"score_threshold": 0.3}
    # As in a process that has built other models before.
    keras.backend.clear_session()
    before = list_parts()
    assert before == list_parts(experiment=longer, decoder=decoder)
