"""Training: the optimiser, its schedule, the loop, checkpoints and what a run shows."""

from ehsod_tf.training.callbacks import HistoryCsv, TensorBoardScalars
from ehsod_tf.training.checkpoints import (
    Checkpoints,
    find_checkpoint,
    restore_weights,
)
from ehsod_tf.training.loop import make_step, train
from ehsod_tf.training.optimizer import ClippedAdamW, CoupledSGD
from ehsod_tf.training.progress import ProgressDisplay
from ehsod_tf.training.schedule import WarmupStepDecay, scale_learning_rate

__all__ = [
    "Checkpoints",
    "ClippedAdamW",
    "CoupledSGD",
    "HistoryCsv",
    "ProgressDisplay",
    "TensorBoardScalars",
    "WarmupStepDecay",
    "find_checkpoint",
    "make_step",
    "restore_weights",
    "scale_learning_rate",
    "train",
]
