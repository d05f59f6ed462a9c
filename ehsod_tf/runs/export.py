"""The SavedModel of a run."""

from ehsod_tf import export
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.settings import Experiment


def export_model(
    experiment: Experiment,
    model: Ehsod,
    class_names: tuple[str, ...],
    path: str,
    backend: str = "stock",
) -> None:
    """Writes the SavedModel for TF Serving, of "stock" or "native" operations."""
    export.export_saved_model(
        model,
        path,
        class_names=class_names,
        shorter_side=experiment.shorter_side,
        longer_side=experiment.longer_side,
        backend=backend,
        png_bits=experiment.png_bits,
    )
