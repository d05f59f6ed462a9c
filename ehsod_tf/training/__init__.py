"""Training: the optimiser, its schedule, the loop, checkpoints and what a run shows."""

from ehsod_tf.training.averaging import ema_weights, keeps_ema
from ehsod_tf.training.batch_dump import (
    BatchDump,
    read_batch_dump,
    write_batch_dump,
)
from ehsod_tf.training.callbacks import HistoryCsv, TensorBoardScalars
from ehsod_tf.training.checkpoints import Checkpoints
from ehsod_tf.training.interruption import Interrupted
from ehsod_tf.training.loop import make_step, train
from ehsod_tf.training.loss_scale import ReplicatedLossScale
from ehsod_tf.training.optimizer import ClippedAdamW, CoupledSGD
from ehsod_tf.training.ownership import own_run_folder, require_unowned
from ehsod_tf.training.progress import ProgressDisplay, make_console
from ehsod_tf.training.restoration import (
    find_checkpoint,
    has_checkpoints,
    read_class_names,
    read_position,
    restore_weights,
)
from ehsod_tf.training.schedule import WarmupStepDecay, scale_learning_rate
from ehsod_tf.training.strategy import (
    create_strategy,
    describe_devices,
    is_chief,
)
from ehsod_tf.training.timings import TimingsCsv
from ehsod_tf.training.transfer import Transfer, transfer_weights

__all__ = [
    "BatchDump",
    "Checkpoints",
    "ClippedAdamW",
    "CoupledSGD",
    "HistoryCsv",
    "Interrupted",
    "ProgressDisplay",
    "ReplicatedLossScale",
    "TensorBoardScalars",
    "TimingsCsv",
    "Transfer",
    "WarmupStepDecay",
    "create_strategy",
    "describe_devices",
    "ema_weights",
    "find_checkpoint",
    "has_checkpoints",
    "is_chief",
    "keeps_ema",
    "make_console",
    "make_step",
    "own_run_folder",
    "read_batch_dump",
    "read_class_names",
    "read_position",
    "require_unowned",
    "restore_weights",
    "scale_learning_rate",
    "train",
    "transfer_weights",
    "write_batch_dump",
]
