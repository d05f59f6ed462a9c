"""A short run of `ops/tests/fuzz_calls.py`, so that it cannot rot."""

import collections
import importlib.util
import pathlib

FUZZ_CALLS = pathlib.Path(__file__).parents[2] / "ops" / "tests" / "fuzz_calls.py"


def test_malformed_calls_are_refused_or_answered(library):
    spec = importlib.util.spec_from_file_location("fuzz_calls", FUZZ_CALLS)
    fuzz_calls = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz_calls)
    outcomes = collections.Counter(
        fuzz_calls.run_call(number, library) for number in range(600)
    )
    assert min(outcomes["InvalidArgument"], outcomes["result"]) > 100
