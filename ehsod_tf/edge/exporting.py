"""From a model to the folder of one format."""

import json
import os
from collections.abc import Sequence
from typing import Literal, get_args

import tensorflow as tf

from ehsod_tf.data import Resizing
from ehsod_tf.edge.packages import require_packages
from ehsod_tf.errors import ConfigError, DataError, require_choice
from ehsod_tf.export.folder import Kind, fill_folder, write_labels
from ehsod_tf.modeling import Ehsod

EdgeFormat = Literal["onnx", "openvino", "litert"]
Precision = Literal["float32", "float16", "int8"]
SETTINGS_FILE = "detector.json"
EDGE_DETECTOR = Kind("an exported detector", SETTINGS_FILE)


def export_edge(
    model: Ehsod,
    path: str,
    *,
    to: EdgeFormat,
    class_names: tuple[str, ...],
    resizing: Resizing,
    precision: Precision = "float32",
    calibration: Sequence[str] = (),
) -> None:
    """Writes the detector in one of three formats into a folder.

    ONNX is a file ``detector.onnx`` for any number of images and any canvas. OpenVINO
    has a pair of files ``detector_HxW`` for each canvas and any number of images,
    LiteRT a file ``detector.tflite`` with a signature ``detect_HxW`` for each, and one
    image. Beside it lie ``labels.txt``, the classes, and ``detector.json``, what a
    client must know to put an image on its canvas. The inputs are those of
    `graph.make_function`, the outputs those of the SavedModel.

    Args:
        model: a built model whose layers compute in float32.
        path: the folder; replaced once all is written.
        to: "onnx", "openvino" or "litert".
        class_names: K names.
        resizing: that which the model was trained with.
        precision: "float32"; "float16" stores the weights in half precision and
            computes in float32; "int8" quantises the convolutions and the fully
            connected layers, boxes and scores stay float32.
        calibration: image files from which "int8" learns the range of the activations,
            for ONNX and OpenVINO; LiteRT measures them at each call.

    Raises:
        ConfigError: a setting is not as above, `path` holds something else, or the
            model has an operation that the format lacks.
        DataError: an image of `calibration` cannot be read.
        MissingPackageError: an optional package is not installed.
    """
    check_settings(to, precision, calibration)
    canvases = resizing.list_canvases()
    with fill_folder(path, EDGE_DETECTOR) as folder:
        if to == "litert":
            from ehsod_tf.edge import litert

            litert.write(model, folder, canvases, precision)
        else:
            from ehsod_tf.edge import onnx_file, openvino_file

            feeds = (_make_feed(name, resizing) for name in calibration)
            if to == "onnx":
                onnx_file.write(model, folder, precision, feeds)
            else:
                openvino_file.write(model, folder, canvases, precision, feeds)
        write_labels(folder, class_names)
        _write_settings(
            folder,
            format=to,
            precision=precision,
            shorter_side=resizing.shorter_side,
            longer_side=resizing.longer_side,
            canvases=canvases,
        )


def _write_settings(folder, **settings):
    with open(os.path.join(folder, SETTINGS_FILE), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2)
        file.write("\n")


def check_settings(to: str, precision: str, calibration: Sequence[str]) -> None:
    """Raises what `export_edge` raises of these, and of missing packages."""
    require_choice("export: --to", to, get_args(EdgeFormat))
    require_choice("export: --precision", precision, get_args(Precision))
    needs_images = precision == "int8" and to != "litert"
    if needs_images and not calibration:
        raise ConfigError(
            f"export: int8 for {to} needs --calibration: a folder of about 100 images "
            "of the kind that the detector will see"
        )
    if calibration and not needs_images:
        raise ConfigError(
            f"export: --calibration does nothing for {to} in {precision}; leave it out"
        )
    require_packages(to, precision)


def _make_feed(path, resizing):
    """The inputs of the graph for one image file, as arrays."""
    try:
        with open(path, "rb") as file:
            placed = resizing.preprocess(file.read())
    except (OSError, tf.errors.InvalidArgumentError) as error:
        raise DataError(
            f"{path}: cannot be read as JPEG, PNG, BMP, GIF or WebP; leave it out of "
            "--calibration"
        ) from error
    names = ("images", "image_sizes", "scales")
    return {
        name: value.numpy()[None] for name, value in zip(names, placed, strict=True)
    }
