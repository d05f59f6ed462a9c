"""A whole run on two workers: how it ends, and how it goes on."""

import pytest

PROGRAMS = {"two_workers": ["two_workers.py"]}


@pytest.fixture(scope="module")
def results(get_result):
    return get_result("two_workers")


def test_two_workers_equal_two_replicas(results):
    """Weights, optimiser, every step's scalars, history and best, to the last bit."""
    assert results["one"] == [0]
    assert results["whole"] == [0, 0]
    assert results["outcomes"]["whole"] == results["outcomes"]["one"]


@pytest.mark.parametrize("case", ["both_terminated", "second_terminated"])
def test_a_sigterm_to_any_worker_saves_and_ends_all(results, case):
    assert results[case]["statuses"] == [143, 143]


@pytest.mark.parametrize(
    "case, lost, left", [("second_killed", 1, 0), ("first_killed", 0, 1)]
)
def test_a_lost_worker_ends_the_other_with_a_named_error(results, case, lost, left):
    """Within the program's patience, after which it would have killed it."""
    assert results[case]["statuses"][lost] == -9
    assert results[case]["statuses"][left] == 2
    line = results[case]["last_lines"][left]
    assert line.startswith("WorkerLostError: step ")
    assert "another machine of the run is gone" in line


def test_what_was_cut_off_so_often_equals_a_run_that_was_not(results):
    assert results["cut"] == [0, 0]
    assert results["outcomes"]["cut"] == results["outcomes"]["one"]


def test_workers_that_do_not_share_a_folder_are_told(results):
    assert results["apart"] == [2, 2]
    for line in results["apart_lines"]:
        assert line.startswith("ConfigError: the machines would go on from different ")
        assert "of steps 20, 0 in the order of TF_CONFIG" in line
