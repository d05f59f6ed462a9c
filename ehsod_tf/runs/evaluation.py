"""The evaluation of a run's detector, during training and afterwards."""

import os
from collections.abc import Callable

from ehsod_tf import data, evaluation, training
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.data import RunData, make_evaluation_dataset
from ehsod_tf.runs.events import EvaluationEvents
from ehsod_tf.runs.model import make_detector, make_promoter
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import ImageSet


def evaluate(
    experiment: Experiment,
    detector: Callable,
    image_set: ImageSet,
    on_batch: Callable[[int, int], None] | None = None,
):
    """Returns the figures and the `Results` in original pixels.

    Args:
        experiment: the settings.
        detector: of `make_detector`; it is traced at its first use only.
        image_set: the evaluation images.
        on_batch: called after each batch with the images done and the images in all.

    Raises:
        DataError: images cannot be read; all such are named.
    """
    batches = data.name_unreadable_images(
        make_evaluation_dataset(experiment, image_set), image_set
    )
    return evaluation.evaluate(
        detector, batches, image_set, metrics=experiment.metrics, on_batch=on_batch
    )


def write_evaluation(folder: str, figures, results, image_set: ImageSet) -> None:
    """Writes ``metrics.json`` and ``detections.json``."""
    os.makedirs(folder, exist_ok=True)
    evaluation.write_metrics(os.path.join(folder, "metrics.json"), figures)
    evaluation.write_detections(
        os.path.join(folder, "detections.json"), results, image_set
    )


class Evaluator:
    """Evaluates the model as it is, its moving averages, and its teacher's boxes.

    Args:
        experiment: the settings.
        model: the detector, whose weights are read again at each call.
        run_data: the evaluation images, and those to measure the teacher by.
        model_dir: the run folder, which gets the figures and the detections, and
            images and curves for TensorBoard.

    Attributes:
        figures: the latest; those of the averages are called ``ema_…``, those of the
            teacher ``pseudo_…``, see `measure_pseudo_boxes`.
        results: the latest detections, of the weights themselves.
    """

    def __init__(
        self, experiment: Experiment, model: Ehsod, run_data: RunData, model_dir: str
    ):
        self.figures, self.results = {}, None
        self._experiment = experiment
        self._model = model
        # Reads the weights as they are at each call, averaged ones too.
        self._detector = make_detector(model)
        self._promoter = make_promoter(model)
        self._image_set = run_data.evaluation_set
        self._held_back_set = run_data.held_back_set
        self._model_dir = model_dir
        self._events = EvaluationEvents(
            experiment, model, run_data.evaluation_set, model_dir
        )

    def __call__(self) -> dict:
        figures, self.results = self._evaluate()
        if training.keeps_ema(self._model):
            with training.ema_weights(self._model):
                averaged, _ = self._evaluate()
                figures |= self._measure_teacher()
            del averaged["per_class"]
            figures |= {f"ema_{name}": value for name, value in averaged.items()}
        self.figures = figures
        write_evaluation(self._model_dir, figures, self.results, self._image_set)
        self._events.write(self.results)
        return figures

    def _measure_teacher(self):
        """With the averages of the weights, which the teacher has."""
        if self._model.teacher is None or self._held_back_set is None:
            return {}
        dataset = make_evaluation_dataset(self._experiment, self._held_back_set)
        return evaluation.measure_pseudo_boxes(self._promoter, dataset)

    def _evaluate(self):
        return evaluate(self._experiment, self._detector, self._image_set)
