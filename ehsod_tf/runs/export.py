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
        resizing=experiment.resizing,
        backend=backend,
    )
