import numpy as np
import pytest
import tensorflow as tf
from toy_detector import make_dataset

from ehsod_tf.errors import DataError
from ehsod_tf.training import read_batch_dump, write_batch_dump

LOGS = {"total_loss": float("nan"), "learning_rate": 0.1}


def test_a_batch_comes_back_bit_for_bit(tmp_path):
    batch = next(iter(make_dataset(broken_id=101)(0)))
    path = str(tmp_path / "run" / "nonfinite_step_3.npz")
    write_batch_dump(path, batch, LOGS, step=3)
    dump = read_batch_dump(path)
    assert dump.step == 3
    assert repr(dump.logs) == repr(LOGS)
    assert np.isnan(dump.batch.images[1]).all()
    for actual, wanted in zip(
        tf.nest.flatten(dump.batch[:-1]), tf.nest.flatten(batch[:-1]), strict=True
    ):
        if wanted is None:
            assert actual is None
            continue
        assert actual.dtype == wanted.dtype.as_numpy_dtype
        np.testing.assert_array_equal(actual, wanted.numpy())
    assert dump.batch.image_ids.tolist() == [100, 101]


@pytest.mark.parametrize("content", ["missing", "empty", "text", "other", "cut"])
def test_what_is_no_dump_is_named(tmp_path, content):
    path = tmp_path / "file.npz"
    if content == "cut":
        batch = next(iter(make_dataset()(0)))
        write_batch_dump(str(path), batch, LOGS, step=3)
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "other":
        np.savez(path, x=np.ones(3))
    elif content != "missing":
        path.write_text({"empty": "", "text": "no zip file"}[content])
    with pytest.raises(DataError, match="file.npz is not a batch that a run has writ"):
        read_batch_dump(str(path))


def test_a_damaged_dump_is_named_or_as_before(tmp_path):
    """One bit flipped at many places, of which some say nothing of the batch."""
    path = tmp_path / "file.npz"
    batch = next(iter(make_dataset()(0)))
    write_batch_dump(str(path), batch, LOGS, step=3)
    content = path.read_bytes()
    undamaged = tf.nest.flatten(read_batch_dump(str(path)))
    refused = 0
    for place in range(0, len(content), len(content) // 60):
        damaged = bytearray(content)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        try:
            dump = read_batch_dump(str(path))
        except DataError:
            refused += 1
            continue
        for actual, wanted in zip(tf.nest.flatten(dump), undamaged, strict=True):
            np.testing.assert_array_equal(actual, wanted)
    assert refused > 40
