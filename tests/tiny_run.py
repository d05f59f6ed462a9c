"""A run that takes seconds, as a user starts it, and what it is made of."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
QUICKSTART = str(ROOT / "configs" / "quickstart.gin")
FEW_SCENES = [
    "read_synthetic_scenes.num_train = 12",
    "read_synthetic_scenes.num_val = 5",
    "read_synthetic_scenes.size = 64",
]
TINY_RUN = [
    "Experiment.shorter_side = 64",
    "Experiment.longer_side = 64",
    "Experiment.steps_per_epoch = 2",
    "EPOCHS = 2",
    "BATCH_SIZE = 2",
    "STRONG_PERCENT = 50.0",
    "build_small_backbone.width = 8",
    "FeaturePyramid.channels = 8",
    "CamRpn.channels = 8",
    "Cascade.units = 16",
    # Keeps an untrained detector's detections, so that there is something to compare.
    "DetectionDecoder.score_threshold = 0.01",
]
TINY = FEW_SCENES + TINY_RUN
# Reads the scenes' annotations as any COCO data set, whatever has become of them.
COCO_BINDINGS = [
    "Experiment.read_training_set = @train/read_coco",
    "Experiment.read_evaluation_set = @val/read_coco",
    "read_coco.data_dir = %DATA_DIR",
    "train/read_coco.annotation_file = 'annotations/instances_train.json'",
    "train/read_coco.image_dir = 'train'",
    "val/read_coco.annotation_file = 'annotations/instances_val.json'",
    "val/read_coco.image_dir = 'val'",
    "BATCH_SIZE = 2",
]


def run(script, *arguments):
    # As a user starts it, without the log level that the tests set for themselves.
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment,
    )
