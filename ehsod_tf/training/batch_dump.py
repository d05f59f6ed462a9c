"""A batch as a file: what a run was looking at when its loss became NaN or infinite."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ehsod_tf.errors import DataError
from ehsod_tf.files import open_new
from ehsod_tf.structures import Batch, Targets

# What `np.load` raises on files that are damaged or something else: it takes what is no
# zip file for a single array or for a pickle.
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error),
)

# A step makes the images of a teacher itself, of those that are in the dump.
DUMPED_FIELDS = tuple(
    name for name in Batch._fields if name not in ("targets", "teacher_images")
)


class BatchDump(NamedTuple):
    """What `write_batch_dump` wrote.

    Attributes:
        batch: `Batch` of numpy arrays, the global batch.
        logs: the scalars of the step, ``learning_rate`` among them.
        step: number of the step, from 1.
    """

    batch: Batch
    logs: dict[str, float]
    step: int


def write_batch_dump(
    path: str, batch: Batch, logs: Mapping[str, float], step: int
) -> None:
    """Writes a batch, bit for bit, and the scalars of its step as a ``.npz`` file.

    Args:
        path: ends in ``.npz``; its folder is made.
        batch: `Batch` of tensors or arrays, not distributed.
        logs: the scalars of the step.
        step: number of the step, from 1.
    """
    arrays = {f"batch/{name}": getattr(batch, name) for name in DUMPED_FIELDS}
    arrays |= {
        f"targets/{name}": value
        for name, value in batch.targets._asdict().items()
        if value is not None
    }
    arrays |= {f"logs/{name}": np.float64(value) for name, value in logs.items()}
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open_new(path, "wb") as file:
        np.savez_compressed(
            file,
            step=np.int64(step),
            **{name: np.asarray(value) for name, value in arrays.items()},
        )


def read_batch_dump(path: str) -> BatchDump:
    """Reads a file of `write_batch_dump`.

    Raises:
        DataError: the file is not there, damaged, or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        required = set(Targets._fields).difference(Targets._field_defaults)
        known = {name for name in Targets._fields if f"targets/{name}" in arrays}
        targets = Targets(**{n: arrays[f"targets/{n}"] for n in known | required})
        fields = {name: arrays[f"batch/{name}"] for name in DUMPED_FIELDS}
        step = int(arrays["step"])
    except _UNREADABLE as error:
        raise DataError(
            f"{path} is not a batch that a run has written "
            f"({type(error).__name__}: {error}); give a file such as "
            "nonfinite_step_12.npz"
        ) from error
    logs = {
        name.removeprefix("logs/"): float(value)
        for name, value in arrays.items()
        if name.startswith("logs/")
    }
    return BatchDump(Batch(**fields, targets=targets), logs, step)
