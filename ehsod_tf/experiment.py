"""A run from data to detector: train, evaluate, export, and the folder it leaves.

The run folder holds ``operative_config.gin``, ``split.json``, ``history.csv``,
``checkpoints/``, TensorBoard events, ``metrics.json``, ``detections.json``,
``saved_model/`` and ``report.html``. This module knows nothing of gin: `Experiment` is
an ordinary dataclass whose fields `ehsod_tf.config` fills.
"""

import dataclasses
import os
from collections.abc import Callable

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf import data, evaluation, export, training, visualization
from ehsod_tf.errors import ConfigError, require_choice
from ehsod_tf.modeling import Ehsod
from ehsod_tf.structures import Batch, ImageSet


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines a run.

    Attributes:
        build_model: takes the number of classes, returns an `Ehsod`. Called inside the
            strategy's scope.
        read_training_set, read_evaluation_set: take no argument, return an `ImageSet`.
        strong_percent: share of the boxed images that keep their boxes.
        split_seed: seed of the choice of those images.
        split_file: a `split.json` to use instead of drawing one.
        use_weak_images: False leaves the weak images out: the boxes-only baseline.
        strong_fraction: fixed share of strong images in every batch, or None for one
            natural shuffle.
        shorter_side, longer_side: image size in pixels, see `data.transforms`.
        flip: mirror training images at random.
        batch_size: images a step, over all replicas.
        epochs: passes over the training images, strong and weak.
        steps_per_epoch: None for a whole pass; less for a short trial.
        learning_rate: for `reference_batch_size` images a step; scaled linearly.
        reference_batch_size: see `learning_rate`.
        decay_epochs: epochs after which the learning rate is divided by 10.
        warmup_steps: steps of linear warm-up from a third of the learning rate.
        build_optimizer: takes the learning-rate schedule, returns `CoupledSGD`, the
            paper's, or `ClippedAdamW`.
        evaluation_batch_size: images a step in evaluation.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
        metrics: "coco", "voc" or "both".
        seed: seed of initial weights, order and augmentation.
    """

    build_model: Callable[[int], Ehsod]
    read_training_set: Callable[[], ImageSet]
    read_evaluation_set: Callable[[], ImageSet]
    strong_percent: float = 100.0
    split_seed: int = 0
    split_file: str | None = None
    use_weak_images: bool = True
    strong_fraction: float | None = None
    shorter_side: int = 800
    longer_side: int = 1333
    flip: bool = True
    batch_size: int = 16
    epochs: int = 12
    steps_per_epoch: int | None = None
    learning_rate: float = 0.01
    reference_batch_size: int = 16
    decay_epochs: tuple[float, ...] = (8, 11)
    warmup_steps: int = 500
    build_optimizer: Callable[..., keras.optimizers.Optimizer] = training.CoupledSGD
    evaluation_batch_size: int = 8
    evaluate_every: int = 1
    metrics: str = "coco"
    seed: int = 0

    def __post_init__(self):
        for name in ("batch_size", "epochs", "evaluation_batch_size", "shorter_side"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"Experiment.{name} must be at least 1, got {getattr(self, name)}"
                )
        if self.longer_side < self.shorter_side:
            raise ConfigError(
                f"Experiment.longer_side ({self.longer_side}) is below shorter_side "
                f"({self.shorter_side})"
            )
        require_choice("Experiment.metrics", self.metrics, ("coco", "voc", "both"))

    # ------------------------------------------------------------------ data

    def load_training_set(self) -> tuple[ImageSet, data.Split]:
        """The validated training images under this run's supervision, and the split."""
        image_set = self.read_training_set()
        data.validate(image_set)
        if self.split_file:
            split = data.read_split(self.split_file)
        else:
            split = data.make_split(image_set, self.strong_percent, self.split_seed)
        image_set = data.apply_split(image_set, split)
        if not self.use_weak_images:
            image_set = data.select_images(image_set, image_set.has_boxes)
        if len(image_set.image_ids) < self.batch_size:
            raise ConfigError(
                f"Experiment.batch_size is {self.batch_size}, but there are only "
                f"{len(image_set.image_ids)} training images"
            )
        return image_set, split

    def load_evaluation_set(self, training_set: ImageSet | None = None) -> ImageSet:
        """The validated evaluation images, with the classes of `training_set`."""
        image_set = self.read_evaluation_set()
        data.validate(image_set)
        evaluation.check_ground_truth(image_set)
        if training_set and image_set.class_names != training_set.class_names:
            raise ConfigError(
                "the evaluation set's classes differ from the training set's: "
                f"{', '.join(image_set.class_names)} against "
                f"{', '.join(training_set.class_names)}; name them in the config"
            )
        return image_set

    def count_steps_per_epoch(self, image_set: ImageSet) -> int:
        whole = data.count_steps_per_epoch(len(image_set.image_ids), self.batch_size)
        return min(self.steps_per_epoch or whole, whole)

    # ----------------------------------------------------------------- model

    def create_model(self, num_classes: int, steps_per_epoch: int) -> Ehsod:
        """Builds and compiles the model; call it inside the strategy's scope."""
        keras.utils.set_random_seed(self.seed)
        model = self.build_model(num_classes)
        rate = training.scale_learning_rate(
            self.learning_rate, self.batch_size, self.reference_batch_size
        )
        schedule = training.WarmupStepDecay(
            rate,
            boundaries=[round(epoch * steps_per_epoch) for epoch in self.decay_epochs],
            warmup_steps=self.warmup_steps,
        )
        model.compile(optimizer=self.build_optimizer(schedule), jit_compile=False)
        return model

    def evaluate(self, model: Ehsod, image_set: ImageSet):
        """Returns the figures and the `Results` in original pixels."""
        dataset = data.build_evaluation_dataset(
            image_set,
            batch_size=self.evaluation_batch_size,
            shorter_side=self.shorter_side,
            longer_side=self.longer_side,
        )
        return evaluation.evaluate(
            make_detector(model), dataset, image_set, metrics=self.metrics
        )

    def write_evaluation(self, folder: str, figures, results, image_set) -> None:
        """Writes ``metrics.json`` and ``detections.json``."""
        os.makedirs(folder, exist_ok=True)
        evaluation.write_metrics(os.path.join(folder, "metrics.json"), figures)
        evaluation.write_detections(
            os.path.join(folder, "detections.json"), results, image_set
        )

    # ------------------------------------------------------------------ runs

    def train(self, model_dir: str, config_text: Callable[[], str]) -> dict:
        """Runs the whole experiment and fills the run folder.

        Args:
            model_dir: the run folder; a run that was cut off goes on from its newest
                checkpoint.
            config_text: returns the configuration to be recorded.

        Returns:
            The final figures, as in ``metrics.json``.
        """
        image_set, split = self.load_training_set()
        evaluation_set = self.load_evaluation_set(image_set)
        supervision = data.describe_supervision(image_set)
        print(supervision, flush=True)
        os.makedirs(model_dir, exist_ok=True)
        data.write_split(os.path.join(model_dir, "split.json"), split)

        strategy = tf.distribute.MirroredStrategy()
        steps_per_epoch = self.count_steps_per_epoch(image_set)
        with strategy.scope():
            model = self.create_model(len(image_set.class_names), steps_per_epoch)
        _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())

        results, figures = None, {}

        def evaluate():
            nonlocal results, figures
            figures, results = self.evaluate(model, evaluation_set)
            self.write_evaluation(model_dir, figures, results, evaluation_set)
            return figures

        history = training.train(
            model,
            lambda start_step: self._make_dataset(image_set, start_step),
            strategy=strategy,
            epochs=self.epochs,
            steps_per_epoch=steps_per_epoch,
            checkpoints=training.Checkpoints(
                model, os.path.join(model_dir, "checkpoints")
            ),
            callbacks=[
                training.ProgressDisplay(),
                training.HistoryCsv(os.path.join(model_dir, "history.csv")),
                training.TensorBoardScalars(os.path.join(model_dir, "tensorboard")),
            ],
            evaluate=evaluate,
            evaluate_every=self.evaluate_every,
        )
        if results is None:
            # The run was complete already; its figures are made again.
            evaluate()
        print(evaluation.format_figures(figures), flush=True)
        self.export(
            model, image_set.class_names, os.path.join(model_dir, "saved_model")
        )
        # Once more, now that everything has been called and recorded.
        _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())
        visualization.write_report(
            os.path.join(model_dir, "report.html"),
            title=os.path.basename(os.path.abspath(model_dir)),
            figures=figures,
            history=history,
            supervision_text=supervision,
            samples=visualization.draw_samples(evaluation_set, results),
            config_text=config_text(),
        )
        return figures

    def restore_model(self, checkpoint: str, num_classes: int) -> Ehsod:
        """Builds the model and loads weights from a checkpoint or a run folder."""
        model = self.build_model(num_classes)
        step = training.restore_weights(model, checkpoint)
        logging.info("restored the weights of step %d from %s", step, checkpoint)
        return model

    def export(
        self,
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
            shorter_side=self.shorter_side,
            longer_side=self.longer_side,
            backend=backend,
        )

    def _make_dataset(self, image_set: ImageSet, start_step: int) -> tf.data.Dataset:
        return data.build_training_dataset(
            image_set,
            batch_size=self.batch_size,
            shorter_side=self.shorter_side,
            longer_side=self.longer_side,
            seed=self.seed,
            epochs=self.epochs,
            start_step=start_step,
            flip=self.flip,
            strong_fraction=self.strong_fraction,
        )


def make_detector(model: Ehsod):
    """The model as a compiled function from `Batch` to `Detections`."""

    @tf.function(reduce_retracing=True)
    def detect(images, image_sizes):
        return model.detect(images, image_sizes)

    def detect_batch(batch: Batch):
        return detect(batch.images, batch.image_sizes)

    return detect_batch


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
