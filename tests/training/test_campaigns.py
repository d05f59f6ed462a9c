"""The short forms of the campaigns, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def run(program, *arguments):
    done = subprocess.run(
        [sys.executable, str(FOLDER / program), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_run_stopped_after_every_step_equals_a_whole_one(replicas):
    result = run("resume_campaign.py", "--replicas", str(replicas))
    assert result["lives"] == 21
    assert result["statuses"] == [143]
    assert result["equal"].keys() >= {"model", "optimizer", "steps", "history"}
    assert all(result["equal"].values())


def test_a_killed_run_equals_a_whole_one():
    result = run("kill_campaign.py", "--kills", "4")
    assert result["kills"] == 4
    assert result["failed restarts"] == result["diverged runs"] == 0


def test_damage_is_noticed_and_what_is_whole_is_used():
    result = run("damage_campaign.py", "--trials", "50")
    assert set(result["outcomes"]) == {"newest whole one used", "named error"}
    # Each kind of file, each kind of damage.
    assert len(result["damages"]) == 9
