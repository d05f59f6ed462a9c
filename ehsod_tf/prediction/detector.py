"""A trained detector, and what it finds on an image."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from ehsod_tf.errors import DataError
from ehsod_tf.export import TOO_LARGE
from ehsod_tf.prediction.image_lists import list_images
from ehsod_tf.visualization import convert_to_rgb, draw_boxes

# Weaker detections are many, and most are wrong.
SCORE_THRESHOLD = 0.3


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What was found on one image, the best first.

    Attributes:
        boxes: [n, 4] float32 ``[ymin, xmin, ymax, xmax]`` in pixels of the image as it
            was given; a box around the top left pixel is ``[0, 0, 1, 1]``.
        scores: [n] float32 in [0, 1].
        classes: [n] int32, from 0.
        class_names: n names.
        path: of the image file, or None for an array.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]
    path: str | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        found = ", ".join(
            f"{name} {score:.2f}"
            for name, score in zip(self.class_names, self.scores, strict=True)
        )
        return f"Prediction({self.path or 'array'}: {found or 'nothing'})"


class Detector:
    """A trained detector with its classes; made by `ehsod_tf.load`.

    Args:
        class_names: the K class names.
        detect_bytes: takes [B] encoded images, see `ehsod_tf.export.server`.
        detect_images: takes [B, H, W, 3] float32, likewise.
        keeps: what must live as long as the two functions.
        png_bits: as how many bits these read PNGs of 16 bits.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        detect_bytes: Callable,
        detect_images: Callable,
        keeps: object = None,
        png_bits: int = 16,
    ):
        self.class_names = tuple(class_names)
        self._detect_bytes = detect_bytes
        self._detect_images = detect_images
        self._keeps = keeps
        self._png_bits = png_bits

    def predict(
        self,
        images: str | os.PathLike | np.ndarray | Iterable,
        score_threshold: float = SCORE_THRESHOLD,
    ) -> list[Prediction]:
        """Finds the objects of images.

        Args:
            images: paths (a file, a folder, a pattern, or a list of these) or arrays
                ([H, W, 3] RGB in [0, 255], or a list of these).
            score_threshold: weaker detections are left out. Those below the run's own
                `DetectionDecoder.score_threshold` (0.05) are never given.

        Returns:
            A `Prediction` for each image, in their order.

        Raises:
            DataError: a file is missing or cannot be decoded; it is named.
        """
        return [
            self.predict_one(image, score_threshold) for image in _list_inputs(images)
        ]

    def predict_one(
        self,
        image: str | os.PathLike | np.ndarray,
        score_threshold: float = SCORE_THRESHOLD,
    ) -> Prediction:
        """As `predict`, for one file or one array."""
        if isinstance(image, str | os.PathLike):
            path = os.fspath(image)
            return self._make_prediction(self._run_file(path), score_threshold, path)
        pixels = tf.constant(_check_array(image), tf.float32)[tf.newaxis]
        return self._make_prediction(
            self._detect_images(images=pixels), score_threshold
        )

    def draw(
        self,
        image: str | os.PathLike | np.ndarray,
        prediction: Prediction | None = None,
        score_threshold: float = SCORE_THRESHOLD,
    ) -> Image.Image:
        """The image with what is found on it; a notebook shows it as a picture.

        Args:
            image: a file, or [H, W, 3] RGB in [0, 255].
            prediction: of this image; made here if not given.
            score_threshold: weaker detections are not drawn.

        Raises:
            DataError: the file cannot be decoded or shown; it is named.
        """
        if prediction is None:
            prediction = self.predict_one(image, score_threshold)
        shown = prediction.scores >= score_threshold
        return Image.fromarray(
            draw_boxes(
                load_pixels(image, self._png_bits),
                prediction.boxes[shown],
                prediction.classes[shown],
                self.class_names,
                prediction.scores[shown],
            )
        )

    def _run_file(self, path):
        try:
            with open(path, "rb") as file:
                encoded = file.read()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
        try:
            return self._detect_bytes(image_bytes=tf.constant([encoded]))
        except tf.errors.InvalidArgumentError as error:
            if TOO_LARGE in error.message:
                raise DataError(f"{path}: {TOO_LARGE}; make it smaller") from error
            raise DataError(
                f"{path}: cannot be decoded as JPEG, PNG, BMP, GIF or WebP; replace it"
            ) from error

    def _make_prediction(self, outputs, score_threshold, path=None):
        count = int(outputs["num_detections"][0])
        boxes, scores, classes = (
            outputs[f"detection_{name}"][0, :count].numpy()
            for name in ("boxes", "scores", "classes")
        )
        kept = scores >= score_threshold
        names = tuple(self.class_names[k] for k in classes[kept])
        return Prediction(boxes[kept], scores[kept], classes[kept], names, path)


def load_pixels(
    image: str | os.PathLike | np.ndarray, png_bits: int = 16
) -> np.ndarray:
    """An image file, or an array, as [H, W, 3] uint8 RGB; see `convert_to_rgb`.

    Raises:
        DataError: the file cannot be shown; it is named. Pillow refuses files that
            TensorFlow decodes, such as a PNG with a damaged text beside its pixels.
    """
    if isinstance(image, str | os.PathLike):
        try:
            with Image.open(image) as file:
                return np.asarray(convert_to_rgb(file, png_bits))
        # Pillow promises OSError, but parsers of single formats let through others.
        except Exception as error:
            raise DataError(
                f"{os.fspath(image)}: cannot be shown ({error}); save it anew"
            ) from error
    return np.clip(_check_array(image), 0, 255).astype(np.uint8)


def _list_inputs(images) -> Iterator:
    if isinstance(images, str | os.PathLike):
        yield from list_images(images)
    elif isinstance(images, np.ndarray) and images.ndim == 3:
        yield images
    else:
        for image in images:
            if isinstance(image, str | os.PathLike):
                yield from list_images(image)
            else:
                yield image


def _check_array(image):
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise DataError(
            f"an image is an array of the shape [height, width, 3], got {array.shape}"
        )
    return array
