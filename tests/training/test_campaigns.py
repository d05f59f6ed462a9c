"""The short forms of the campaigns, each in a process of its own."""

import pytest

PROGRAMS = {
    "resume 1": ["resume_campaign.py", "--replicas", "1", "--every", "3"],
    "resume 2": ["resume_campaign.py", "--replicas", "2", "--every", "3"],
    "kill": ["kill_campaign.py", "--kills", "4"],
    "damage": ["damage_campaign.py", "--trials", "50"],
}


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_run_stopped_every_third_step_equals_a_whole_one(get_result, replicas):
    """Within an epoch and at the end of one."""
    result = get_result(f"resume {replicas}")
    assert result["lives"] == 7
    assert result["statuses"] == [143]
    assert result["equal"].keys() >= {"model", "optimizer", "steps", "history"}
    assert all(result["equal"].values())


def test_a_killed_run_equals_a_whole_one(get_result):
    result = get_result("kill")
    assert result["kills"] == 4
    assert result["failed restarts"] == result["diverged runs"] == 0


def test_damage_is_noticed_and_what_is_whole_is_used(get_result):
    result = get_result("damage")
    assert set(result["outcomes"]) == {"newest whole one used", "named error"}
    # Each kind of file, each kind of damage.
    assert len(result["damages"]) == 9
