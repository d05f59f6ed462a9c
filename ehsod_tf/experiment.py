"""What defines a run, and its parts made from that: data, model, figures, export.

This module knows nothing of gin: `Experiment` is an ordinary dataclass whose fields
`ehsod_tf.config` fills. `ehsod_tf.run` puts the parts together.
"""

import dataclasses
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf import data, evaluation, export, training
from ehsod_tf.errors import ConfigError, require_choice
from ehsod_tf.modeling import Ehsod
from ehsod_tf.structures import Batch, ImageSet

_COUNTS = (
    "batch_size",
    "epochs",
    "evaluation_batch_size",
    "evaluate_every",
    "keep_checkpoints",
    "save_every",
    "shorter_side",
)
_DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# The split itself is compared, however it was chosen.
_MAY_CHANGE = (
    "check_pixels",
    "epochs",
    "evaluate_every",
    "evaluation_batch_size",
    "image_cache",
    "initial_weights",
    "keep_checkpoints",
    "metrics",
    "save_every",
    "skip_bad",
    "split_file",
    "split_seed",
    "stratified_split",
    "strong_percent",
)


class RunData(NamedTuple):
    """The images of a run.

    Attributes:
        training_set: under this run's supervision: weak images have lost their boxes.
        evaluation_set: every image strong, with the same classes.
        split: who is strong.
    """

    training_set: ImageSet
    evaluation_set: ImageSet
    split: data.Split


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines a run.

    Attributes:
        build_model: takes the number of classes, returns an `Ehsod`. Called inside the
            strategy's scope.
        read_training_set, read_evaluation_set: take ``findings``, as the readers of
            `ehsod_tf.data` do, and return an `ImageSet`.
        skip_bad: go on without the images that something is wrong with, instead of
            stopping; they are counted and listed.
        check_pixels: decode every image before training, not only read its header.
        strong_percent: share of the boxed images that keep their boxes.
        split_seed: seed of the choice of those images.
        stratified_split: draw them so that every class keeps its share.
        split_file: a `split.json` to use instead of drawing one.
        use_weak_images: False leaves the weak images out: the boxes-only baseline.
        strong_fraction: fixed share of strong images in every batch, or None for one
            natural shuffle.
        class_aware: the classes take turns in giving the training images.
        image_cache: folder for the decoded training images, or None to decode anew.
        shorter_side, longer_side: image size in pixels, see `data.transforms`.
        flip: mirror training images at random.
        batch_size: images a step, over all replicas.
        epochs: of `steps_per_epoch` steps.
        steps_per_epoch: None for one pass over the images; less for a short trial;
            more to give a part of the images as many steps as all of them would have.
        learning_rate: for `reference_batch_size` images a step; scaled linearly.
        reference_batch_size: see `learning_rate`.
        decay_epochs: epochs after which the learning rate is divided by 10.
        warmup_steps: steps of linear warm-up from a third of the learning rate.
        build_optimizer: takes the learning-rate schedule, returns `CoupledSGD`, the
            paper's, or `ClippedAdamW`.
        initial_weights: checkpoint or run folder to start from, whose classes may be
            others; None for the backbone's own weights.
        dtype_policy: Keras's: "float32", "mixed_bfloat16" or "mixed_float16", which
            scales the loss.
        deterministic: makes TensorFlow's operations repeat themselves to the bit on
            GPUs too, more slowly.
        save_every: steps between checkpoints; each epoch ends with one as well.
        keep_checkpoints: how many are kept, besides the best.
        evaluation_batch_size: images a step in evaluation.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
        metrics: "coco", "voc" or "both".
        seed: seed of initial weights, order and augmentation.
    """

    build_model: Callable[[int], Ehsod]
    read_training_set: Callable[..., ImageSet]
    read_evaluation_set: Callable[..., ImageSet]
    skip_bad: bool = False
    check_pixels: bool = False
    strong_percent: float = 100.0
    split_seed: int = 0
    stratified_split: bool = False
    split_file: str | None = None
    use_weak_images: bool = True
    strong_fraction: float | None = None
    class_aware: bool = False
    image_cache: str | None = None
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
    initial_weights: str | None = None
    dtype_policy: str = "float32"
    deterministic: bool = False
    save_every: int = 500
    keep_checkpoints: int = 3
    evaluation_batch_size: int = 8
    evaluate_every: int = 1
    metrics: str = "coco"
    seed: int = 0

    def __post_init__(self):
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"Experiment.{name} must be at least 1, got {getattr(self, name)}"
                )
        if self.steps_per_epoch is not None and self.steps_per_epoch < 1:
            raise ConfigError(
                "Experiment.steps_per_epoch must be at least 1, or None for a whole "
                f"pass over the images, got {self.steps_per_epoch}"
            )
        if self.longer_side < self.shorter_side:
            raise ConfigError(
                f"Experiment.longer_side ({self.longer_side}) is below shorter_side "
                f"({self.shorter_side})"
            )
        require_choice("Experiment.metrics", self.metrics, ("coco", "voc", "both"))
        require_choice("Experiment.dtype_policy", self.dtype_policy, _DTYPE_POLICIES)

    def list_fixed_settings(self) -> dict:
        """The plain settings that a run must keep when it goes on, by name."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if field.name not in _MAY_CHANGE
            and not callable(value := getattr(self, field.name))
        }

    # ------------------------------------------------------------------ data

    def load_data(self, findings: data.Findings) -> RunData:
        """Reads and checks both sets and puts the training set under supervision.

        Args:
            findings: takes the notes, and with `skip_bad` the problems.

        Raises:
            DataError: something is wrong with the data and `skip_bad` is not set.
            ConfigError: the two sets have different classes, or fewer images than a
                batch.
        """
        training_set = self._load_set(self.read_training_set, findings)
        evaluation_set = self._load_set(self.read_evaluation_set, findings)
        _require_same_classes(training_set, evaluation_set)
        training_set = data.leave_out_shared_images(
            training_set, evaluation_set, findings=findings
        )
        self._require_sound(findings)
        evaluation.check_ground_truth(evaluation_set)
        split = self._choose_split(training_set)
        training_set = data.apply_split(
            training_set, split, findings=findings if self.skip_bad else None
        )
        if not self.use_weak_images:
            training_set = data.select_images(training_set, training_set.has_boxes)
        if len(training_set.image_ids) < self.batch_size:
            raise ConfigError(
                f"Experiment.batch_size is {self.batch_size}, but there are only "
                f"{len(training_set.image_ids)} training images"
            )
        return RunData(training_set, evaluation_set, split)

    def load_evaluation_set(self) -> ImageSet:
        """The checked evaluation images."""
        findings = data.Findings()
        image_set = self._load_set(self.read_evaluation_set, findings)
        self._require_sound(findings)
        evaluation.check_ground_truth(image_set)
        return image_set

    def _load_set(self, read, findings) -> ImageSet:
        return data.validate(
            read(findings=findings), check_pixels=self.check_pixels, findings=findings
        )

    def _require_sound(self, findings) -> None:
        if not self.skip_bad:
            data.raise_problems(findings.problems)

    def _choose_split(self, image_set: ImageSet) -> data.Split:
        if self.split_file:
            return data.read_split(self.split_file)
        return data.make_split(
            image_set,
            self.strong_percent,
            self.split_seed,
            stratified=self.stratified_split,
        )

    def count_steps_per_epoch(self, image_set: ImageSet) -> int:
        return self.steps_per_epoch or self._count_steps_per_pass(image_set)

    def _count_steps_per_pass(self, image_set: ImageSet) -> int:
        return data.count_steps_per_epoch(len(image_set.image_ids), self.batch_size)

    # ----------------------------------------------------------------- model

    @property
    def scaled_learning_rate(self) -> float:
        """The learning rate of this batch size."""
        return training.scale_learning_rate(
            self.learning_rate, self.batch_size, self.reference_batch_size
        )

    @property
    def best_metric(self) -> str:
        """The figure by which the best checkpoint is chosen."""
        return "voc_ap50_area" if self.metrics == "voc" else "AP"

    def create_model(self, num_classes: int, steps_per_epoch: int) -> Ehsod:
        """Builds and compiles the model; call it inside the strategy's scope."""
        keras.utils.set_random_seed(self.seed)
        if self.deterministic:
            tf.config.experimental.enable_op_determinism()
        model = self._build_model(num_classes)
        schedule = training.WarmupStepDecay(
            self.scaled_learning_rate,
            boundaries=[round(epoch * steps_per_epoch) for epoch in self.decay_epochs],
            warmup_steps=self.warmup_steps,
        )
        optimizer = self.build_optimizer(schedule)
        if self.dtype_policy == "mixed_float16":
            optimizer = training.ReplicatedLossScale(optimizer)
        model.compile(optimizer=optimizer, jit_compile=False)
        return model

    def _build_model(self, num_classes: int) -> Ehsod:
        keras.config.set_dtype_policy(self.dtype_policy)
        return self.build_model(num_classes)

    def evaluate(self, detector: Callable, image_set: ImageSet):
        """Returns the figures and the `Results` in original pixels.

        Args:
            detector: of `make_detector`; it is traced at its first use only.
            image_set: the evaluation images.

        Raises:
            DataError: images cannot be read; all such are named.
        """
        batches = data.name_unreadable_images(
            self.make_evaluation_dataset(image_set), image_set
        )
        return evaluation.evaluate(detector, batches, image_set, metrics=self.metrics)

    def write_evaluation(self, folder: str, figures, results, image_set) -> None:
        """Writes ``metrics.json`` and ``detections.json``."""
        os.makedirs(folder, exist_ok=True)
        evaluation.write_metrics(os.path.join(folder, "metrics.json"), figures)
        evaluation.write_detections(
            os.path.join(folder, "detections.json"), results, image_set
        )

    def restore_model(
        self, checkpoint: str, num_classes: int, *, averaged: bool = False
    ) -> Ehsod:
        """Builds the model and loads weights from a checkpoint or a run folder.

        Args:
            checkpoint: see `training.find_checkpoint`.
            num_classes: K.
            averaged: load the moving averages of the weights.
        """
        model = self._build_model(num_classes)
        step = training.restore_weights(model, checkpoint, averaged=averaged)
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

    def make_dataset(
        self, image_set: ImageSet, start_step: int, host_index: int, num_hosts: int
    ) -> tf.data.Dataset:
        """This machine's rows of the training batches from `start_step` on."""
        return data.build_training_dataset(
            image_set,
            **self._plan_arguments(image_set),
            start_step=start_step,
            flip=self.flip,
            cache_dir=self.image_cache,
            host_index=host_index,
            num_hosts=num_hosts,
        )

    def make_evaluation_dataset(self, image_set: ImageSet) -> tf.data.Dataset:
        """Every image once, in batches of `evaluation_batch_size`."""
        return data.build_evaluation_dataset(
            image_set,
            batch_size=self.evaluation_batch_size,
            shorter_side=self.shorter_side,
            longer_side=self.longer_side,
        )

    def explain_input_error(self, image_set: ImageSet, step: int) -> None:
        """Names unreadable images of a step, from 0, whose batch could not be had.

        Raises:
            DataError: there are such images. If not, the error has another reason.
        """
        data.explain_input_error(image_set, step, **self._plan_arguments(image_set))

    def _plan_arguments(self, image_set: ImageSet) -> dict:
        num_steps = self.epochs * self.count_steps_per_epoch(image_set)
        return {
            "batch_size": self.batch_size,
            "shorter_side": self.shorter_side,
            "longer_side": self.longer_side,
            "seed": self.seed,
            "epochs": math.ceil(num_steps / self._count_steps_per_pass(image_set)),
            "strong_fraction": self.strong_fraction,
            "class_aware": self.class_aware,
        }


def make_detector(model: Ehsod):
    """The model as a compiled function from `Batch` to `Detections`."""

    @tf.function(reduce_retracing=True)
    def detect(images, image_sizes):
        return model.detect(images, image_sizes)

    def detect_batch(batch: Batch):
        return detect(batch.images, batch.image_sizes)

    return detect_batch


def _require_same_classes(training_set: ImageSet, evaluation_set: ImageSet) -> None:
    if evaluation_set.class_names != training_set.class_names:
        raise ConfigError(
            "the evaluation set's classes differ from the training set's: "
            f"{', '.join(evaluation_set.class_names)} against "
            f"{', '.join(training_set.class_names)}; name them in the config"
        )
