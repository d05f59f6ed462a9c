"""The command that writes a detector for where it is to run."""

import os
from collections.abc import Sequence

from ehsod_tf.cli.session import report_user_errors

_TITLES = {
    "saved_model": "SavedModel",
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
}


def export(
    model_dir: str,
    output: str,
    to: str = "saved_model",
    precision: str = "float32",
    calibration: Sequence[str] = (),
    checkpoint: str | None = None,
    averaged: bool = False,
    gin_bindings: Sequence[str] = (),
    ops: str = "stock",
    normalized_boxes: bool = False,
    names_as_output: bool = False,
) -> None:
    """Writes a run's newest checkpoint, or another one, for a runtime.

    The data set is not needed: the checkpoint knows its classes.

    Args:
        model_dir: the run folder.
        output: the folder to write.
        to: "saved_model", or one of `edge.EdgeFormat`.
        precision, calibration: see `edge.export_edge`; the images of the latter may be
            files, folders and patterns.
        checkpoint: the run's newest by default.
        averaged: take the moving averages of the weights.
        gin_bindings: further gin lines.
        ops: "stock" or "native" operations in a SavedModel.
        normalized_boxes, names_as_output: of a SavedModel, see
            `export.export_saved_model`.
    """
    with report_user_errors():
        from ehsod_tf.api import load_experiment
        from ehsod_tf.prediction.image_lists import list_images
        from ehsod_tf.runs import model_card
        from ehsod_tf.runs.export import export_edge, export_model
        from ehsod_tf.runs.model import restore_model
        from ehsod_tf.training import read_class_names

        is_edge = to != "saved_model"
        calibration = list_images(calibration)
        only_saved_model = ops != "stock" or normalized_boxes or names_as_output
        _check_export(output, to, precision, calibration, only_saved_model)
        # What leaves TensorFlow computes in float32, whatever it was trained in.
        bindings = ["Experiment.dtype_policy = 'float32'"] if is_edge else []
        experiment = load_experiment(
            find_config(model_dir), [*gin_bindings, *bindings], restores_weights=True
        )
        checkpoint = checkpoint or model_dir
        class_names = read_class_names(checkpoint)
        model = restore_model(
            experiment, checkpoint, len(class_names), averaged=averaged
        )
        if is_edge:
            export_edge(
                experiment,
                model,
                class_names,
                output,
                to=to,
                precision=precision,
                calibration=calibration,
            )
        else:
            weights = model_card.read_weights(checkpoint, averaged=averaged)
            export_model(
                experiment,
                model,
                class_names,
                output,
                card=model_card.describe_model(
                    experiment, class_names, model_dir, weights
                ),
                backend=ops,
                normalized_boxes=normalized_boxes,
                names_as_output=names_as_output,
            )
        print(f"{output}: {'detector for ' if is_edge else ''}{_TITLES[to]}")


def find_config(model_dir):
    """The path of the settings that a run was made with."""
    return os.path.join(model_dir, "operative_config.gin")


def require_exportable(path, kind):
    """Refuses, before any work, to write a `kind` of detector over anything else."""
    from ehsod_tf.export import require_replaceable
    from ehsod_tf.training import require_unowned

    # A link is written through: neither the run that it lies in nor the one that it
    # leads to may be at work.
    for place in (os.path.abspath(path), os.path.realpath(path)):
        require_unowned(os.path.dirname(place))
    require_replaceable(path, kind)


def _check_export(output, to, precision, calibration, only_saved_model):
    """Refuses, before any work, what cannot be written."""
    from ehsod_tf.edge import EDGE_DETECTOR, check_settings
    from ehsod_tf.errors import ConfigError
    from ehsod_tf.export import SAVED_MODEL

    if to == "saved_model":
        if precision != "float32" or calibration:
            raise ConfigError(
                "export: --precision and --calibration are for --to onnx, "
                "openvino and litert"
            )
        require_exportable(output, SAVED_MODEL)
        return
    if only_saved_model:
        raise ConfigError(
            "export: --ops, --normalized_boxes and --names_as_output are for a "
            f"SavedModel, not for {to}"
        )
    check_settings(to, precision, calibration)
    require_exportable(output, EDGE_DETECTOR)
