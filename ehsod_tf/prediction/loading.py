"""From a run folder, a checkpoint or a SavedModel to a `Detector`."""

import contextlib
import functools
import os

import tensorflow as tf

from ehsod_tf import export, ops, training
from ehsod_tf.config import load_run_config
from ehsod_tf.data import transforms
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.prediction.detector import Detector
from ehsod_tf.runs.model import restore_model

_SAVED_MODEL_FILE = "saved_model.pb"
_CONFIG_FILE = "operative_config.gin"


def load(path: str | os.PathLike, *, averaged: bool = False) -> Detector:
    """Loads a trained detector; the data that it was trained on is not needed.

    Args:
        path: a run folder, of which the newest checkpoint is taken; a checkpoint in its
            run folder, such as ``runs/mine/checkpoints/best``; or a SavedModel.
        averaged: take the moving averages of the weights. Not of a SavedModel, which
            has the weights that it was exported with.

    Raises:
        ConfigError: there is no detector at `path`, or `averaged` would do nothing.
        CheckpointError, DataError: it is damaged.
    """
    path = os.fspath(path)
    if os.path.isfile(os.path.join(path, _SAVED_MODEL_FILE)):
        if averaged:
            raise ConfigError(
                f"{path}: averaged would do nothing; a SavedModel has the weights that "
                "it was exported with"
            )
        return _load_saved_model(path)
    run_dir = _find_run_dir(path)
    if run_dir is None:
        raise ConfigError(
            f"{path}: neither a run folder, a checkpoint in one, nor a SavedModel; "
            f"a run folder holds {_CONFIG_FILE} and checkpoints"
        )
    class_names = training.read_class_names(path)
    experiment = load_run_config(os.path.join(run_dir, _CONFIG_FILE))
    model = restore_model(experiment, path, len(class_names), averaged=averaged)
    server = export.Server(model, resizing=experiment.resizing)
    return Detector(
        class_names,
        functools.partial(_call, server.serve_bytes, "image_bytes"),
        functools.partial(_call, server.serve_images, "images"),
        keeps=server,
        png_bits=experiment.png_bits,
    )


def _call(function, name, **inputs):
    return function(inputs[name])


def _find_run_dir(path: str) -> str | None:
    """The run folder that a path lies in, at most two folders up."""
    path = os.path.abspath(path)
    candidates = (path, os.path.dirname(path), os.path.dirname(os.path.dirname(path)))
    for folder in candidates:
        if os.path.isfile(os.path.join(folder, _CONFIG_FILE)):
            return folder
    return None


def _load_saved_model(path: str) -> Detector:
    # One of native operations needs their library; one of stock operations does not.
    with contextlib.suppress(ops.NativeOpsUnavailableError):
        ops.load_library()
    labels = os.path.join(path, "assets", "labels.txt")
    try:
        saved = tf.saved_model.load(path)
        with open(labels, encoding="utf-8") as file:
            class_names = tuple(file.read().splitlines())
        detect_bytes = saved.signatures["serving_default"]
        detect_images = saved.signatures["images"]
    except (OSError, KeyError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"{path}: not a SavedModel of ehsod_tf, or a damaged one ({reason})"
        ) from error
    # An export of an earlier version does not say, and gives pixels.
    if hasattr(saved, "gives_normalized_boxes") and saved.gives_normalized_boxes():
        detect_bytes = _in_pixels(detect_bytes, _read_encoded_size)
        detect_images = _in_pixels(detect_images, lambda images: images.shape[1:3])
    return Detector(
        class_names,
        detect_bytes,
        detect_images,
        keeps=saved,
        png_bits=_read_png_bits(saved),
    )


def _read_png_bits(saved):
    # Nor does an export of an earlier version say this.
    return int(saved.reads_png_bits()) if hasattr(saved, "reads_png_bits") else 16


def _in_pixels(detect, read_size):
    """A signature of normalised boxes as one of boxes in pixels, for single images."""

    def detect_in_pixels(**inputs):
        (value,) = inputs.values()
        outputs = dict(detect(**inputs))
        size = tf.cast(read_size(value), tf.float32)
        outputs["detection_boxes"] *= tf.tile(size, [2])
        return outputs

    return detect_in_pixels


def _read_encoded_size(image_bytes):
    return tf.shape(transforms.decode_image(image_bytes[0]))[:2]
