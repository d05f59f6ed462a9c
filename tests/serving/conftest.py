"""Builds the server of `benchmarks/serving` once."""

import os
import pathlib
import shutil

import pytest
from import_paths import importing_from

SERVING = pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "serving"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The offline server; skips where there is no compiler."""
    with importing_from(SERVING):
        import offline_server
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C++ compiler {compiler}")
    path = tmp_path_factory.mktemp("server") / "offline_server"
    offline_server.build(path)
    return path
