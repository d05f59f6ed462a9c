import json
import warnings

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.errors import ConfigError
from ehsod_tf.ops import (
    NativeOpsUnavailableError,
    _library,
    multilevel_roi_align,
    self_test,
)
from ehsod_tf.ops.self_test import run_self_tests

RECORD = {"tensorflow": tf.__version__, "compiler": "c++", "cuda": None}
RECORD["cuda_architectures"] = []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty place for the library, with nothing loaded before or after."""
    monkeypatch.setattr(_library, "LIBRARY_PATH", tmp_path / "libehsod_ops.so")
    monkeypatch.setattr(_library, "BUILD_INFO_PATH", tmp_path / "build_info.json")
    _library._load.cache_clear()
    _library._warn_once.cache_clear()
    yield tmp_path
    _library._load.cache_clear()
    _library._warn_once.cache_clear()


def write_library(folder, record, content=b"not a library"):
    (folder / "libehsod_ops.so").write_bytes(content)
    (folder / "build_info.json").write_text(record)


def pool(backend):
    features = {2: tf.ones([1, 4, 4, 1])}
    return multilevel_roi_align(features, tf.zeros([1, 1, 4]), backend=backend)


def test_native_raises_where_nothing_was_built(folder):
    with pytest.raises(NativeOpsUnavailableError, match="not built"):
        pool("native")


def test_auto_falls_back_with_one_warning(folder):
    with pytest.warns(RuntimeWarning, match="not built") as caught:
        first, second = pool("auto"), pool("auto")
    assert len(caught) == 1
    np.testing.assert_array_equal(first, pool("stock"))
    np.testing.assert_array_equal(second, first)


def test_stock_never_warns(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pool("stock")


def test_refuses_a_library_of_another_tensorflow(folder):
    write_library(folder, json.dumps(RECORD | {"tensorflow": "2.20.0"}))
    with pytest.raises(NativeOpsUnavailableError, match="built against .* 2.20.0"):
        pool("native")


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"tensorflow": "2.21.0"}'])
def test_refuses_a_library_without_a_record(folder, record):
    write_library(folder, record)
    with pytest.raises(NativeOpsUnavailableError, match="unreadable record"):
        pool("native")


def test_a_broken_library_is_named(folder):
    write_library(folder, json.dumps(RECORD))
    with pytest.raises(NativeOpsUnavailableError, match="does not load"):
        pool("native")


def test_self_test_passes_for_the_library_built(library):
    checks = [check for check in run_self_tests() if check.device == "CPU:0"]
    assert [check.op for check in checks] == [
        "multilevel_roi_align",
        "non_max_suppression",
    ]
    assert all(check.passed and not check.remedy for check in checks)


@pytest.mark.parametrize("wrong", [1.001, np.nan])
def test_self_test_finds_a_wrong_result(library, monkeypatch, wrong):
    case = self_test.Case("an_op", lambda: [tf.constant([1.0, wrong])], [np.ones(2)])
    monkeypatch.setattr(self_test, "CASES", (lambda: case,))
    check = run_self_tests()[0]
    assert not check.passed
    assert "wrong" in check.result and "backend='stock'" in check.remedy


def test_self_test_names_a_remedy_where_nothing_was_built(folder):
    for check in run_self_tests():
        assert not check.passed
        assert "not built" in check.result
        assert "ops/build.py" in check.remedy


def test_backend_is_checked_first(folder):
    with pytest.raises(ConfigError, match="backend"):
        pool("nativ")
