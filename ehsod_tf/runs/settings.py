"""The settings that define a run; `ehsod_tf.config` fills them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from ehsod_tf import training
from ehsod_tf.data import Augmentation, Resizing
from ehsod_tf.errors import require_choice, require_count
from ehsod_tf.modeling import Ehsod
from ehsod_tf.structures import ImageSet


def _setting(
    default: Any,
    *,
    may_change: bool = False,
    choices: tuple[str, ...] | None = None,
    is_count: bool = False,
):
    """A field of `Experiment`, and what is checked of it.

    Args:
        default: its default.
        may_change: a run that goes on may have another value than it began with.
        choices: the values that there are.
        is_count: at least 1, or None where that is the default.
    """
    metadata = {"may_change": may_change, "choices": choices, "is_count": is_count}
    return dataclasses.field(default=default, metadata=metadata)


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
        allow_shared_images: evaluate on training images too, to see whether a few can
            be learnt by heart; else an image in both sets is a problem.
        crowds: what crowds, difficult objects and other ignored boxes of a class are in
            training: "background", as the paper's detectors have it, or "ignored"; so
            is what augmentation leaves of an object whose box it drops.
        png_bits: how many bits the values of 16-bit PNGs use, 8 to 16.
        strong_percent: share of the boxed images that keep their boxes.
        split_seed: seed of the choice of those images.
        stratified_split: draw them so that every class keeps its share.
        split_file: a `split.json` to use instead of drawing one.
        use_weak_images: False leaves the weak images out: the boxes-only baseline.
        use_weak_labels: False hides the labels of the weak images, so that only a
            teacher can learn from these.
        strong_fraction: fixed share of strong images in every batch, or None for one
            natural shuffle.
        class_aware: the classes take turns in giving the training images.
        image_cache: folder for the decoded training images, or None to decode again.
        shorter_side, longer_side: image size in pixels, see `data.Resizing`.
        flip: mirror training images at random.
        augmentation: makes a `data.Augmentation`, which changes training images
            further, or None.
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
    skip_bad: bool = _setting(False, may_change=True)
    check_pixels: bool = _setting(False, may_change=True)
    allow_shared_images: bool = _setting(False, may_change=True)
    png_bits: int = _setting(16, choices=tuple(range(8, 17)))
    crowds: str = _setting("background", choices=("background", "ignored"))
    # The split itself is compared, however it was chosen.
    strong_percent: float = _setting(100.0, may_change=True)
    split_seed: int = _setting(0, may_change=True)
    stratified_split: bool = _setting(False, may_change=True)
    split_file: str | None = _setting(None, may_change=True)
    use_weak_images: bool = _setting(True)
    use_weak_labels: bool = _setting(True)
    strong_fraction: float | None = _setting(None)
    class_aware: bool = _setting(False)
    image_cache: str | None = _setting(None, may_change=True)
    shorter_side: int = _setting(800, is_count=True)
    longer_side: int = _setting(1333, is_count=True)
    flip: bool = _setting(True)
    augmentation: Callable[[], Augmentation] | None = None
    batch_size: int = _setting(16, is_count=True)
    epochs: int = _setting(12, is_count=True, may_change=True)
    steps_per_epoch: int | None = _setting(None, is_count=True)
    learning_rate: float = _setting(0.01)
    reference_batch_size: int = _setting(16, is_count=True)
    decay_epochs: tuple[float, ...] = _setting((8, 11))
    warmup_steps: int = _setting(500)
    build_optimizer: Callable[..., keras.optimizers.Optimizer] = training.CoupledSGD
    initial_weights: str | None = _setting(None, may_change=True)
    dtype_policy: str = _setting(
        "float32", choices=("float32", "mixed_bfloat16", "mixed_float16")
    )
    deterministic: bool = _setting(False)
    save_every: int = _setting(500, is_count=True, may_change=True)
    keep_checkpoints: int = _setting(3, is_count=True, may_change=True)
    evaluation_batch_size: int = _setting(8, is_count=True, may_change=True)
    evaluate_every: int = _setting(1, is_count=True, may_change=True)
    metrics: str = _setting("coco", choices=("coco", "voc", "both"), may_change=True)
    seed: int = _setting(0)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            name, value = f"Experiment.{field.name}", getattr(self, field.name)
            if field.metadata.get("is_count"):
                require_count(name, value, optional=field.default is None)
            if field.metadata.get("choices"):
                require_choice(name, value, field.metadata["choices"])
        # Wrong settings are to be named before the data are read.
        _ = self.resizing
        self.create_augmentation()

    def list_fixed_settings(self) -> dict:
        """The plain settings that a run must keep when it goes on, by name."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if not field.metadata.get("may_change")
            and not callable(value := getattr(self, field.name))
        }

    def create_augmentation(self) -> Augmentation | None:
        """The settings of augmentation, or None where there is to be none."""
        return self.augmentation() if self.augmentation else None

    @property
    def resizing(self) -> Resizing:
        """How images become the network's input."""
        return Resizing(self.shorter_side, self.longer_side, self.png_bits)

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
