import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WAYS = [
    f"{count} {what}"
    for what in ("replicas", "hosts", "replicas, cached")
    for count in (1, 2, 4)
]
ORDERS = ["shuffled", "class_aware", "fixed_fraction", "augmented"]


@pytest.fixture(scope="module")
def results():
    program = Path(__file__).with_name("pipeline_replicas.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(program.parents[2])},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("order", ORDERS)
def test_all_ways_of_running_see_the_same(results, order):
    """Images, flips, views, ids, labels and boxes of each step, to the bit."""
    results = results[order]
    expected = results["1 replicas"]
    assert len(set(expected)) == 6
    for way in WAYS:
        assert results[way] == expected, way
    assert set(results["other seed"]).isdisjoint(expected)


@pytest.mark.parametrize("way", ["replicas", "replicas, cached", "hosts"])
@pytest.mark.parametrize("order", ORDERS)
def test_resumption_at_any_step(results, order, way):
    results = results[order]
    rests = [results["1 replicas"][step:] for step in range(1, 6)]
    assert results["resumed"][way] == rests
