"""A trained detector for images without a data set around them."""

from ehsod_tf.prediction.detector import Detector, Prediction
from ehsod_tf.prediction.image_lists import list_images
from ehsod_tf.prediction.loading import load
from ehsod_tf.prediction.results import write_predictions

__all__ = ["Detector", "Prediction", "list_images", "load", "write_predictions"]
