"""Runs the programs of this folder beside the tests that only use their results."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def run_program(name, *arguments):
    """Runs a program and returns its last line of output, which is JSON."""
    paths = [FOLDER.parents[1], FOLDER.parent / "modeling"]
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session", autouse=True)
def _programs(request):
    """Starts the programs of all modules with collected tests, two at a time."""
    modules = {item.module.__name__: item.module for item in request.session.items}
    with ThreadPoolExecutor(2) as pool:
        yield {
            (name, key): pool.submit(run_program, *command)
            for name, module in modules.items()
            for key, command in getattr(module, "PROGRAMS", {}).items()
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def get_result(_programs, request):
    """Returns the result of one of the module's ``PROGRAMS``, by its key there."""
    name = request.module.__name__
    return lambda key: _programs[name, key].result()
