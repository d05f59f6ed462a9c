"""What must be the same when a run goes on: all that decides what it computes."""

import hashlib
import json
from typing import Any

from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.data import RunData
from ehsod_tf.runs.settings import Experiment

# Of a layer's settings, what says nothing about what it computes. The types are those
# of `Experiment.dtype_policy`.
_OF_EVERY_LAYER = ("name", "trainable", "dtype")


def list_fixed_parts(
    experiment: Experiment, run_data: RunData, model: Ehsod
) -> dict[str, Any]:
    """The settings, images and parts that a run must keep in order to go on.

    Not the decoder, which training does not use, nor what the shapes of the variables
    say, which `Checkpoints` compares itself.

    Args:
        experiment: the settings.
        run_data: the images and their split.
        model: compiled.

    Returns:
        Values that JSON can hold, by name.
    """
    teacher = {"teacher": vars(model.teacher)} if model.teacher else {}
    augmentation = experiment.create_augmentation()
    image_ids = run_data.training_set.image_ids.tolist()
    return {
        **experiment.list_fixed_settings(),
        "class_names": run_data.training_set.class_names,
        "training_images": len(image_ids),
        "training_images_sha256": _hash(image_ids),
        "split_sha256": _hash(run_data.split.strong_image_ids),
        "augmentation": augmentation and vars(augmentation),
        "cam_rpn": _describe_layer(model.cam_rpn),
        "cascade": _describe_layer(model.cascade),
        "criterion": vars(model.criterion),
        "selector": vars(model.selector),
        "optimizer": model.optimizer.get_config(),
        **teacher,
    }


def _describe_layer(layer) -> dict[str, Any]:
    config = layer.get_config()
    return {name: config[name] for name in config if name not in _OF_EVERY_LAYER}


def _hash(image_ids) -> str:
    return hashlib.sha256(json.dumps(image_ids).encode()).hexdigest()
