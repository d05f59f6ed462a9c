"""Object detectors from boxes on some images and labels on the rest.

    import ehsod_tf

    detector = ehsod_tf.load("runs/quickstart")
    for found in detector.predict("photos/*.jpg", score_threshold=0.5):
        print(found.path, found.class_names, found.boxes)
    detector.draw("photos/street.jpg")

`load` gives a trained detector, `train` trains one from a config, and `build_detector`
gives the Keras model with the paper's settings. TensorFlow is imported when the first
of them is used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ehsod_tf.api import train
    from ehsod_tf.modeling import build_detector
    from ehsod_tf.prediction import Detector, Prediction, load

__all__ = ["Detector", "Prediction", "build_detector", "load", "train"]

_HOMES = {
    "Detector": "ehsod_tf.prediction",
    "Prediction": "ehsod_tf.prediction",
    "build_detector": "ehsod_tf.modeling",
    "load": "ehsod_tf.prediction",
    "train": "ehsod_tf.api",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'ehsod_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
