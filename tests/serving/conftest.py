"""Makes `benchmarks/serving` importable, and builds its server once."""

import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "serving")
)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The offline server; skips where there is no compiler."""
    import offline_server

    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C++ compiler {compiler}")
    path = tmp_path_factory.mktemp("server") / "offline_server"
    offline_server.build(path)
    return path
