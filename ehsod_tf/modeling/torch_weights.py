"""Reads the arrays of a PyTorch state dict without PyTorch, and without running code.

A ``.pth`` file of `torch.save` before version 1.6, and of later ones with
``_use_new_zipfile_serialization=False``: five pickles (magic number, protocol, system,
the state dict with references to storages, the storages' keys), and then the storages
as raw bytes. Pickles can call anything, so this unpickler knows the few names that a
state dict needs and refuses every other.
"""

import collections
import io
import pickle
import struct
from typing import NamedTuple

import numpy as np

from ehsod_tf.errors import ConfigError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StateDictUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _make_tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid):
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("it has a storage of an unknown kind")
        return _Storage(key, dtype, size)


def _make_tensor(storage, offset, shape, strides, requires_grad, hooks):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def read_state_dict(path: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a state dict by name.

    Args:
        path: a ``.pth`` file of float and integer tensors.

    Raises:
        ConfigError: the file is missing, damaged, of another kind, or its pickle asks
            for anything that a state dict does not need.
    """
    try:
        with open(path, "rb") as file:
            content = io.BytesIO(file.read())
        return _read(content)
    except (
        *(pickle.UnpicklingError, EOFError, OSError, ValueError, TypeError),
        *(KeyError, IndexError, AttributeError, struct.error),
    ) as error:
        raise ConfigError(
            f"backbone: {path} is not a state dict of PyTorch's old format, or is "
            f"damaged: {error}; install its package again"
        ) from error


def _read(content: io.BytesIO) -> dict[str, np.ndarray]:
    def load():
        return _StateDictUnpickler(content).load()

    if load() != _MAGIC_NUMBER or load() != _PROTOCOL:
        raise ValueError("it begins with another number")
    if not load()["little_endian"]:
        raise ValueError("it was written on a big-endian machine")
    tensors, keys = load(), load()
    storages = {
        tensor.storage.key: tensor.storage
        for tensor in tensors.values()
        if isinstance(tensor, _Tensor)
    }
    data = {}
    for key in keys:
        dtype = storages[key].dtype
        (size,) = struct.unpack("<q", content.read(8))
        data[key] = np.frombuffer(content.read(size * dtype.itemsize), dtype)
        if len(data[key]) != size or size != storages[key].size:
            raise ValueError("it ends too early")
    return {
        name: _build_array(tensor, data[tensor.storage.key])
        for name, tensor in tensors.items()
    }


def _build_array(tensor: _Tensor, data: np.ndarray) -> np.ndarray:
    last = tensor.offset + sum(
        (side - 1) * stride
        for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if min((tensor.offset, *tensor.strides)) < 0 or 0 in tensor.shape:
        raise ValueError("it has a tensor of impossible strides or without elements")
    if last >= len(data):
        raise ValueError("it has a tensor that passes the end of its storage")
    strides = [stride * data.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(
        data[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return np.ascontiguousarray(view)
