"""What a run is exported to: a SavedModel, or a format of another runtime."""

from collections.abc import Sequence

from ehsod_tf import edge, export
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.settings import Experiment


def export_model(
    experiment: Experiment,
    model: Ehsod,
    class_names: tuple[str, ...],
    path: str,
    *,
    card: str,
    backend: str = "stock",
    normalized_boxes: bool = False,
    names_as_output: bool = False,
) -> None:
    """Writes the SavedModel for TensorFlow Serving; see `export.export_saved_model`.

    Args:
        experiment: the settings.
        model: with the weights to be exported.
        class_names: its K classes.
        path: folder of the SavedModel.
        card: of `model_card.describe_model`.
        backend, normalized_boxes, names_as_output: see `export.export_saved_model`.
    """
    export.export_saved_model(
        model,
        path,
        class_names=class_names,
        resizing=experiment.resizing,
        backend=backend,
        normalized_boxes=normalized_boxes,
        names_as_output=names_as_output,
        card=card,
    )


def export_edge(
    experiment: Experiment,
    model: Ehsod,
    class_names: tuple[str, ...],
    path: str,
    *,
    to: edge.EdgeFormat,
    precision: edge.Precision = "float32",
    calibration: Sequence[str] = (),
) -> None:
    """Writes the detector for ONNX Runtime, OpenVINO or LiteRT."""
    edge.export_edge(
        model,
        path,
        to=to,
        class_names=class_names,
        resizing=experiment.resizing,
        precision=precision,
        calibration=calibration,
    )
