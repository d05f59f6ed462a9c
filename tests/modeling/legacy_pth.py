"""Writes `.pth` files as PyTorch did before 1.6, without PyTorch."""

import collections
import pickle
import struct
import sys
import types

import numpy as np

MAGIC_NUMBER, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Storage:
    def __init__(self, key, data):
        self.key, self.data = key, data


class _Tensor:
    """Pickled as a call of PyTorch's own function, strides in numbers of elements."""

    def __init__(self, storage, array):
        self.storage, self.array = storage, array

    def __reduce__(self):
        array = self.array
        strides = tuple(stride // array.itemsize for stride in array.strides)
        arguments = (self.storage, 0, array.shape, strides, False, {})
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        kind = "LongStorage" if value.data.dtype == np.int64 else "FloatStorage"
        storage_type = getattr(sys.modules["torch"], kind)
        return ("storage", storage_type, value.key, "cpu", value.data.size, None)


def write_pth(path, arrays, monkeypatch):
    """Writes arrays by name, of float32 or int64, in any memory order."""
    _stand_in_for_torch(monkeypatch)
    state, storages = collections.OrderedDict(), []
    for number, (name, array) in enumerate(arrays.items()):
        # The elements in the order in which they lie in memory.
        storages.append(_Storage(str(number), array.ravel(order="K")))
        state[name] = _Tensor(storages[-1], array)
    with open(path, "wb") as file:
        for part in (MAGIC_NUMBER, PROTOCOL, {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        _Pickler(file, protocol=2).dump(state)
        pickle.dump([storage.key for storage in storages], file, protocol=2)
        for storage in storages:
            file.write(struct.pack("<q", storage.data.size) + storage.data.tobytes())


def _stand_in_for_torch(monkeypatch):
    """Modules whose names are all that a pickle keeps of PyTorch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
